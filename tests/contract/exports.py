"""What every catalog promises of exports, and of the holds that they leave."""

from __future__ import annotations

from dataclasses import replace

from recorder.catalog.sql import SqlCatalog
from recorder.model.caller import Caller, CallerKind
from recorder.model.exports import Export, ExportMade, ExportState, ExportWanted
from recorder.model.holds import Hold
from recorder.model.timebase import TimeRange

ANA = Caller(CallerKind.USER, "ana", "10.0.0.7", "s1", "trial")
WANTED = ExportWanted(("north/gate", "north/yard"), TimeRange(1, 2), "12", "trial", "sub")


class ExportsContract:
    """Each subclass provides ``catalog``."""

    def test_an_export_comes_back_as_it_went_in(self, catalog: SqlCatalog) -> None:
        one = Export("e1", ANA, WANTED, 5, 9, notes=("a",))
        later = Export("e2", ANA, WANTED, 6, 9, all_bytes=2**40)
        for each in (one, later):
            catalog.exports.add(each)
        assert catalog.exports.all() == [later, one]
        done = replace(
            one.ends(ExportState.DONE, 7), node="n1", term=3, began=6, done_bytes=2**41,
            made=ExportMade("ab" * 32, 2**41, "cd" * 32, ("clip: none",)), expires=99,
        )  # fmt: skip
        assert catalog.exports.change(done, one)
        assert catalog.exports.get("e1") == done
        failed = replace(later.ends(ExportState.FAILED, 7, "why"), kind="NoFootage")
        assert catalog.exports.change(failed, later)
        assert catalog.exports.get("e2") == failed
        assert catalog.exports.present() == [done]
        assert catalog.exports.counts() == {"done": 1, "failed": 1}
        catalog.exports.drop("e2")
        assert catalog.exports.get("e2") is None
        assert catalog.exports.all() == [done]

    def test_of_two_who_take_an_export_up_one_has_it(self, catalog: SqlCatalog) -> None:
        one = Export("e1", ANA, WANTED, 5, 9)
        catalog.exports.add(one)
        mine, other = (
            replace(one, state=ExportState.RUNNING, node=node, term=1) for node in ("n1", "n2")
        )
        assert catalog.exports.change(mine, one)
        assert not catalog.exports.change(other, one)
        assert catalog.exports.get("e1") == mine
        again = replace(mine, term=2)
        assert catalog.exports.change(again, mine)
        assert not catalog.exports.change(replace(mine, done_bytes=7), mine), "of a term before"
        assert not catalog.exports.change(replace(again, export_id="e9"), replace(again, term=9))

    def test_holds_that_ended_are_forgotten_by_what_their_names_begin_with(
        self, catalog: SqlCatalog
    ) -> None:
        def hold(name: str, expires: int | None, released: int | None = None) -> Hold:
            return Hold(name, ("north/gate",), TimeRange(1, 2), "1", "r", "o", 1, expires, released)

        for one in (
            hold("export-a-1", 50), hold("export-b-1", 500, 50), hold("export-c-1", 500),
            hold("mine-1", 50), hold("export-d-1", None),
        ):  # fmt: skip
            catalog.holds.add(one)
        catalog.holds.put_delivery("export-a-1", "post1", {"streams": []}, 7)
        assert catalog.holds.sweep("export-", 50) == 0
        assert catalog.holds.sweep("export-", 51) == 2
        left = {one.hold_id for one in catalog.holds.all()}
        assert left == {"export-c-1", "mine-1", "export-d-1"}
        assert catalog.holds.deliveries(["export-a-1"]) == {}
