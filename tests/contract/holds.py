"""Holds: which are in force, which were lately, and that they are others."""

from __future__ import annotations

from dataclasses import replace

from recorder.catalog.holds import SqlHolds
from recorder.catalog.some import AT_ONCE
from recorder.catalog.sql import SqlCatalog
from recorder.model.holds import Hold
from recorder.model.timebase import TimeRange
from tests.support.make import T0

HOLD = Hold("h1", ("here/cam07",), TimeRange(0, T0), "7", "theft", "ann", T0)


class HoldsContract:
    """Mixed into the contract of catalogs."""

    def test_holds_that_ended_are_found_as_long_as_they_are_asked_for(
        self, catalog: SqlCatalog
    ) -> None:
        catalog.holds.add(HOLD)
        catalog.holds.add(replace(HOLD, hold_id="h2", expires=T0 + 5))
        catalog.holds.add(replace(HOLD, hold_id="h3"))
        catalog.holds.add(replace(HOLD, hold_id="h4", expires=T0 + 9))
        for name in ("h3", "h4"):
            catalog.holds.release(name, "ann", T0 + 5)

        def names(holds: list[Hold]) -> list[str]:
            return sorted(one.hold_id for one in holds)

        assert names(catalog.holds.live(T0 + 4)) == ["h1", "h2"], "released is released"
        assert names(catalog.holds.live(T0 + 5)) == ["h1"]
        assert names(catalog.holds.live_since(T0 + 4)) == ["h1", "h2", "h3", "h4"]
        assert names(catalog.holds.live_since(T0 + 5)) == ["h1"]
        for later in (1, 2):
            catalog.holds.add(replace(HOLD, hold_id=f"n{later}", created=T0 + later))
        newest = [one.hold_id for one in catalog.holds.live(T0 + 5)]
        assert newest == ["n2", "n1", "h1"] == [one.hold_id for one in catalog.holds.all()][:3]
        asked = [f"x{i}" for i in range(AT_ONCE)]
        assert names(catalog.holds.named(["h1", "h3", *asked, "h3"])) == ["h1", "h3"]

    def test_what_sites_below_said_is_read_of_some_holds(self, catalog: SqlCatalog) -> None:
        for hold_id, site in (("h1", "post2"), ("h1", "post1"), ("h2", "post1")):
            catalog.holds.put_delivery(hold_id, site, {"of": hold_id}, T0)
        said = {"h1": {"post1": {"of": "h1"}, "post2": {"of": "h1"}}}
        assert catalog.holds.deliveries(["h1", "h3"]) == said

    def test_whoever_writes_a_hold_makes_the_version_another_one(self, catalog: SqlCatalog) -> None:
        holds = catalog.holds
        assert isinstance(holds, SqlHolds)
        seen = [holds.version()]
        assert seen[0] is not None, "nor is all read each time where none was written since"
        for write in (
            lambda: holds.add(HOLD),
            lambda: holds.add(replace(HOLD, hold_id="export-2", expires=T0)),
            lambda: holds.release("h1", "ann", T0),
            lambda: holds.sweep("export-", T0 + 1),
        ):
            write()
            assert holds.version() == holds.version() not in seen
            seen.append(holds.version())
        holds.sweep("export-", T0 + 1)
        assert holds.version() == seen[-1], "nothing was written"
