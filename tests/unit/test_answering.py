"""A store that hangs keeps nobody waiting who does not ask for what lies there."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

import httpx
import pytest

from recorder.api.gate import Gate
from recorder.api.server import make_api
from recorder.app import App
from recorder.catalog.sql import SqlCatalog
from recorder.config import load_settings
from recorder.errors import CopyMissing, StoreUnavailable
from recorder.model.media import Segment
from recorder.ports import ObjectStore
from recorder.reading.answering import MOST_OPEN, SILENT_S, SLOW_S, Answering
from recorder.reading.extent import read_blocks
from recorder.reading.found import Found
from recorder.reading.view import View
from recorder.spool.disk import Spool
from recorder.store.files import FileStore
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


def test_many_who_ask_a_store_at_once_leave_threads_to_those_who_ask_elsewhere() -> None:
    clock = Clock()
    places = Answering(clock)

    def deep(left: int) -> Iterator[bytes]:
        if left:
            yield from places.read("far", lambda: deep(left - 1))
            return
        with pytest.raises(StoreUnavailable, match="far is silent"):
            next(places.read("far", lambda: iter([b"one more"])))
        yield next(places.read("near", lambda: iter([b"x"])))

    def late(left: int) -> Iterator[bytes]:
        clock.now += SLOW_S
        return deep(left)

    assert next(places.read("far", lambda: late(MOST_OPEN - 1))) == b"x"
    assert next(places.read("far", lambda: iter([b"y"]))) == b"y", "it has answered"

    def quick(left: int) -> Iterator[bytes]:
        yield next(places.read("far", lambda: quick(left - 1) if left else iter([b"z"])))

    assert next(quick(2 * MOST_OPEN)) == b"z", "who answers has as many as come"


class Mounted(FileStore):
    """A directory whose mount hangs when a file is opened."""

    def __init__(self, root: Path, clock: Clock) -> None:
        super().__init__("far", root)
        self.clock, self.opened = clock, 0

    def open(self, key: str) -> BinaryIO:
        self.opened += 1
        self.clock.now += SILENT_S
        raise StoreUnavailable("stale")


def test_a_mount_that_hangs_is_silent_like_any_store(tmp_path: Path) -> None:
    catalog, clock, one = SqlCatalog(f"sqlite:///{tmp_path}/catalog.db"), Clock(), segment(0)
    catalog.commits.add_segment(one, "far", "", T0)
    store = Mounted(tmp_path / "far", clock)
    parts = (catalog.footage, catalog.statuses, Spool(tmp_path), {"far": store})
    view = View(*parts, FakeClock(T0), STREAM.site)
    view.copies._answering = places = Answering(clock)
    with pytest.raises(StoreUnavailable, match="stale"):
        b"".join(read_blocks(view.copies.read(one, 0, 1)))

    def asks() -> Iterator[bytes]:
        with pytest.raises(StoreUnavailable, match="far is silent"):
            b"".join(read_blocks(view.copies.read(one, 0, 1)))
        yield b""

    list(places.read("far", asks))
    assert store.opened == 1
    view.close()
    catalog.close()


def test_clips_that_wait_for_a_store_keep_no_other_answer_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, let_go = App(load_settings(None, data=tmp_path)), threading.Event()

    def hang(*_: object, **__: object) -> object:
        assert let_go.wait(60)
        raise StoreUnavailable("it hung")

    monkeypatch.setattr(Gate, "named", hang)
    asked = {"start": "2026-01-05T14:00:00Z", "end": "2026-01-05T14:01:00Z"}

    async def run() -> tuple[int, set[int]]:
        transport = httpx.ASGITransport(make_api(app, None))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            ways = ("clip.mp4", "clip.json", "strip", "playback.m3u8")
            clips = [
                asyncio.create_task(client.get(f"/api/v1/cameras/c/{ways[i % 4]}", params=asked))
                for i in range(60)
            ]
            await asyncio.sleep(0.1)
            other = asyncio.create_task(client.get("/metrics"))
            done, _ = await asyncio.wait({other}, timeout=30)
            let_go.set()
            assert done, "it waits for clips"
            return other.result().status_code, {one.status_code for one in [await c for c in clips]}

    metrics, clips = asyncio.run(run())
    assert (metrics, clips) == (200, {503})
    app.close()
