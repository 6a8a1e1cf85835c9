"""What a catalog must do for the janitor, whatever its database."""

from __future__ import annotations

import json
from dataclasses import replace

from recorder.catalog.planning import MOST_NUMBERS
from recorder.catalog.sql import SqlCatalog
from recorder.model.events import Event
from recorder.model.holds import Hold
from recorder.model.keys import StreamId
from recorder.model.media import Copy, Segment, SegmentId
from recorder.model.timebase import DAY, HOUR, SECOND, TimeRange
from recorder.ports import AuditEntry, StreamStored
from tests.support.make import STREAM, T0, segment

ALL = TimeRange(0, 2**62)
OTHER = StreamId("north", "cam08", "main")


class DeletionContract:
    """Subclassed with ``catalog`` by :mod:`tests.contract.test_catalogs`."""

    def test_condemning_writes_the_audit_first_and_once(self, catalog: SqlCatalog) -> None:
        one = segment()
        catalog.commits.add_segment(one, "main", "", 7)
        copy = Copy(one, "main")
        entry = AuditEntry(9, "condemn", STREAM, one.key, "main", one.range, 1000, "r", "old", 3)
        assert catalog.deletion.condemn([copy], 9, [entry]) == 1
        assert catalog.deletion.condemn([copy], 11, [replace(entry, at=11)]) == 0, (
            "carried out again"
        )
        (found,) = catalog.planning.copies_at("main", None, 9, condemned=True)
        assert found.condemned_at == 9
        assert catalog.audit.newest(5) == [entry]

    def test_a_hold_stops_condemning_and_takes_back_what_was_condemned(
        self, catalog: SqlCatalog
    ) -> None:
        segments = [segment(start) for start in (0, 60, 120)]
        for one in segments:
            catalog.commits.add_segment(one, "main", "", 7)
        copies = [Copy(one, "main") for one in segments]
        assert catalog.deletion.condemn(copies[:2], 9, []) == 2
        range_ = TimeRange(T0 + 90 * SECOND, T0 + 130 * SECOND)
        hold = Hold("h1", ("cam07",), range_, "17", "collision", "ann", 10, expires=1000)
        assert catalog.holds.add(hold) == catalog.holds.add(hold) == hold
        said = [(one.action, one.key, one.rule, one.reason) for one in catalog.audit.newest(9)]
        assert said == [("spare", segments[1].key, "hold", "hold h1 keeps it")]
        (lane,) = catalog.planning.copy_columns("main", condemned=True)
        assert (len(lane), lane.condemned) == (3, {0}), "and what is marked can be judged again"
        assert catalog.deletion.condemn(copies, 11, []) == 0
        assert [c.segment for c in catalog.deletion.take_due("main", 50, 60, 9)] == segments[:1]
        assert catalog.deletion.condemn(copies, 2000, []) == 2, "an expired hold holds nothing"
        assert catalog.holds.release("h1", "ben", 70)
        assert not catalog.holds.release("h1", "ben", 71)
        found = catalog.holds.get("h1")
        assert found is not None
        assert (found.released, found.released_by) == (70, "ben")
        assert catalog.holds.all() == [found]

    def test_a_hold_makes_nobody_believe_in_copies_that_another_site_let_go(
        self, catalog: SqlCatalog
    ) -> None:
        """By what its parent was believed to have a site may let its own go."""
        one, places = segment(), ("main", "../main", "post/main")
        for place in places:
            catalog.commits.add_segment(one, place, "", 7)
        assert catalog.deletion.condemn([Copy(one, place) for place in places], 9, []) == 3
        hold = Hold("h1", ("cam07",), one.range, "17", "collision", "ann", 10)
        catalog.holds.add(hold)
        found = {copy.place for copy in catalog.footage.copies([one])[one.key] if copy.condemned_at}
        assert found == {"../main", "post/main"}

    def test_copies_of_a_stream_that_the_catalog_lost_hold_up_nothing_that_is_told(
        self, catalog: SqlCatalog
    ) -> None:
        child, known = SqlCatalog("sqlite://", parent=True), segment(60)
        of_before = Copy(segment(stream=OTHER), "main", damaged_at=3)
        child.commits.forget([of_before], "purged")
        child.integrity.mark_damaged([of_before], 5)
        child.integrity.mark_verified([of_before], 6)
        assert child.outbox.depth() == (0, None)
        with child.database.write() as db:  # from elsewhere
            for kind in ("segment", "gap"):
                for number in ("NULL", "99"):
                    db.exec_driver_sql(
                        "INSERT INTO outbox (kind, stream_no, start_ns, end_ns, name, at_ns) "
                        f"VALUES ('{kind}', {number}, 1, 2, 'n1.1', 7)"
                    )
        child.commits.add_segment(known, "main", "", 7)
        numbers, said = child.outbox.take(100, 10**6)
        catalog.inbox.apply("post1", json.loads(json.dumps(said)), 9)
        assert catalog.footage.segments(STREAM, ALL) == [known]
        child.outbox.drop(numbers)
        assert child.outbox.depth() == (0, None)

    def test_a_deletion_that_was_begun_is_finished_whatever_is_held_then(
        self, catalog: SqlCatalog
    ) -> None:
        one = segment()
        catalog.commits.add_segment(one, "main", "", 7)
        catalog.deletion.condemn([Copy(one, "main")], 9, [])
        assert catalog.deletion.take_due("main", 8, 10, 9) == [], "the grace has not passed"
        assert len(catalog.deletion.take_due("main", 9, 10, 9)) == 1
        catalog.holds.add(Hold("h", ("cam07",), one.range, "1", "r", "o", 11))
        assert len(catalog.deletion.take_due("main", 9, 12, 9)) == 1, (
            "its bytes may be gone already"
        )

    def test_what_an_event_touches_that_came_since_it_was_judged_is_not_taken(
        self, catalog: SqlCatalog
    ) -> None:
        """Deleting may take hours, and what was alarmed meanwhile was judged without that."""
        segments = [segment(start) for start in (0, 60, 120)]
        for one in segments:
            catalog.commits.add_segment(one, "main", "", 7)
        catalog.deletion.condemn([Copy(one, "main") for one in segments], 9, [])
        judged = T0 + DAY

        def alarm(name: str, start_s: int, noted: int, camera: str = "cam07") -> None:
            range_ = TimeRange(T0 + start_s * SECOND, T0 + (start_s + 10) * SECOND)
            event = Event(name, "north", "alarm", "x", (camera,), range_, range_, noted)
            assert catalog.events.add(event, None)

        def taken() -> list[float]:
            due = catalog.deletion.take_due("main", judged - HOUR, judged, 9)
            return sorted((copy.segment.start - T0) / SECOND for copy in due)

        alarm("new", 70, judged + HOUR)
        alarm("old", 130, judged - HOUR)
        alarm("elsewhere", 0, judged + HOUR, "cam08")
        assert taken() == [0, 120]
        alarm("late", 5, judged + HOUR)
        assert taken() == [0, 120], "their deletion has begun"
        catalog.events.remove("new", judged)
        assert taken() == [0, 60, 120]

    def test_a_mark_is_taken_back_once_and_not_where_the_deletion_has_begun(
        self, catalog: SqlCatalog
    ) -> None:
        segments = [segment(start) for start in (0, 60)]
        for one in segments:
            catalog.commits.add_segment(one, "main", "", 7)
        copies = [Copy(one, "main") for one in segments]
        assert catalog.deletion.condemn(copies[:1], 9, []) == 1
        assert len(catalog.deletion.take_due("main", 9, 10, 9)) == 1
        assert catalog.deletion.condemn(copies[1:], 11, []) == 1
        assert catalog.deletion.spare(copies, 12, []) == 1, "the first one's bytes may be gone"
        assert catalog.deletion.spare(copies, 13, []) == 0
        (left,) = catalog.planning.copies_at("main", None, 9, condemned=True)
        assert left.segment == segments[0]

    def test_what_is_held_when_its_time_comes_is_not_taken(self, catalog: SqlCatalog) -> None:
        one = segment()
        catalog.commits.add_segment(one, "main", "", 7)
        catalog.holds.add(Hold("h", ("cam07",), one.range, "1", "r", "o", 1, expires=1000))
        assert catalog.deletion.condemn([Copy(one, "main")], 2000, []) == 1, "it has expired"
        assert catalog.deletion.take_due("main", 2000, 500, 9) == [], "the clock was wrong"
        assert len(catalog.deletion.take_due("main", 2000, 2001, 9)) == 1

    def test_what_lies_at_a_place_is_added_up_by_stream(self, catalog: SqlCatalog) -> None:
        other = replace(STREAM, camera="cam08")
        for one in (segment(0), segment(60), segment(0, stream=other, size_bytes=7)):
            catalog.commits.add_segment(one, "main", "", 7)
        catalog.commits.add_segment(segment(120), "elsewhere", "", 7)
        catalog.deletion.condemn([Copy(segment(60), "main")], 9, [])
        ends = T0 + 120 * SECOND
        assert catalog.planning.by_stream("main") == [
            StreamStored(STREAM, 2, 2000, 1000, T0, ends),
            StreamStored(other, 1, 7, 0, T0, T0 + 60 * SECOND),
        ]
        assert catalog.planning.by_stream("nowhere") == []

    def test_what_another_recorder_put_into_a_bucket_is_told_by_its_names(
        self, catalog: SqlCatalog
    ) -> None:
        """What it calls itself, an address perhaps, looks like a node's run."""
        own, camera = segment(), replace(STREAM, camera="CAM-1")
        key = "CAM-1/2026-01-05/10.0.0.7/14/03-07Z.0.mp4"
        theirs = segment(60, stream=camera, writer="10.0.0.7", key=key)
        for one in (own, theirs):
            catalog.commits.add_segment(one, "main", "", T0)
        lanes = {lane.stream: lane.foreign for lane in catalog.planning.copy_columns("main")}
        assert lanes == {STREAM: set(), camera: {0}}

    def test_a_copy_that_was_to_go_and_is_gone_is_dropped_as_purged(
        self, catalog: SqlCatalog
    ) -> None:
        one = segment(0)
        catalog.commits.add_segment(one, "main", "", 7)
        catalog.deletion.condemn([Copy(one, "main")], 8, [])
        assert catalog.rebuilding.drop([Copy(one, "main")], 9, []) == 1
        assert catalog.footage.segments(STREAM, ALL) == []
        assert [gap.cause for gap in catalog.footage.gaps(STREAM, ALL)] == ["purged"]

    def test_lanes_are_the_living_copies_in_columns(self, catalog: SqlCatalog) -> None:
        segments = [segment(start) for start in (0, 60, 120)]
        for one in segments:
            catalog.commits.add_segment(one, "main", "", 7)
        catalog.commits.add_segment(segments[1], "../main", "", 7)
        catalog.deletion.condemn([Copy(segments[0], "main")], 9, [])
        (lane,) = catalog.planning.copy_columns("main", above=True)
        assert lane.stream == STREAM
        assert list(lane.starts) == [one.start for one in segments[1:]]
        assert list(lane.sizes) == [one.size_bytes for one in segments[1:]]
        assert lane.copied == {0}
        assert catalog.planning.copy_columns("main", before=T0) == []
        name = SegmentId(STREAM, lane.starts[0], lane.writers[0])
        assert [copy.segment for copy in catalog.planning.copies_by_id("main", [name])] == [
            segments[1]
        ]

    def test_lanes_tell_what_is_or_was_above_at_either_level_of_each_stream(
        self, catalog: SqlCatalog
    ) -> None:
        other = replace(STREAM, camera="cam08")
        segments = [segment(start) for start in (0, 60, 120)]
        others = [segment(start, stream=other) for start in (60, 120)]
        for one in (*segments, *others):
            catalog.commits.add_segment(one, "main", "", 7)
        catalog.commits.add_segment(segments[0], "../main", "", 7)
        catalog.commits.add_segment(segments[2], "../../main", "", 7)
        catalog.deletion.condemn([Copy(segments[2], "../../main")], 9, [])
        catalog.commits.add_segment(others[1], "../main", "", 7)
        catalog.commits.add_segment(segment(240), "../main", "", 7)
        first, second = catalog.planning.copy_columns("main", above=True)
        assert (first.copied, first.let_go) == ({0}, {2})
        assert (second.copied, second.let_go) == ({1}, set())
        assert not any(lane.copied for lane in catalog.planning.copy_columns("main"))

    def test_lanes_of_more_streams_than_a_statement_names(self, catalog: SqlCatalog) -> None:
        names = [f"cam{number:04}" for number in range(MOST_NUMBERS + 1)]
        segments = [segment(stream=replace(STREAM, camera=name)) for name in names]
        catalog.commits.add_segments(segments, "main", 7)
        catalog.commits.add_segment(segments[-1], "../main", "", 7)
        lanes = {
            lane.stream.camera: lane for lane in catalog.planning.copy_columns("main", above=True)
        }
        assert [name for name in names if lanes[name].copied] == [names[-1]]

    def test_why_it_was_dark_before_footage_is_known_when_that_has_gone(
        self, catalog: SqlCatalog
    ) -> None:
        def begins(at: int, why: str, writer: str = "n1.1") -> Segment:
            begin = T0 + at * SECOND
            return segment(at, span_start=begin, counter=0, gap_cause=why, writer=writer)

        spans = [begins(0, "node"), begins(90, "stall"), begins(200, "source")]
        beside = begins(155, "node", "n2.1")
        for one in (*spans, beside):
            catalog.commits.add_segment(one, "main", "", 7)
        catalog.commits.forget([Copy(one, "main") for one in (*spans[:2], beside)], "purged")

        def gaps() -> list[tuple[int, int, str]]:
            found = sorted(catalog.footage.gaps(STREAM, ALL), key=lambda gap: gap.start)
            return [
                ((gap.start - T0) // SECOND, (gap.end - T0) // SECOND, gap.cause) for gap in found
            ]

        before = [(0, 60, "purged"), (60, 90, "stall"), (90, 150, "purged"), (150, 155, "node")]
        assert gaps() == [*before, (155, 200, "purged")]
        catalog.commits.forget([Copy(spans[2], "main")], "purged")
        assert gaps() == [*before, (155, 260, "purged")], "another node recorded then"
