"""What a catalog must do for the audit log, whatever its database."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import update

from recorder.audit.entry import Entry, Result, Subject, read_entry
from recorder.audit.tiles import Edge
from recorder.catalog import schema
from recorder.catalog.sql import SqlCatalog
from recorder.errors import StateError
from recorder.model.caller import Caller, CallerKind
from recorder.model.keys import CameraId
from recorder.model.media import Copy
from recorder.model.timebase import SECOND, TimeRange
from recorder.ports import AskedEntries, AuditEntry, LogState, WitnessedLog
from tests.support.make import STREAM, T0, segment

ANA = Caller(CallerKind.USER, "ana", "10.0.0.7")
BEGUN = LogState("spanstore/north/1", "key", T0, edge=Edge().write())


def look(number: int = 0, camera: str = "cam07", caller: Caller = ANA) -> Entry:
    at = T0 + number * SECOND
    range_ = TimeRange(at, at + SECOND)
    return Entry(at, caller, "footage.clip", Subject("north", camera, "main", range_))


class AuditContract:
    """Subclassed with ``catalog`` by :mod:`tests.contract.test_catalogs`."""

    def test_entries_are_found_by_camera_time_caller_action_and_result(
        self, catalog: SqlCatalog
    ) -> None:
        ben = replace(ANA, name="ben")
        refused = replace(look(2, caller=ben), result=Result.REFUSED)
        other = Entry(T0 + 9, ben, "hold.add", Subject(name="h1"))
        catalog.audit_log.write([look(0), look(1, "cam08"), refused, other])

        def found(**asked: object) -> list[Entry]:
            query = AskedEntries(**asked)  # type: ignore[arg-type]
            return [read_entry(one.raw) for one in catalog.audit_log.search(query, 9)]

        assert found() == [other, refused, look(1, "cam08"), look(0)], "the newest first"
        assert found(camera=CameraId("north", "cam07")) == [refused, look(0)]
        assert found(camera=CameraId("", "cam08")) == [look(1, "cam08")]
        assert found(camera=CameraId("south", "cam07")) == []
        assert found(caller="user:ben", result="refused") == [refused]
        assert found(action="hold") == [other]
        assert found(action="footage.clip", when=TimeRange(T0, T0 + SECOND)) == [look(0)]
        moment = T0 + 2 * SECOND
        assert found(footage=TimeRange(moment, moment + 1)) == [refused]
        assert len(catalog.audit_log.search(AskedEntries(), 2)) == 2
        first = catalog.audit_log.search(AskedEntries(after=0), 1)[0]
        assert read_entry(first.raw) == look(0), "the oldest first, when asked from a place on"
        (last,) = catalog.audit_log.search(AskedEntries(before=first.number + 2), 1)
        assert read_entry(last.raw) == look(1, "cam08")

    def test_numbers_of_entries_go_on_past_32_bits(self, catalog: SqlCatalog) -> None:
        most = 2**31 - 1
        with catalog.database.write() as db:
            if not catalog.database.is_sqlite:
                db.exec_driver_sql(f"ALTER SEQUENCE audit_audit_no_seq RESTART WITH {most}")
        catalog.audit_log.write([look(0)])
        with catalog.database.write() as db:
            db.execute(update(schema.audit).values(audit_no=most))
        catalog.audit_log.write([look(1)])
        found = catalog.audit_log.search(AskedEntries(before=most + 2), 2)
        assert [one.number for one in found] == [most + 1, most]

    def test_entries_get_their_places_once_and_in_order(self, catalog: SqlCatalog) -> None:
        log = catalog.audit_tree.begin(BEGUN)
        assert log == replace(BEGUN, number=1)
        catalog.audit_log.write([look(number) for number in range(5)])
        count, oldest = catalog.audit_tree.waiting()
        assert (count, oldest) == (5, T0)
        assert [catalog.audit_tree.assign(1, 3) for _ in range(3)] == [3, 2, 0]
        catalog.audit_log.write([look(7)])
        assert catalog.audit_tree.assign(1, 3) == 1
        leaves = catalog.audit_tree.leaves(1, 0, 99)
        assert [read_entry(raw) for raw in leaves] == [*(look(n) for n in range(5)), look(7)]
        assert catalog.audit_tree.leaves(1, 4, 6) == leaves[4:]
        assert catalog.audit_tree.logs()[0].assigned == 6
        newest = catalog.audit_log.search(AskedEntries(), 1)[0]
        assert (newest.log, newest.leaf, newest.raw) == (1, 5, leaves[5])

    def test_what_is_done_to_a_copy_is_an_entry_of_the_one_log(self, catalog: SqlCatalog) -> None:
        one = segment()
        catalog.commits.add_segment(one, "main", "", 7)
        said = AuditEntry(9, "condemn", STREAM, one.key, "main", one.range, 1000, "r", "old", 3)
        catalog.audit_log.write([look()])
        catalog.deletion.condemn([Copy(one, "main")], 9, [said])
        catalog.audit.write([replace(said, action="lost")])
        for action in ("copy", "copy.condemn"):
            found = catalog.audit_log.search(AskedEntries(action=action), 9)
            entry = read_entry(found[-1].raw)
            assert entry.action == "copy.condemn"
            assert entry.details["key"] == one.key
            assert (entry.details["rule"], entry.details["reason"]) == ("r", "old")
            assert entry.subject == Subject(STREAM.site, STREAM.camera, STREAM.stream, one.range)
        assert [one.action for one in catalog.audit.newest(9)] == ["lost", "condemn"]
        catalog.audit_tree.begin(BEGUN)
        assert catalog.audit_tree.assign(1, 9) == 3

    def test_a_log_is_begun_by_one_node_alone(self, catalog: SqlCatalog) -> None:
        catalog.audit_tree.begin(BEGUN)
        with pytest.raises(StateError):
            catalog.audit_tree.begin(replace(BEGUN, origin="another"))
        second = catalog.audit_tree.begin(replace(BEGUN, origin="another", number=1))
        with pytest.raises(StateError):
            catalog.audit_tree.assign(1, 9)
        assert [one.number for one in catalog.audit_tree.logs()] == [1, second.number]

    def test_what_was_signed_is_noted_where_nobody_signed_since(self, catalog: SqlCatalog) -> None:
        log = catalog.audit_tree.begin(BEGUN)
        signed = replace(log, size=5, edge=b"e", checkpoint="note", signed=T0)
        assert catalog.audit_tree.put(signed, 0)
        assert not catalog.audit_tree.put(replace(signed, size=6), 0)
        assert catalog.audit_tree.logs() == [signed]

    def test_entries_that_were_lost_are_taken_in_where_they_stood(
        self, catalog: SqlCatalog
    ) -> None:
        one = segment()
        said = AuditEntry(9, "condemn", STREAM, one.key, "main", one.range, 1000, "r", "old", 3)
        catalog.audit_tree.begin(BEGUN)
        catalog.audit.write([said])
        catalog.audit_log.write([look(n) for n in range(1, 5)])
        catalog.audit_tree.assign(1, 9)
        leaves = catalog.audit_tree.leaves(1, 0, 9)
        other = catalog.audit_tree.begin(replace(BEGUN, origin="another", number=1))
        catalog.audit_log.write([look(9)])
        (waits,) = catalog.audit_log.search(AskedEntries(), 1)
        assert catalog.audit_tree.take_in(other.number, 0, [*leaves, waits.raw]) == 6
        assert catalog.audit_tree.take_in(other.number, 0, [*leaves, waits.raw]) == 0
        assert catalog.audit_tree.leaves(other.number, 0, 9) == [*leaves, waits.raw]
        assert catalog.audit_tree.waiting() == (0, None), "it waited, and has its place now"
        assert catalog.audit.newest(9) == [said, said], "as it was, in its own columns too"

    def test_what_was_vouched_for_is_known(self, catalog: SqlCatalog) -> None:
        one = WitnessedLog("post1", "a", "key", "note 1", T0 + 1)
        catalog.witnessed.put(one)
        catalog.witnessed.put(replace(one, origin="b", at=T0))
        catalog.witnessed.put(replace(one, checkpoint="note 2"))
        said = [(log.origin, log.checkpoint) for log in catalog.witnessed.of("post1")]
        assert said == [("b", "note 1"), ("a", "note 2")]
        assert catalog.witnessed.of("post2") == []
