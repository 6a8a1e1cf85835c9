"""Shipping in order, and what one file that fails, or a store that is away, costs the others."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.catalog.sql import SqlCatalog
from recorder.clock import SystemClock
from recorder.errors import StoreUnavailable
from recorder.model.timebase import SECOND
from recorder.ship.queue import Queue
from recorder.ship.rests import BACKOFF_S, REST_S
from recorder.ship.sender import Sender
from recorder.ship.settings import ShipSettings
from recorder.spool.disk import Spool
from recorder.store.memory import MemoryStore
from recorder.store.on_disk import mount_of
from tests.support.clock import FakeClock
from tests.support.make import T0
from tests.support.ports import until

HALF = 0.5  # the jitter at which a time to wait is what it is called


def keys(*names: str, newest_first: bool = False) -> Queue:
    """A queue of files that began one second after another."""
    queue = Queue(newest_first)
    for i, name in enumerate(names):
        assert queue.add(name, T0 + i * SECOND)
    return queue


class Line:
    """One worker that ships from a queue while a clock goes on, to a store told what to do."""

    def __init__(self, queue: Queue) -> None:
        self.queue, self.clock = queue, FakeClock(T0)
        self.bad: dict[str, bool] = {}  # key: whether it is known to be its own fault
        self.away = False
        self.sent: list[str] = []
        self.tries: list[tuple[float, str]] = []

    def go_on(self, seconds: float) -> None:
        """Work for a while."""
        until = self.clock.monotonic() + seconds
        while (now := self.clock.monotonic()) < until:
            key = self.queue.take(now)
            if key is None:
                wait = self.queue.wait_s(now)
                self.clock.sleep(min(until - now, max(0.01, seconds if wait is None else wait)))
                continue
            self.tries.append((now, key))
            self.clock.sleep(0.1)
            if self.away or key in self.bad:
                alone = self.bad.get(key, False) and not self.away
                self.queue.failed(key, self.clock.monotonic(), HALF, alone=alone)
            else:
                self.sent.append(key)
                self.queue.passed(key)

    def tried(self, key: str) -> list[float]:
        """When a file was tried."""
        return [at for at, one in self.tries if one == key]


# -- the queue -----------------------------------------------------------------------------------


def test_the_oldest_footage_goes_first_or_the_newest_and_each_once() -> None:
    oldest, newest = keys("a", "b", "c"), keys("a", "b", "c", newest_first=True)
    assert not oldest.add("a", T0)
    assert [oldest.take(0) for _ in range(4)] == ["a", "b", "c", None]
    assert [newest.take(0) for _ in range(4)] == ["c", "b", "a", None]
    assert (len(oldest), oldest.sending) == (3, frozenset("abc"))
    assert not oldest.add("a", T0), "it is being sent"
    oldest.passed("a")
    assert (len(oldest), oldest.sending) == (2, frozenset("bc"))
    assert oldest.add("a", T0)


@pytest.mark.parametrize("known", [True, False], ids=["its own fault", "perhaps the store's"])
def test_a_file_that_fails_for_good_costs_the_others_a_second_at_most(known: bool) -> None:
    names = [f"{i:02}" for i in range(40)]
    line = Line(keys("poison", *names))
    line.bad["poison"] = known
    line.go_on(5.2 if known else 6.2)
    assert line.sent == names
    line.queue.add("late", T0 + 100 * SECOND)
    line.go_on(0.3)
    assert line.sent[-1] == "late", "nor does it hold up what comes later"
    assert not line.queue.sending
    assert line.queue.stuck


def test_many_files_that_fail_for_good_hold_up_no_other() -> None:
    bad = [f"bad{i}" for i in range(10)]
    line = Line(keys(*bad, *(f"{i:02}" for i in range(40))))
    line.bad = dict.fromkeys(bad, True)
    line.go_on(6)
    assert len(line.sent) == 40


def test_a_file_that_fails_is_tried_less_and_less_often() -> None:
    line = Line(keys("poison", "a"))
    line.bad["poison"] = True
    line.go_on(4 * 3600)
    tried = line.tried("poison")
    apart = [round(b - a - 0.1, 1) for a, b in itertools.pairwise(tried)]
    assert apart[: len(REST_S)] == list(REST_S)
    assert set(apart[len(REST_S) :]) == {REST_S[-1]}


def test_a_file_that_fails_again_though_others_passed_rests_for_itself_from_then_on() -> None:
    line = Line(keys("poison", "a"))
    line.bad["poison"] = False
    line.go_on(1.05)
    assert (line.sent, len(line.tried("poison"))) == ([], 1)
    line.go_on(0.2)
    assert line.sent == ["a"], "another is tried before the one that failed"
    line.go_on(1800)
    for i in range(3):
        line.queue.add(f"more{i}", T0 + (100 + i) * SECOND)
    line.go_on(0.5)
    assert line.sent[1:] == ["more0", "more1", "more2"], "none waits for it"


def test_a_file_that_failed_by_itself_does_not_rest_long_for_a_store_that_was_away() -> None:
    line = Line(keys("once", "a"))
    line.bad["once"] = False
    line.go_on(2)
    assert line.queue.stuck
    line.bad.clear()
    line.away = True
    for i in range(3):
        line.queue.add(f"more{i}", T0 + (100 + i) * SECOND)
    line.go_on(7200)
    assert "once" not in line.sent
    line.away = False
    line.go_on(120)
    assert "once" in line.sent


def test_a_store_that_is_away_is_asked_for_all_and_less_and_less_often() -> None:
    names = [f"{i:02}" for i in range(100)]
    line = Line(keys(*names))
    line.away = True
    line.go_on(1000)
    at = [when for when, _ in line.tries]
    apart = [round(b - a - 0.1, 1) for a, b in itertools.pairwise(at)]
    assert apart[: len(BACKOFF_S)] == list(BACKOFF_S)
    assert set(apart[len(BACKOFF_S) :]) == {BACKOFF_S[-1]}
    assert line.queue.stuck
    line.away = False
    line.go_on(60 + 0.1 * 100 + 1)
    assert sorted(line.sent) == names, "no file that was tried meanwhile rests on its own"
    assert line.sent[1:] == [one for one in names if one != line.sent[0]], "the oldest first"
    assert not line.queue.stuck


def test_one_file_that_passes_shows_that_the_store_is_there() -> None:
    queue = keys("a", "b", "c")
    assert (queue.take(0), queue.take(0)) == ("a", "b")
    queue.failed("a", 0, HALF, alone=False)
    assert queue.take(0.1) is None
    queue.passed("b")
    assert (queue.take(0.1), queue.take(0.1)) == ("a", "c")


def test_a_file_that_is_gone_says_nothing_of_the_store() -> None:
    queue = keys("a", "b", "c")
    assert queue.take(0) == "a"
    queue.failed("a", 0, HALF, alone=False)
    assert queue.take(0.9) is None
    assert queue.wait_s(0.9) == pytest.approx(0.1)
    assert queue.take(1) == "b"
    queue.forget("b")
    assert queue.stuck
    assert queue.take(1) == "c"
    queue.failed("c", 1, HALF, alone=False)
    assert queue.take(2.9) is None, "two seconds: the store did not answer in between"
    assert queue.take(3) == "a"
    queue.failed("a", 3, HALF, alone=False)
    assert queue.take(6.9) is None
    assert queue.wait_s(6.9) == pytest.approx(0.1)


def test_what_is_news_is_said_once() -> None:
    queue = keys("a", "b", "c")
    for _ in "abc":
        assert queue.take(0)
    assert queue.failed("a", 0, HALF, alone=False)
    assert not queue.failed("b", 0, HALF, alone=False)
    assert queue.failed("c", 0, HALF, alone=True)
    assert queue.take(2.1) == "c"
    queue.passed("c")
    assert queue.take(2.1) == "a"
    assert queue.failed("a", 2.1, HALF, alone=False), "now it is its own"
    assert queue.take(9) == "a"
    assert not queue.failed("a", 9, HALF, alone=False)


@given(st.lists(st.sampled_from(["add", "take", "pass", "fail", "alone", "gone", "wait"])))
def test_no_file_is_forgotten_or_sent_twice_at_once(steps: list[str]) -> None:
    queue, waiting, sending, made, now = Queue(), set[str](), list[str](), 0, 0.0
    for step in steps:
        if step == "add":
            made += 1
            queue.add(str(made), made)
            waiting.add(str(made))
        elif step == "take" and (key := queue.take(now)) is not None:
            waiting.remove(key)
            sending.append(key)
        elif step == "wait":
            now += 7
        elif step in ("pass", "gone") and sending:
            (queue.passed if step == "pass" else queue.forget)(sending.pop(0))
        elif step in ("fail", "alone") and sending:
            key = sending.pop(0)
            queue.failed(key, now, HALF, alone=step == "alone")
            waiting.add(key)
        assert len(queue) == len(waiting) + len(sending)
        assert queue.sending == set(sending)
    while waiting:
        now += 1e6
        key = queue.take(now)
        assert key is not None
        waiting.remove(key)
    assert queue.wait_s(now) is None


# -- the sender ----------------------------------------------------------------------------------


class MoodyStore(MemoryStore):
    """A store that takes some keys never, or is away."""

    refused = ""
    away = False
    tries = 0

    def put(self, key: str, body: bytes, content_type: str, metadata: Mapping[str, str]) -> str:
        self.tries += 1
        if self.away or key == self.refused:
            raise StoreUnavailable(f"put {key}: EntityTooLarge")
        return super().put(key, body, content_type, metadata)


@pytest.fixture
def line(tmp_path: Path) -> Iterator[tuple[Sender, MoodyStore, list[str]]]:
    """A sender with one worker; ten ends of spans wait in its spool."""
    spool, catalog, store = Spool(tmp_path), SqlCatalog("sqlite://"), MoodyStore("main")
    names = [f"s/cam/main/2026-01-05/n1.1/14/00-{i:02}.000000Z.1.mp4_end" for i in range(10)]
    for name in names:
        path = spool.root / "sealed" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    settings = ShipSettings("n1", workers=1)
    sender = Sender(spool, store, catalog.commits, SystemClock(), settings, lambda: None)
    yield sender, store, names
    sender.stop(5)
    catalog.close()


def test_one_file_that_the_store_never_takes_holds_up_no_other(
    line: tuple[Sender, MoodyStore, list[str]],
) -> None:
    sender, store, names = line
    store.refused = names[0]
    sender.refresh()
    sender.start()
    until(lambda: sender.waiting == 1, 20, "all but one are shipped")
    assert [info.key for info in store.list()] == names[1:]
    assert "EntityTooLarge" in sender.last_error, "and that one is named while it waits"
    store.refused = ""
    assert sender.drain(0) is False
    until(lambda: sender.waiting == 0, 20, "it goes when the store takes it")
    assert sender.last_error == ""


def test_a_file_that_is_gone_is_not_taken_for_one_that_was_shipped(
    line: tuple[Sender, MoodyStore, list[str]],
) -> None:
    sender, _, names = line
    assert [sender.ship(names[0]), sender.ship(names[0])] == [True, False]


def test_a_store_that_is_away_is_not_asked_for_each_file(
    line: tuple[Sender, MoodyStore, list[str]],
) -> None:
    sender, store, names = line
    store.away = True
    sender.refresh()
    sender.start()
    assert not sender.drain(20)
    assert store.tries == 1
    assert sender.waiting == len(names)
    assert names[0] in sender.last_error


def test_a_sender_without_work_is_woken_by_what_comes(
    line: tuple[Sender, MoodyStore, list[str]],
) -> None:
    sender, store, names = line
    sender.start()
    for count, name in enumerate(names, 1):
        sender.offer(name)
        until(lambda: sender.waiting == 0, 20, "it is shipped")
        assert len(list(store.list())) == count


def test_a_store_s_identity_is_proven_anew_when_what_it_lies_on_changes(tmp_path: Path) -> None:
    proven, mount, clock = list[float](), ["8:1"], FakeClock(T0)
    catalog = SqlCatalog("sqlite://")
    sender = Sender(
        Spool(tmp_path), MemoryStore("main"), catalog.commits, clock, ShipSettings("n1"),
        lambda: proven.append(clock.monotonic()), mount=lambda: mount[0] or None,
    )  # fmt: skip

    def ask(seconds: float, lies_on: str) -> int:
        clock.sleep(seconds)
        mount[0] = lies_on
        sender._check_store()
        return len(proven)

    assert [ask(1, "8:1") for _ in range(5)] == [1] * 5, "not with every file"
    assert [ask(1, one) for one in ("8:2", "8:2", "8:1", "", "", "8:1")] == [2, 2, 3, 4, 5, 6]
    assert [ask(20, "8:1") for _ in range(4)] == [6, 7, 7, 8], "and every half minute"
    catalog.close()


def test_another_directory_in_its_place_is_another_mount(tmp_path: Path) -> None:
    root = tmp_path / "store"
    assert mount_of(root) is None
    root.mkdir()
    first = mount_of(root)
    (root / "a").touch()
    assert first is not None
    assert mount_of(root) == first
    root.rename(tmp_path / "away")
    root.mkdir()
    assert mount_of(root) != first


class StuckStore(MemoryStore):
    """A store that takes what it is given, and says nothing."""

    def __init__(self) -> None:
        super().__init__("main")
        self.asked, self.over = threading.Semaphore(0), threading.Event()

    def put(self, key: str, body: bytes, content_type: str, metadata: Mapping[str, str]) -> str:
        self.asked.release()
        self.over.wait(60)
        raise StoreUnavailable(f"put {key}: nobody answers")


def test_the_end_waits_for_all_that_is_being_sent_no_longer_than_for_one(
    line: tuple[Sender, MoodyStore, list[str]],
) -> None:
    sender, _, _ = line
    stuck = StuckStore()
    sender.store, sender.settings = stuck, replace(sender.settings, workers=8)
    sender.refresh()
    sender.start()
    for _ in range(8):
        assert stuck.asked.acquire(timeout=20)
    begin = time.monotonic()
    sender.stop(1.0)
    assert time.monotonic() - begin < 4, "eight of them would be waited for for 8 s"
    stuck.over.set()
