"""What a look at the disk has seen to come is counted once, whenever it is judged."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from recorder.capture import looks
from recorder.capture.growth import Growth
from recorder.capture.settings import CaptureSettings
from recorder.capture.state import StreamState
from recorder.capture.watch import Watch, next_bytes
from recorder.model.cameras import StreamSource
from recorder.spool.disk import Spool
from tests.support.clock import FakeClock
from tests.support.make import STREAM, T0
from tests.support.shelf import RUN


class Watched:
    """A stream whose file grows, looked at and judged by hand."""

    def __init__(self, folder: Path) -> None:
        spool = Spool(folder)
        self.file = spool.open_run(RUN) / "000000.mp4"
        self.clock, self.state = FakeClock(T0), StreamState()
        self.growth = Growth(self.file.parent, spool, self.clock.monotonic(), sound=False)
        self.settings = CaptureSettings("ffmpeg", "n1", RUN.term)

    def make(self) -> Watch:
        return Watch(
            STREAM, StreamSource("rtsp://10.0.0.1/x"), self.settings, self.clock, self.growth,
            self.state, asyncio.Event(), lambda *_: None, sounds=False,
        )  # fmt: skip

    def grow(self, count: int) -> None:
        with self.file.open("ab") as file:
            file.write(bytes(count))


def test_bytes_are_counted_once_whether_looks_or_judgements_come_first(tmp_path: Path) -> None:
    one = Watched(tmp_path)

    async def run() -> None:
        watch = one.make()
        listener: Any = SimpleNamespace(described=asyncio.Event())
        watching = asyncio.create_task(watch.run(listener))
        await asyncio.sleep(0)
        for looked, judged in ((1, 1), (2, 1), (1, 2), (0, 1)):
            for _ in range(looked):
                one.grow(10_000)
                watch.look()
            for _ in range(judged):
                watch.judge()
            assert one.state.bytes_in == one.growth.total == one.file.stat().st_size
        assert one.state.recording
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

    asyncio.run(run())


def test_a_file_that_is_gone_has_not_grown(tmp_path: Path) -> None:
    one = Watched(tmp_path)
    one.grow(10_000)
    assert one.growth.look(1.0) == 10_000
    one.file.unlink()  # sealed, and the next is not there yet
    assert (one.growth.look(2.0), one.growth.last_s) == (0, 1.0)
    one.grow(4_000)
    assert one.growth.name == one.file.name


def test_who_waits_for_more_is_not_answered_by_what_came_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looks, "LOOK_S", 0.01)
    one = Watched(tmp_path)
    one.grow(10_000)
    one.growth.look(one.clock.monotonic())
    ended: list[str] = []

    async def lives() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("let go of")

    async def run() -> None:
        waits = asyncio.create_task(
            next_bytes(one.growth, one.clock, one.settings.looks, lives(), 60)
        )
        done, _ = await asyncio.wait({waits}, timeout=0.2)
        assert not done, "nothing has come since"
        one.grow(10_000)
        await asyncio.wait_for(waits, 30)
        waits = asyncio.create_task(
            next_bytes(one.growth, one.clock, one.settings.looks, lives(), 60)
        )
        await asyncio.sleep(0.01)
        waits.cancel()
        await asyncio.gather(waits, return_exceptions=True)
        await asyncio.sleep(0)
        assert ended == ["let go of"] * 2

    asyncio.run(run())


def test_when_a_source_has_answered_is_known_to_the_moment_not_to_the_next_look(
    tmp_path: Path,
) -> None:
    """By how long its first picture was waited for since the next try is given more."""
    one = Watched(tmp_path)

    async def run() -> None:
        watch, described = one.make(), asyncio.Event()
        listener: Any = SimpleNamespace(described=described)
        watching = asyncio.create_task(watch.run(listener))
        await asyncio.sleep(0)
        for waited_s in (2.0, 0.9):
            assert watch.answered_s == 0.0
            one.clock.sleep(waited_s)
        described.set()
        await asyncio.sleep(0)
        one.clock.sleep(0.9)
        watch.judge()
        assert watch.answered_s == 2.9
        silent: Any = SimpleNamespace(described=asyncio.Event())
        for task in (watching, asyncio.create_task(one.make().run(silent))):
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1, "nobody waits for the answer of a run that is over"

    asyncio.run(run())


@pytest.mark.parametrize(
    ("mb", "after_s", "another", "ends"),
    [(101, 601, False, True), (99, 601, False, False), (101, 599, False, False),
     (101, 601, True, False)],
)  # fmt: skip
def test_a_session_without_another_clean_point_ends_before_its_file_grows_for_ever(
    mb: int, after_s: int, another: bool, ends: bool, tmp_path: Path
) -> None:
    one = Watched(tmp_path)

    async def run() -> str:
        watch = one.make()
        watching = asyncio.create_task(watch.run(SimpleNamespace(described=asyncio.Event())))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        one.grow(10_000)
        watch.look()
        watch.judge()
        for last in (False, True):
            one.clock.sleep(after_s / 2)
            with one.file.open("ab") as file:
                file.truncate(mb * 500_000 * (1 + last))
            if another and last:
                one.file.with_name("000001.mp4").write_bytes(bytes(10_000))
            watch.look()
            watch.judge()
        await asyncio.sleep(0)
        watching.cancel()
        return str((await asyncio.gather(watching, return_exceptions=True))[0])

    assert (asyncio.run(run()) == "no-clean-point") == ends
