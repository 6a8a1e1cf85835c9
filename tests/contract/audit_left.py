"""What a catalog must do with rows of the audit log that leave, whatever its database."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import func, select, update

from recorder.audit.entry import Entry, Result, Subject
from recorder.audit.tiles import WIDTH, Edge
from recorder.audit.tree import leaf_hashes, root
from recorder.catalog import schema
from recorder.catalog.audit import SqlAudit
from recorder.catalog.audit_left import SqlAuditLeft
from recorder.catalog.audit_log import SqlAuditLog
from recorder.catalog.audit_tree import SqlAuditTree
from recorder.catalog.sql import SqlCatalog
from recorder.errors import StateError
from recorder.model.caller import Caller, CallerKind
from recorder.model.keys import CameraId, StreamId
from recorder.model.timebase import HOUR, SECOND, TimeRange
from recorder.ports import AskedEntries, AuditEntry, LogState
from tests.support.make import T0

CALLERS = (Caller(CallerKind.USER, "ana", "10.0.0.7"), Caller(CallerKind.USER, 'b"e%n'))
ACTIONS = ("footage.clip", "footage.playback", "hold.add", "footages")
NORTH = CameraId("north", "cam1")


class Bundles:
    """Bundles as a store has them; counts how often one is read."""

    def __init__(self) -> None:
        self.there: dict[int, list[bytes]] = {}
        self.asked: list[int] = []

    def read(self, origin: str, number: int, root: bytes) -> list[bytes]:
        assert origin == "spanstore/north/1"
        self.asked.append(number)
        return self.there[number]


class Whole:
    """A log of four tiles and a bit, of which rows can leave."""

    def __init__(self, catalog: SqlCatalog) -> None:
        self.catalog, self.bundles, database = catalog, Bundles(), catalog.database
        self.left = SqlAuditLeft(database, self.bundles)
        self.log = SqlAuditLog(database, self.left, "north", "n1")
        self.audit = SqlAudit(database, self.left, "north", "n1")
        self.tree = SqlAuditTree(database, self.left, "north")
        self.tree.begin(LogState("spanstore/north/1", "key", T0, edge=Edge().write()))
        for first in range(0, 4 * WIDTH + 9, 100):
            self._write(first, min(100, 4 * WIDTH + 9 - first))
        while self.tree.assign(1, 4096):
            pass
        for number in range(4):
            self.bundles.there[number] = self.left.rows(1, number)

    def _write(self, first: int, count: int) -> None:
        looks = []
        for n in range(first, first + count // 2):
            at = T0 + n * SECOND
            range_ = TimeRange(at - 2 * HOUR, at - HOUR) if n % 5 else None
            result = Result.REFUSED if n % 11 == 0 else Result.ALLOWED
            about = Subject(("north", "south")[n % 2], f"cam{n // 70}", "main", range_, f"n{n}")
            looks.append(Entry(at, CALLERS[n % 2], ACTIONS[n % 4], about, result))
        self.log.write(looks)
        self.audit.write([
            AuditEntry(
                T0 + n * SECOND, ("condemn", "spare", "lost")[n % 3],
                StreamId("north", f"cam{n // 70}", "main"), f"key{n}", "main",
                TimeRange(T0 - (n + 1) * HOUR, T0 - n * HOUR), n, "rule", f"old {n}", 3,
            )
            for n in range(first + count // 2, first + count)
        ])  # fmt: skip

    def answers(self) -> Iterator[object]:
        """All that is asked of the log."""
        moment = TimeRange(T0 + 200 * SECOND, T0 + 500 * SECOND)
        asked = [
            AskedEntries(),
            AskedEntries(camera=NORTH),
            AskedEntries(camera=CameraId("", "cam1")),
            AskedEntries(when=moment),
            AskedEntries(footage=TimeRange(T0 - 90 * HOUR, T0 - 80 * HOUR)),
            *(AskedEntries(caller=str(one)) for one in CALLERS),
            AskedEntries(caller="node:n1", when=moment),
            *(AskedEntries(action=one) for one in ("footage", "hold.add", "copy", "copy.lost")),
            AskedEntries(action="lost"),
            AskedEntries(action="nothing"),
            AskedEntries(result="refused"),
        ]
        for one in asked:
            yield self.log.search(one, 5000)
            yield self.log.search(replace(one, before=700), 7)
            yield self.log.search(replace(one, after=300), 7)
        for limit in (7, 5000):
            yield self.audit.newest(limit), self.audit.newest(limit, 600)
            for camera in (NORTH, CameraId("south", "cam1")):
                yield self.audit.about(camera, TimeRange(T0 - 120 * HOUR, T0), limit)
        for start, end in ((0, 9999), (250, 260), (1020, 1030), (512, 768)):
            yield self.tree.leaves(1, start, end)

    def let_go(self, *numbers: int) -> list[bool]:
        return [self.left.let_go(1, one, self.bundles.there[one]) for one in numbers]


class LeftContract:
    """Subclassed with ``catalog`` by :mod:`tests.contract.test_catalogs`."""

    def test_what_has_left_is_found_as_its_rows_were(
        self, catalog: SqlCatalog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("recorder.catalog.audit_left.PAGE", 1)
        whole = Whole(catalog)
        before = list(whole.answers())
        for gone in ((1, 3), (0, 2)):  # not in order: one that is kept keeps no other
            assert all(whole.let_go(*gone))
            assert list(whole.answers()) == before
        with catalog.database.read() as db:
            assert db.execute(select(func.count()).select_from(schema.audit)).scalar() == 9
            roots = select(schema.audit_tile.c.root).order_by(schema.audit_tile.c.tile_no)
            last = bytes(db.execute(roots).scalars().all()[3])
        assert last == root(leaf_hashes(whole.bundles.there[3]))
        assert whole.left.count() == 4 * WIDTH

    def test_what_rows_have_is_answered_without_a_store(self, catalog: SqlCatalog) -> None:
        whole = Whole(catalog)
        whole.let_go(0, 1)
        whole.log.search(AskedEntries(), 300)
        whole.log.search(AskedEntries(after=2 * WIDTH), 300)
        whole.tree.leaves(1, 2 * WIDTH, 4 * WIDTH)
        assert whole.bundles.asked == []
        whole.log.search(AskedEntries(camera=CameraId("north", "cam0")), 9)
        whole.audit.about(CameraId("north", "cam99"), TimeRange(0, 2 * T0))
        assert whole.bundles.asked == [0], "one that has none of a camera is not read"
        whole.log.search(AskedEntries(after=0), 100)
        assert whole.bundles.asked == [0, 0], "no more than a page needs"

    def test_tiles_are_old_when_all_of_their_entries_are(self, catalog: SqlCatalog) -> None:
        whole = Whole(catalog)
        size = 4 * WIDTH + 9
        last = T0 + (WIDTH - 1) * SECOND
        assert whole.left.old(1, size, last, 9) == []
        assert whole.left.old(1, size, last + 1, 9) == [0]
        assert whole.left.old(1, size, 2 * T0, 9) == [0, 1, 2], "the last full one stays"
        assert whole.left.old(1, size, 2 * T0, 2) == [0, 1]
        assert whole.left.old(1, 2 * WIDTH + 9, 2 * T0, 9) == [0], "what is signed alone"
        assert whole.left.old(2, size, 2 * T0, 9) == []
        assert whole.left.oldest() == T0
        whole.let_go(0)
        assert whole.left.old(1, size, 2 * T0, 9) == [1, 2]
        assert whole.left.oldest() == last + SECOND

    def test_rows_that_say_other_than_their_bytes_stay(self, catalog: SqlCatalog) -> None:
        whole, table = Whole(catalog), schema.audit
        other: tuple[dict[str, object], ...]
        other = ({"caller": "b"}, {"end_ns": 7}, {"entry": b"{}"}, {"reason": "cut" * 999})
        with catalog.database.write() as db:
            for number, values in enumerate(other):
                one = table.c.leaf_no == number * WIDTH + 9
                db.execute(update(table).where(one).values(**values))
        assert whole.let_go(0, 1, 2, 3) == [False] * 4
        assert len(whole.left.rows(1, 0)) == WIDTH

    def test_rows_go_only_as_the_bytes_that_were_proven(self, catalog: SqlCatalog) -> None:
        whole = Whole(catalog)
        leaves = whole.bundles.there[0]
        assert not whole.left.let_go(1, 0, leaves[:-1])
        assert not whole.left.let_go(1, 0, [*leaves[1:], leaves[0]])
        assert not whole.left.let_go(1, 0, [*leaves[:-1], b"no entry"])
        assert whole.left.let_go(1, 0, leaves)
        assert not whole.left.let_go(1, 0, leaves), "once"
        assert whole.tree.take_in(1, 0, leaves) == 0, "nor are they taken in again"

    def test_no_number_is_given_twice(self, catalog: SqlCatalog) -> None:
        whole, table = Whole(catalog), schema.audit
        with catalog.database.write() as db:
            db.execute(table.delete().where(table.c.leaf_no >= 4 * WIDTH))
        assert whole.let_go(2, 3) == [True, False], "the newest row stays"

    def test_without_a_store_what_has_left_is_not_passed_over(self, catalog: SqlCatalog) -> None:
        Whole(catalog).let_go(0)
        with pytest.raises(StateError):
            catalog.audit_tree.leaves(1, 0, 9)
        with pytest.raises(StateError):
            catalog.audit_log.search(AskedEntries(after=0), 9)


class LeftAtOnce:
    """What several connections may do at once."""

    def test_rows_leave_once_whoever_lets_them_go(self, catalog: SqlCatalog) -> None:
        whole, done = Whole(catalog), list[bool]()
        before = list(whole.answers())

        def node() -> None:
            done.extend(whole.let_go(0, 1, 2))

        threads = [threading.Thread(target=node) for _ in range(3)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            assert whole.log.search(AskedEntries(), 5000) == before[0], "also meanwhile"
        for thread in threads:
            thread.join()
        assert sorted(done) == [False] * 6 + [True] * 3
        assert list(whole.answers()) == before
