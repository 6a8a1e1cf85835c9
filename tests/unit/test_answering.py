"""A store that hangs keeps nobody waiting who does not ask for what lies there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from recorder.catalog.sql import SqlCatalog
from recorder.errors import CopyMissing, StoreUnavailable
from recorder.model.media import Segment
from recorder.ports import ObjectStore
from recorder.reading.answering import SILENT_S, Answering
from recorder.reading.found import Found
from recorder.reading.view import View
from recorder.spool.disk import Spool
from recorder.store.memory import MemoryStore
from tests.support.clock import FakeClock
from tests.support.make import STREAM, T0, segment


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def blocks(clock: Clock, takes_s: float, error: Exception | None = None) -> Iterator[bytes]:
    for _ in range(2):
        clock.now += takes_s
        if error is not None:
            raise error
        yield b"x"


def test_a_silent_store_has_one_question_at_a_time_until_it_answers() -> None:
    clock = Clock()
    places, away = Answering(clock), StoreUnavailable("no answer")
    other = places.read("far", lambda: iter([b"a", b"b"]))
    assert next(other) == b"a"

    def hanging() -> Iterator[bytes]:
        clock.now += SILENT_S
        assert next(other) == b"b", "what was begun is gone on with"
        with pytest.raises(StoreUnavailable, match="far is silent"):
            next(places.read("far", lambda: iter([b"x"])))
        assert next(places.read("near", lambda: iter([b"x"]))) == b"x"
        raise away
        yield b""

    for _ in range(2):  # the first waits, the others do not; then it is asked once more
        with pytest.raises(StoreUnavailable, match="no answer"):
            list(places.read("far", hanging))
        other = places.read("far", lambda: iter([b"a", b"b"]))
        with pytest.raises(StoreUnavailable, match="no answer"):
            list(places.read("far", lambda: blocks(clock, SILENT_S, away)))
        assert next(other) == b"a", "it answers again"
    assert list(places.read("far", lambda: blocks(clock, 0.1))) == [b"x", b"x"]


def test_a_store_that_refuses_at_once_or_lacks_something_is_not_silent() -> None:
    clock = Clock()
    places = Answering(clock)
    for error in (StoreUnavailable("refused"), CopyMissing("not there")):
        one = places.read("far", partial(blocks, clock, 0.1, error))
        with pytest.raises(type(error)):
            next(one)
        assert next(places.read("far", lambda: iter([b"x"]))) == b"x"
    assert list(places.read("far", lambda: iter([]))) == []


def test_a_slow_store_serves_those_who_ask_together() -> None:
    clock = Clock()
    places = Answering(clock)
    many = [places.read("far", lambda: iter([b"x", b"y"])) for _ in range(20)]
    assert [next(one) for one in many] == [b"x"] * 20
    clock.now += 10 * SILENT_S  # nobody waits for it meanwhile
    assert [next(one) for one in many] == [b"y"] * 20


class Hanging(MemoryStore):
    """A store that answers nobody until it is let go."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.begun, self.let_go = threading.Semaphore(0), threading.Event()

    def read(self, key: str, offset: int, length: int) -> Iterator[bytes]:
        self.begun.release()
        assert self.let_go.wait(20)
        raise StoreUnavailable("it hung")


def test_footage_of_another_store_is_read_while_all_who_ask_a_store_wait(tmp_path: Path) -> None:
    catalog, far = SqlCatalog(f"sqlite:///{tmp_path}/catalog.db"), Hanging("far")
    stores: dict[str, ObjectStore] = {"main": MemoryStore("main"), "far": far}
    parts = (catalog.footage, catalog.statuses, Spool(tmp_path), stores)
    view, clock = View(*parts, FakeClock(T0), STREAM.site), Clock()
    view.copies._answering = Answering(clock)
    there = [segment(60 * i) for i in range(40)]
    here = segment(60 * 40)
    for one in (*there, here):
        catalog.commits.add_segment(one, "main" if one is here else "far", "", T0)

    def ask(*wanted: Segment) -> None:
        with pytest.raises((StoreUnavailable, CopyMissing)):
            list(view.tables(Found(list(wanted)), wanted))

    waiting = [threading.Thread(target=ask, args=(one,)) for one in there]
    for each in waiting:
        each.start()
    for _ in range(16):
        assert far.begun.acquire(timeout=60), "they ask"
    other = threading.Thread(target=ask, args=(here,))  # it is not there: that is said at once
    other.start()
    other.join(30)
    assert not other.is_alive(), "it waits for a store that has nothing of it"
    clock.now += SILENT_S
    with pytest.raises(StoreUnavailable, match="far is silent"):
        b"".join(view.read(there[0], 0, 1))
    far.let_go.set()
    for each in waiting:
        each.join(60)
    view.close()
    catalog.close()
