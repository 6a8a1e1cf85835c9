"""Copies that are missing: all are asked for again, and their time is kept for some at most."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from recorder.janitor import missed, scrub
from recorder.janitor.missed import Missed
from recorder.model.media import Copy
from recorder.spool import lost
from recorder.store.memory import MemoryStore
from tests.support.clock import FakeClock
from tests.support.make import STREAM, T0
from tests.unit.test_keeping import ALL, Box


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    one = Box(tmp_path)
    yield one
    one.view.close()
    one.catalog.close()


def test_damaged_copies_that_nobody_mends_keep_no_missing_one_from_being_asked_for(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scrub, "PAGE", 1)
    monkeypatch.setattr(scrub, "LOOKS", 1)
    main = box.stores["main"]
    *damaged, gone = box.segments
    box.clock.at += 1
    for one in box.segments:
        box.catalog.commits.forget([Copy(one, "other")], "purged")
    for one in damaged:
        main.put(one.key, b"x" * 5000, "video/mp4", {})
    main.delete([gone.key])
    for _ in range(60):
        box.scrubber.run(main, 10**18, float("inf"))
        box.clock.sleep(600)
    (gap,) = box.catalog.footage.gaps(STREAM, ALL)
    assert (gap.start, gap.cause) == (gone.start, "lost")
    assert box.catalog.progress.of(lost.NAME), "who has it in a spool looks at once"


def test_suspects_are_paged_through_each_once(box: Box) -> None:
    copies = [Copy(one, "main") for one in box.segments]
    box.catalog.integrity.mark_damaged(copies, T0)
    seen: list[str] = []
    page = box.catalog.integrity.suspects("main", T0, 2)
    while page:
        seen += [one.segment.key for one in page]
        page = box.catalog.integrity.suspects("main", T0, 2, page[-1])
    assert seen == [one.key for one in box.segments]


def test_of_a_store_that_shows_nothing_the_time_of_some_is_kept_and_stale_ones_make_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(missed, "MOST", 2)
    clock = FakeClock(T0)
    one = Missed(clock)
    for key in "abc":
        assert one.for_s("main", key) == 0
    clock.sleep(60)
    assert [one.for_s("main", key) for key in "abc"] == [60, 60, 0]
    one.went_round("main")
    clock.sleep(60)
    assert [one.for_s("main", key) for key in "bc"] == [120, 0]
    one.went_round("main")
    assert one.for_s("main", "c") == 0
    clock.sleep(60)
    assert [one.for_s("main", key) for key in "bc"] == [180, 60], "nobody asks for a any more"
    one.over("main", "b")
    assert one.for_s("main", "b") == 0


def test_each_stores_copies_are_missed_by_themselves() -> None:
    clock = FakeClock(T0)
    one = Missed(clock)
    one.for_s("main", "a")
    clock.sleep(5)
    assert (one.for_s("main", "a"), one.for_s(MemoryStore("other").name, "a")) == (5, 0)
