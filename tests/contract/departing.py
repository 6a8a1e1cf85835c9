"""What a catalog must do for a site below that never comes back, whatever its database."""

from __future__ import annotations

import pytest

from recorder.catalog import departing, schema
from recorder.catalog.sql import SqlCatalog
from recorder.catalog.told_rows import within
from recorder.model.causes import Cause
from recorder.model.keys import StreamId
from recorder.model.media import Copy, Segment
from recorder.model.timebase import SECOND, TimeRange
from recorder.ports import NodeBeat, OnlyThere, SiteBeat, StreamStatus
from tests.support.make import STREAM, T0, segment

ALL = TimeRange(0, T0 + 10**18)
BELOW = StreamId("post1", "cam07", "main")


def minute(number: int) -> Segment:
    return segment(60 * number)


class DepartingContract:
    """Subclassed with ``catalog`` by :mod:`tests.contract.test_catalogs`."""

    def test_what_lies_at_a_site_below_alone_is_counted(self, catalog: SqlCatalog) -> None:
        assert catalog.departing.only_there("post1") is None
        for number, places in enumerate(
            (
                ("post1/main", "main"),
                ("post1/main", "post1/spool:n1"),  # alone, twice
                ("post1/main", "post10/main"),
                ("post1/sub/main",),  # alone, one level deeper
                ("post1/main", "../main"),
            )
        ):
            for place in places:
                catalog.commits.add_segment(minute(number), place, "", T0)
        found = OnlyThere(2, TimeRange(T0 + 60 * SECOND, T0 + 240 * SECOND))
        assert catalog.departing.only_there("post1") == found
        assert catalog.departing.only_there("post") is None
        catalog.deletion.condemn([Copy(minute(0), "main")], T0, [])
        alone = catalog.departing.only_there("post1")
        assert alone is not None
        assert alone.segments == 3, "what is to go is nowhere to stay"
        catalog.outbox.begin_anew(T0)  # what lies above is not known to lie there any more
        alone = catalog.departing.only_there("post1")
        assert alone is not None
        assert alone.segments == 4
        for number in (1, 3):
            catalog.deletion.condemn([Copy(minute(number), "post1/main")], T0, [])
        alone = catalog.departing.only_there("post1")
        assert alone is not None
        assert alone.segments == 4, "minute 1 lies in its spool, too"

    def test_months_of_one_stream_are_asked_for_by_statements_that_databases_take(
        self, catalog: SqlCatalog
    ) -> None:
        catalog.commits.add_segment(minute(0), "post1/main", "", T0)
        keys = [(1, T0 + number, "n1.1") for number in range(70_000)]
        with catalog.database.read() as db:
            assert list(within(db, schema.segment, keys, ("end_ns",))) == [
                (1, T0, "n1.1", minute(0).end)
            ]

    def test_what_lay_there_alone_is_a_gap_and_the_parent_hears_of_it(
        self, catalog: SqlCatalog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(departing, "PAGE", 2)
        for number in range(5):
            catalog.commits.add_segment(minute(number), "post1/main", "", T0)
        for place in ("main", "post10/main", "post1/spool:n1"):
            catalog.commits.add_segment(minute(2), place, "", T0)
        catalog.deletion.condemn([Copy(minute(4), "post1/main")], T0, [])
        catalog.outbox.drop(catalog.outbox.take(100, T0)[0])
        assert catalog.departing.give_up("post1", T0 + 7) == 6
        assert catalog.departing.give_up("post1", T0 + 7) == 0
        assert [one.start for one in catalog.footage.segments(STREAM, ALL)] == [minute(2).start]
        copies = catalog.footage.copies([minute(2)])[minute(2).key]
        assert sorted(one.place for one in copies) == ["main", "post10/main"]
        gaps = [(g.start - T0, g.end - T0, g.cause) for g in catalog.footage.gaps(STREAM, ALL)]
        assert gaps == [
            (0, 120 * SECOND, Cause.LOST),
            (180 * SECOND, 240 * SECOND, Cause.LOST),
            (240 * SECOND, 300 * SECOND, Cause.PURGED),
        ]
        told = catalog.outbox.take(100, T0 + 8)[1]
        assert {one["start"] for one in told if one["k"] == "gone"} == {
            minute(number).start for number in (0, 1, 3, 4)
        }
        assert sum(one["k"] == "gap" for one in told) >= 3

    def test_a_site_that_is_no_more_is_in_no_list(self, catalog: SqlCatalog) -> None:
        for name in ("post1", "post10", ".."):
            catalog.sites.put(SiteBeat(name, "post", "", T0))
            catalog.nodes.beat(NodeBeat(f"{name}/n1", name, T0))
            stream = StreamId(name, "cam07", "main")
            catalog.statuses.put([StreamStatus(stream, "n1", "off", "", "", "", T0, T0)])
        catalog.departing.forget_sites(["post1"])
        assert [one.name for one in catalog.sites.all()] == ["..", "post10"]
        assert [one.site for one in catalog.nodes.all()] == ["..", "post10"]
        assert [one.stream.site for one in catalog.statuses.all()] == ["..", "post10"]

    def test_a_child_that_is_no_more_is_told_nothing_more(self, catalog: SqlCatalog) -> None:
        kept, moved = segment(0, stream=BELOW), segment(0, stream=StreamId("post2", "c", "main"))
        for number, one in enumerate((kept, moved)):
            catalog.commits.add_segment(one, "main", "", T0)
            way, before = ("post1", "") if not number else ("post2", "post1/post3")
            with catalog.database.write() as db:
                db.exec_driver_sql(
                    f"UPDATE stream SET via = '{way}', before = '{before}' "
                    f"WHERE site = '{one.stream.site}'"
                )
        for name in ("post1", "post2", "post3"):
            catalog.sites.put(SiteBeat(name, "post", "", T0))
            catalog.child_cameras.put(name, "cam", {"url": "rtsp://x/y"}, "ann", T0)
            catalog.holds.put_delivery("h1", name, {"state": "held"}, T0)

        def told(child: str) -> int:
            return len(catalog.notices.pending(child, 9))

        catalog.deletion.condemn([Copy(kept, "main"), Copy(moved, "main")], T0, [])
        assert (told("post1"), told("post2"), told("post3")) == (2, 1, 1)
        catalog.departing.forget_child("post1", ["post1"])
        assert (told("post1"), told("post2"), told("post3")) == (0, 1, 1)
        catalog.deletion.spare([Copy(kept, "main"), Copy(moved, "main")], T0, [])
        assert (told("post1"), told("post2"), told("post3")) == (0, 2, 2)
        assert [one.site for one in catalog.child_cameras.since()] == ["post2", "post3"]
        assert sorted(catalog.holds.deliveries(["h1"])["h1"]) == ["post2", "post3"]
        assert catalog.footage.segments(BELOW, ALL) == [kept]

    def test_a_name_that_was_let_go_is_anybodys(self, catalog: SqlCatalog) -> None:
        catalog.identities.register("a", "1")
        catalog.identities.register("b", "2")
        assert catalog.identities.of("a") == "1"
        catalog.identities.forget("a")
        assert (catalog.identities.of("a"), catalog.identities.of("b")) == (None, "2")
        assert catalog.identities.register("a", "3") == "3"

    def test_cameras_for_sites_below_are_told_in_the_order_they_were_stored(
        self, catalog: SqlCatalog
    ) -> None:
        first = catalog.child_cameras.put("post1", "gate", {"url": "file:/x"}, "ann", 5)
        second = catalog.child_cameras.put("post2", "gate", {"url": "file:/y"}, "ann", 5)
        gone = catalog.child_cameras.put("post1", "gate", None, "ben", 3)
        assert (first.version, second.version, gone.version) == (1, 1, 2)
        assert catalog.child_cameras.since() == [second, gone]
        assert catalog.child_cameras.since(second.at) == [gone]
        assert catalog.child_cameras.since(gone.at) == []
        assert catalog.progress.of("x") == {}
        catalog.progress.put("x", {"at": 1}, 1)
        catalog.progress.put("x", {"at": 2}, 2)
        assert catalog.progress.of("x") == {"at": 2}
