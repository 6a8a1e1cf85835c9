"""A copy goes because there is another: that one is looked for, just before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from recorder.errors import StoreUnavailable
from recorder.janitor.again import FIRST_S, LONGEST_S
from recorder.janitor.purge import Purge
from recorder.janitor.scrub import Pass, Scrubber
from recorder.model.timebase import DAY, HOUR
from recorder.spool.disk import Spool
from recorder.store.identity import IDENTITY_KEY
from tests.support.make import T0
from tests.unit.test_moving import Box, Lying


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def due(box: Box) -> list[str]:
    """Let five segments be moved, and the grace of their first copies pass; return their keys."""
    assert (box.sweep().moved, box.sweep().condemned) == (5, 5)
    box.clock.sleep(3601)
    return [one.key for one in box.segments[:5]]


def lying_in(store: Any) -> set[str]:
    return {one.key for one in store.list()}


def test_what_was_taken_out_behind_our_back_within_the_grace_keeps_its_first_copy(
    box: Box,
) -> None:
    keys = due(box)
    box.archive.delete(keys[1:3])
    box.archive.put(keys[3], b"short", "video/mp4", {})
    assert box.sweep().purged == 2
    assert set(keys[1:4]) <= lying_in(box.main)
    assert [one.action for one in box.catalog.audit.newest(99)].count("missing") == 3
    mended = box.sweep()
    assert (mended.spared, mended.moved) == (3, 3)
    assert set(keys) <= lying_in(box.archive)


def test_an_archive_that_fails_at_that_moment_keeps_what_leans_on_it(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = due(box)

    asked = []

    def away(key: str) -> None:
        if key != IDENTITY_KEY:
            asked.append(key)
        raise StoreUnavailable("away")

    monkeypatch.setattr(box.archive, "head", away)
    assert (box.sweep().purged, len(asked)) == (0, 1), "each question may take half a minute"
    monkeypatch.undo()
    assert set(keys) <= lying_in(box.main)
    assert (box.catalog.integrity.damaged("archive"), box.sweep().purged) == (0, 5)


def test_a_deletion_that_a_death_broke_off_ends_and_takes_nothing_that_is_nowhere_else(
    box: Box,
) -> None:
    keys = due(box)
    now = box.clock.now()
    begun = box.catalog.deletion.take_due("main", now - HOUR, now, 99)
    assert len(begun) == 5
    box.main.delete(keys[:1])
    box.archive.delete(keys[:2])
    purge = Purge(box.catalog, {"main": box.main, "archive": box.archive}, [])
    assert purge.run(box.main, HOUR, now) == 4, "of the first there is nothing to keep"
    assert keys[1] in lying_in(box.main)


class Counting:
    """A store that counts what is read of it."""

    def __init__(self, store: Any) -> None:
        self.store, self.name, self.reads = store, store.name, 0

    def read(self, *arguments: Any) -> Iterator[bytes]:
        self.reads += 1
        return iter(self.store.read(*arguments))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


def swept(box: Box, stores: Mapping[str, Any], times: int) -> int:
    """Sweep each minute; return how often the first store was read."""
    main: Any = box.main
    before = main.reads
    for _ in range(times):
        box.sweep(stores=stores)
        box.clock.sleep(60)
    return int(main.reads - before)


def test_a_segment_that_is_damaged_in_the_first_store_is_read_once_and_suspected(
    box: Box,
) -> None:
    box.main.put(box.segments[0].key, b"x" * 1200, "video/mp4", {})
    main: Any = Counting(box.main)
    box.main = main
    stores = {"main": main, "archive": box.archive}
    assert swept(box, stores, 1) == 4 + 2, "the damaged one twice: to move it, and to be sure"
    assert box.catalog.integrity.damaged("main") == 1
    assert swept(box, stores, 70) == 1, "one more is old enough"
    whole = b"%6d" % 0 * 200
    box.main.put(box.segments[0].key, whole, "video/mp4", {})
    copies = box.catalog.planning.copies_at("main", None, 1)
    box.catalog.integrity.mark_verified(copies, box.clock.now())
    box.clock.sleep(FIRST_S)
    box.sweep(stores=stores)
    assert box.segments[0].key in lying_in(box.archive)


def test_what_an_archive_alters_is_put_there_again_only_after_a_while(box: Box) -> None:
    main: Any = Counting(box.main)
    box.main = main
    lying = Lying("archive")
    assert swept(box, {"main": main, "archive": lying}, 1) == 10
    assert swept(box, {"main": main, "archive": lying}, 50) == 0
    assert box.catalog.integrity.damaged("main") == 0
    box.clock.sleep(FIRST_S)
    assert swept(box, {"main": main, "archive": lying}, 1) >= 10


def test_a_damaged_copy_that_nobody_can_repair_is_read_less_and_less_often(box: Box) -> None:
    box.main.put(box.segments[0].key, b"x" * 1200, "video/mp4", {})
    main: Any = Counting(box.main)
    worker = box.mover
    spool = Spool(box.folder / "spool")
    scrubber = Scrubber(box.catalog, worker.view, box.clock, box.folder, worker.throttle, spool)
    box.catalog.integrity.mark_damaged(
        box.catalog.planning.copies_at("main", None, 1), box.clock.now()
    )
    box.catalog.progress.put("scrub:main", asdict(Pass(T0, T0 + 10 * HOUR)), box.clock.now())
    reads = []
    for _ in range(8):
        box.clock.sleep(3600)
        for _ in range(5):
            scrubber.run(main, 90 * DAY, 0)
            box.clock.sleep(660)
        reads.append(main.reads)
    assert reads[-1] <= 4
    box.main.put(box.segments[0].key, b"%6d" % 0 * 200, "video/mp4", {})
    box.clock.sleep(LONGEST_S)
    scrubber.run(main, 90 * DAY, 0)
    assert box.catalog.integrity.damaged("main") == 0, "it is whole again"
