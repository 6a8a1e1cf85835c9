"""Copies are read again and repaired, and held ones are protected by stores that can."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recorder.catalog.sql import SqlCatalog
from recorder.errors import StoreUnavailable
from recorder.janitor import scrub
from recorder.janitor.check import Tally, check_held, check_store, lose_missing
from recorder.janitor.protect import Protector
from recorder.janitor.scrub import Scrubber
from recorder.model.holds import Hold
from recorder.model.media import Copy, Segment
from recorder.model.timebase import HOUR, MINUTE, SECOND, TimeRange
from recorder.reading.view import View
from recorder.spool.disk import Spool
from recorder.store.memory import MemoryStore
from recorder.throttle import Throttle
from tests.support.clock import FakeClock
from tests.support.make import STREAM, T0, segment

ALL = TimeRange(0, T0 + 10**18)


class NoSpool:
    """A spool with nothing in it."""

    def path_of(self, key: str) -> Path | None:
        return None

    def runs(self, stream: object = None) -> list[object]:
        return []


class Box:
    """Two stores with the same three segments, their catalog, and a clock."""

    def __init__(self, folder: Path) -> None:
        self.catalog, self.clock = SqlCatalog("sqlite://"), FakeClock(T0)
        self.stores = {name: LockingStore(name) for name in ("main", "other")}
        self.view = View(
            self.catalog.footage,
            self.catalog.statuses,
            NoSpool(),  # type: ignore[arg-type]
            self.stores,
            self.clock,
            "north",
        )
        self.segments: list[Segment] = []
        for i in range(3):
            body = bytes([i]) * 5000
            one = replace(segment(60 * i), size_bytes=5000, digest=hashlib.sha256(body).hexdigest())
            self.segments.append(one)
            for store in self.stores.values():
                store.put(one.key, body, "video/mp4", {})
                self.catalog.commits.add_segment(one, store.name, "", 1)
        self.folder = folder
        self.scrubber = self.make_scrubber(self.clock.sleep)

    def make_scrubber(self, wait: Callable[[float], None]) -> Scrubber:
        throttle = Throttle(self.clock, 5000, wait)
        spool = Spool(self.folder)
        return Scrubber(self.catalog, self.view, self.clock, self.folder, throttle, spool)


class LockingStore(MemoryStore):
    """A store in memory with legal holds."""

    protects = True

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.held: set[str] = set()

    def protect(self, key: str, on: bool) -> None:
        (self.held.add if on else self.held.discard)(key)

    def delete(self, keys: Sequence[str]) -> dict[str, str]:
        super().delete([key for key in keys if key not in self.held])
        return {key: "AccessDenied: held" for key in keys if key in self.held}


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    one = Box(tmp_path)
    yield one
    one.view.close()
    one.catalog.close()


def test_every_copy_is_read_within_the_time_at_the_rate(box: Box) -> None:
    main = box.stores["main"]
    done = box.scrubber.run(main, MINUTE, box.clock.monotonic() + 0.5)
    assert (done.checked, done.finished) == (2, 0), "a segment a second; stopped in between"
    done = box.scrubber.run(main, MINUTE, box.clock.monotonic() + 100)
    assert done.checked == 3
    assert done.finished > done.began == T0
    assert box.scrubber.run(main, MINUTE, box.clock.monotonic() + 100).began == T0, "not yet"
    box.clock.sleep(60)
    assert box.scrubber.run(main, MINUTE, box.clock.monotonic() + 100).began > T0
    verified = {copy.verified_at for copy in box.catalog.planning.copies_at("main", None, 9)}
    assert min(verified) > T0


def test_a_damaged_or_missing_copy_is_written_again_from_another_and_that_is_said(
    box: Box,
) -> None:
    main, one, two = box.stores["main"], box.segments[0], box.segments[1]
    main.put(one.key, b"x" * 5000, "video/mp4", {})
    main.delete([two.key])
    done = box.scrubber.run(main, MINUTE, float("inf"))
    assert (done.repaired, done.damaged, done.lost) == (2, 0, 0)
    assert b"".join(main.read(one.key, 0, 5000)) == bytes(5000)
    assert {entry.action for entry in box.catalog.audit.newest(9)} == {"repaired"}


def test_an_object_with_bytes_behind_its_end_is_cut_to_what_it_was(box: Box) -> None:
    """A rebuild looks for what an object says of itself at its end."""
    main, one = box.stores["main"], box.segments[0]
    main.put(one.key, bytes(5000) + b"tail", "video/mp4", {})
    box.stores["other"].delete([one.key])  # nobody else has it
    done = box.scrubber.run(main, MINUTE, float("inf"))
    assert (done.repaired, done.damaged) == (1, 0)
    info = main.head(one.key)
    assert info is not None
    assert info.size == 5000
    (said,) = box.catalog.audit.newest(9)
    assert "bytes behind its end" in said.reason


def test_a_copy_that_a_store_does_not_give_back_as_it_was_keeps_no_other_from_being_read(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    main, (one, *_) = box.stores["main"], box.segments
    main.put(one.key, b"x" * 5000, "video/mp4", {})
    put = main.put

    def altered(key: str, body: bytes, *more: Any) -> str:
        return put(key, b"y" * len(body), *more)

    monkeypatch.setattr(main, "put", altered)
    done = box.scrubber.run(main, MINUTE, float("inf"))
    assert (done.checked, done.repaired, done.damaged) == (3, 0, 1)
    said = next(entry for entry in box.catalog.audit.newest(9) if entry.action == "damaged")
    assert said.reason.endswith("store main gives back other bytes")


@pytest.mark.parametrize("alone", [False, True])
def test_an_object_that_a_store_cannot_read_is_mended_and_keeps_no_other_from_being_read(
    box: Box, monkeypatch: pytest.MonkeyPatch, alone: bool
) -> None:
    main, (one, *_) = box.stores["main"], box.segments
    read, put, bad, away = main.read, main.put, {one.key}, list[int]()

    def sector(key: str, *more: int) -> Iterator[bytes]:
        if key in bad or away:
            raise StoreUnavailable(f"read {key}: Input/output error")
        return read(key, *more)

    def anew(key: str, *more: Any) -> str:
        bad.discard(key)
        return put(key, *more)

    monkeypatch.setattr(main, "read", sector)
    monkeypatch.setattr(main, "put", anew)
    put("spanstore.json", b'{"store": "s"}', "", {})
    found = check_store(box.catalog.planning, main, "digest", 0, T0, Tally())
    assert [said.detail for said in found] == [
        f"cannot be read: read {one.key}: Input/output error"
    ]
    if alone:
        box.stores["other"].delete([one.key])
    away.append(1)
    with pytest.raises(StoreUnavailable):
        box.scrubber.run(main, MINUTE, float("inf"))
    assert box.catalog.integrity.damaged("main") == 0, "it was the store"
    away.clear()
    done = box.scrubber.run(main, MINUTE, float("inf"))
    assert (done.checked, done.repaired, done.damaged) == (3, int(not alone), int(alone))
    said = box.catalog.audit.newest(9)[0]
    assert said.action == ("damaged" if alone else "repaired")
    assert said.reason.startswith("cannot be read: ")


def test_what_policy_lets_go_while_copies_are_read_is_not_brought_back(box: Box) -> None:
    main, two = box.stores["main"], box.segments[2]

    def purged_meanwhile(_: float) -> None:
        main.delete([two.key])
        box.catalog.commits.forget([Copy(two, "main")], "purged")

    done = box.make_scrubber(purged_meanwhile).run(main, MINUTE, float("inf"))
    assert (done.repaired, done.lost) == (0, 0)
    assert main.head(two.key) is None
    assert box.catalog.audit.newest(9) == []


def test_what_nobody_has_any_more_is_suspected_for_hours_and_then_a_gap(box: Box) -> None:
    main, other = box.stores.values()
    one, two = box.segments[:2]
    for store in (main, other):
        store.put(one.key, b"x" * 5000, "video/mp4", {})
        store.delete([two.key])
    for hours in (0, 1, 4):
        box.clock.sleep(3600 * hours)
        for store in (main, other):
            box.scrubber.run(store, 0, float("inf"))
    assert (box.catalog.integrity.damaged("main"), box.catalog.integrity.damaged("other")) == (2, 2)
    assert box.catalog.footage.gaps(STREAM, ALL) == [], "one answer proves nothing"
    box.clock.sleep(3600 * 2)
    for store in (main, other):
        box.scrubber.run(store, 0, float("inf"))
    said = [(entry.action, entry.place) for entry in box.catalog.audit.newest(9)]
    assert sorted(said) == sorted(
        (action, place) for action in ("damaged", "missing", "lost") for place in ("main", "other")
    )
    (gap,) = box.catalog.footage.gaps(STREAM, ALL)
    assert (gap.start, gap.end, gap.cause) == (two.start, two.end, "lost")
    kept = box.catalog.footage.segments(STREAM, ALL)
    assert len(kept) == 2, "what is damaged is kept for a person"


def test_a_store_that_shows_nothing_for_a_moment_loses_nothing(box: Box) -> None:
    main = box.stores["main"]
    for one in box.segments:
        box.catalog.commits.forget([Copy(one, "other")], "purged")
    bodies, main._objects = main._objects, {}
    assert box.scrubber.run(main, 0, float("inf")).lost == 0
    main._objects = bodies
    box.clock.sleep(3600 * 7)
    assert box.scrubber.run(main, 0, float("inf")).lost == 0
    assert box.catalog.integrity.damaged("main") == 0, "they are there again"


def test_no_more_than_a_few_copies_are_lost_in_a_day_without_a_person(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scrub, "LOST_A_DAY", 1)
    main = box.stores["main"]
    for one in box.segments:
        box.catalog.commits.forget([Copy(one, "other")], "purged")
        main.delete([one.key])
    box.scrubber.run(main, 0, float("inf"))
    box.clock.sleep(3600 * 7)
    for _ in range(3):
        box.scrubber.run(main, 0, float("inf"))
        box.clock.sleep(3600)
    assert len(box.catalog.footage.segments(STREAM, ALL)) == 2


def test_a_check_finds_what_is_held_and_condemned(box: Box) -> None:
    one = box.segments[0]
    assert box.catalog.deletion.condemn([Copy(one, "main")], T0, []) == 1
    planning, holds = box.catalog.planning, box.catalog.holds
    assert list(check_held(planning, holds, "main", T0)) == []
    with box.catalog.database.write() as db:  # past every door of ours
        db.exec_driver_sql(
            "INSERT INTO hold (hold_id, cameras, start_ns, end_ns, case_name, reason, owner, "
            "created_ns, released_by) VALUES ('h', '[\"cam07\"]', ?, ?, '1', 'r', 'o', 1, '')",
            (one.start, one.end),
        )
    (found,) = check_held(planning, holds, "main", T0)
    assert (found.law, found.subject) == ("L5", one.key)


def test_what_is_committed_while_a_check_looks_is_no_finding(box: Box) -> None:
    main, catalog = box.stores["main"], box.catalog
    later, never = (segment(start, stream=replace(STREAM, camera="aa")) for start in (6000, 6060))
    for one in (later, never):
        main.put(one.key, bytes(one.size_bytes), "video/mp4", {})

    def pause() -> None:
        catalog.commits.add_segment(later, "main", "", T0)

    found = list(
        check_store(catalog.planning, main, "presence", 0, never.end + 1, Tally(), pause=pause)
    )
    assert [(one.law, one.subject) for one in found] == [("L4", never.key)]


def test_only_the_copy_that_is_missing_is_dropped_by_a_check(box: Box) -> None:
    main, one = box.stores["main"], box.segments[0]
    main.delete([one.key])
    box.stores["other"].put(box.segments[1].key, b"short", "video/mp4", {})
    found = [
        finding
        for name, store in box.stores.items()
        for finding in check_store(box.catalog.planning, store, "size", 0, T0, Tally())
    ]

    def is_there(place: str, key: str) -> bool:
        return box.stores[place].head(key) is not None

    assert lose_missing(box.catalog, found, is_there, T0) == 1
    (said,) = box.catalog.audit.newest(9)
    assert (said.action, said.key, said.place) == ("lost", one.key, "main")
    copies = box.catalog.footage.copies(box.segments[:2])
    assert [copy.place for copy in copies[one.key]] == ["other"]
    assert len(copies[box.segments[1].key]) == 2, "damaged is not missing"


def test_stores_that_can_protect_what_is_held_and_no_longer(box: Box) -> None:
    main = box.stores["main"]
    range_ = TimeRange(T0 + 10 * SECOND, T0 + 20 * SECOND)
    box.catalog.holds.add(Hold("h", ("cam07",), range_, "17", "r", "ann", T0))
    held = box.catalog.holds.get("h")
    assert held is not None
    assert box.catalog.object_locks.locks_of(held) == {"main": (1, 0), "other": (1, 0)}
    protector = Protector(box.catalog.holds, box.catalog.object_locks)
    for _ in range(2):
        protector.run(main, T0)
    assert main.held == {box.segments[0].key}
    assert box.catalog.object_locks.locks_of(held)["main"] == (1, 1)
    box.catalog.holds.release("h", "ben", T0 + 1)
    copy = Copy(box.segments[0], "main")
    assert box.catalog.deletion.condemn([copy], T0 + 2, []) == 1
    assert box.catalog.deletion.take_due("main", T0 + 9, T0 + 9, 9) == [], (
        "not while the store holds it"
    )
    protector.run(main, T0 + 3)
    assert main.held == set()
    assert len(box.catalog.deletion.take_due("main", T0 + 9, T0 + 9, 9)) == 1


class CountingLocks:
    """What is locked, as the catalog says; counts what it is asked."""

    def __init__(self, catalog: SqlCatalog) -> None:
        self.locks, self.asked = catalog.object_locks, list[str]()

    def __getattr__(self, name: str) -> Any:
        self.asked.append(name)
        return getattr(self.locks, name)


def test_what_is_settled_is_not_asked_for_again_and_what_comes_late_is_locked(box: Box) -> None:
    main, locks = box.stores["main"], CountingLocks(box.catalog)
    protector = Protector(box.catalog.holds, locks)
    for i in range(20):
        range_ = TimeRange(T0, T0 + 30 * SECOND)
        box.catalog.holds.add(Hold(f"h{i}", ("cam07",), range_, "17", "r", "ann", T0))
    now = T0 + 5 * HOUR
    for _ in range(3):
        protector.run(main, now)
    assert main.held == {box.segments[0].key}
    locks.asked.clear()
    protector.run(main, now + MINUTE)
    assert locks.asked == [], "nothing came, nothing went"
    late = segment(20, 40, writer="n2.1", counter=1)
    main.put(late.key, b"late", "video/mp4", {})
    box.catalog.commits.add_segment(late, "main", "", now)
    for _ in range(2):
        protector.run(main, now + 11 * MINUTE)
    assert late.key in main.held
    box.catalog.holds.release("h3", "ben", now)
    locks.asked.clear()
    protector.run(main, now + 12 * MINUTE)
    assert locks.asked == ["to_unlock"], "a hold went: is anything free?"


def test_a_file_finds_its_place_though_its_folder_is_pruned_meanwhile(tmp_path: Path) -> None:
    """The sender prunes a folder it emptied just as the next file is to be moved there."""
    spool = Spool(tmp_path)
    key = segment(0).key
    stop = threading.Event()

    def prune() -> None:
        while not stop.is_set():
            spool._prune((tmp_path / "sealed" / key).parent, tmp_path / "sealed")

    pruning = threading.Thread(target=prune)
    pruning.start()
    try:
        for i in range(400):
            part = tmp_path / "incoming" / f"{i}.part"
            part.write_bytes(b"x")
            spool.take_in(part, key)
            spool.remove(key)
            spool.mark_end(key + "_end")
            spool.shipped(key + "_end")
    finally:
        stop.set()
        pruning.join()
