"""Programs that hang, hide behind a wrapper, or do not hear: all of them end, and soon."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from recorder import process as processes
from recorder.capture import loop as loops
from recorder.capture.command import Tracks
from recorder.capture.loop import CaptureLoop
from recorder.capture.sealer import Sealer
from recorder.capture.settings import CaptureSettings
from recorder.capture.supervisor import Supervisor
from recorder.errors import MalformedMedia
from recorder.model.cameras import StreamSource
from recorder.model.media import Segment
from recorder.playback import frame
from recorder.spool.disk import Spool
from tests.support.clock import FakeClock
from tests.support.make import T0
from tests.support.ports import until
from tests.support.shelf import RUN, capture, make_film

DEAF = "trap '' TERM; echo; sleep 600"
"""A wrapper that does not hear SIGTERM, and what it starts does not, either."""
GONE = "sleep 600 > /dev/null 2>&1 < /dev/null & echo"
"""A wrapper that has ended; what it started has none of its pipes."""
HEARS = "echo; sleep 600"
PATIENCE_S = 0.4


def alive(group: int) -> bool:
    """Tell whether anything of a group runs."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def groups() -> Iterator[list[int]]:
    begun: list[int] = []
    yield begun
    for one in begun:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(one, signal.SIGKILL)


@pytest.mark.parametrize("script", [HEARS, DEAF, GONE])
def test_what_a_wrapper_started_ends_with_it(script: str, groups: list[int]) -> None:
    async def end() -> bool:
        child = await processes.start(["sh", "-c", f"{script}\n:"])
        groups.append(child.pid)
        assert child.stdout is not None
        assert await child.stdout.readline() == b"\n", "it has begun"
        if script == GONE:
            await child.wait()
        return await asyncio.wait_for(processes.stop(child, PATIENCE_S), 30)

    assert asyncio.run(end())
    assert not alive(groups[0])


def test_one_that_stands_still_is_killed(groups: list[int]) -> None:
    async def end() -> bool:
        child = await processes.start(["sleep", "600"])
        groups.append(child.pid)
        os.kill(child.pid, signal.SIGSTOP)
        return await asyncio.wait_for(processes.stop(child, PATIENCE_S), 30)

    assert asyncio.run(end())


def test_process_1_of_a_container_does_not_wait_for_the_dead() -> None:
    program = (
        "import asyncio, ctypes; from recorder import process\n"
        "ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: as process 1\n"
        "async def end():\n"
        f"    child = await process.start(['sh', '-c', {GONE!r}])\n"
        "    await child.wait()\n"
        "    return await process.stop(child, 20)\n"
        "raise SystemExit(0 if asyncio.run(end()) else 1)\n"
    )
    begin = time.monotonic()
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
    assert time.monotonic() - begin < 14, "its first SIGTERM is enough"


def test_a_program_that_takes_too_long_is_killed_with_what_it_started(tmp_path: Path) -> None:
    said = tmp_path / "pid"
    with pytest.raises(TimeoutError, match="sh took longer than 1 s"):
        processes.run(["sh", "-c", f"echo $$ > {said}; {DEAF}\n:"], 1, b"x" * 1_000_000)
    until(lambda: not alive(int(said.read_text())), 10, "all of it has ended")


def test_a_picture_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\nsleep 600\n:\n")
    program.chmod(0o755)
    monkeypatch.setattr(frame, "DECODED_S", 0.5)
    with pytest.raises(MalformedMedia, match=r"longer than 0\.5 s"):
        frame._decode(str(program), b"x" * 1_000_000, 0, 90000, 0)


def test_what_a_dead_recorders_wrapper_started_is_found_by_its_group(groups: list[int]) -> None:
    marker = "spool/of/a/dead/recorder"
    grandchild = (
        f"{sys.executable} -c 'import time; print(1, flush=True); time.sleep(600)' {marker}"
    )
    with subprocess.Popen(
        ["sh", "-c", f"{grandchild} &\nwait"], stdout=subprocess.PIPE, start_new_session=True
    ) as child:
        groups.append(child.pid)
        assert child.stdout is not None
        assert child.stdout.readline() == b"1\n"
        child.kill()
        child.wait()
        assert alive(child.pid)
        assert asyncio.run(processes.end_orphans(child.pid, marker, 5.0))
        until(lambda: not alive(child.pid), 10, "it has ended")


# -- and the stream that was recorded ------------------------------------------------------


class Node:
    """A stream whose run is about to end."""

    def __init__(self, folder: Path) -> None:
        self.spool, self.sealed = Spool(folder / "spool"), list[Segment]()
        self.folder = self.spool.open_run(RUN)
        capture(make_film(folder), self.folder, Tracks())
        self.pool = ThreadPoolExecutor(1)
        self.settings = CaptureSettings("ffmpeg", "n1", RUN.term, stop_s=0.4)
        self.sealer = Sealer(self.spool, self.sealed.append)

    def supervisor(self) -> Supervisor:
        return Supervisor(
            RUN.stream, StreamSource("rtsp://10.0.0.1/x"), self.settings, self.spool, self.sealer,
            FakeClock(T0), self.pool, "node", lambda: RUN.number,
        )  # fmt: skip


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = Node(tmp_path)
    yield made
    made.pool.shutdown()


def test_what_cannot_be_killed_is_sealed_by_nobody_until_it_is_gone(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = [True, False]

    async def stop(*_: object) -> bool:
        return False

    async def end_orphans(*_: object) -> bool:
        return not there.pop(0)

    monkeypatch.setattr(processes, "stop", stop)
    monkeypatch.setattr(loops, "end_orphans", end_orphans)

    async def end() -> tuple[int, int, int]:
        one = node.supervisor()
        child = await processes.start(["true"])
        await one._seals.see_through(node.folder, RUN, one._wind_down(child), one._lost)
        await one._seals.settled()
        assert not one.owns(RUN.number), "it is there to be adopted"
        loop = CaptureLoop(node.settings, node.spool, node.sealer, FakeClock(T0), node.pool, "test")
        return len(node.sealed), await loop.adopt(), await loop.adopt()

    assert asyncio.run(end()) == (0, 0, 1)
    assert node.sealed


def test_a_stop_in_the_midst_of_winding_down_sees_it_through(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def stop(*_: object) -> bool:
        begun.set()
        await ended.wait()
        return True

    async def never(*_: object) -> bool:
        return False

    async def child(*_: object) -> Process:
        return await start(["true"])

    start = processes.start
    monkeypatch.setattr(processes, "start", child)
    monkeypatch.setattr(processes, "stop", stop)
    monkeypatch.setattr(Supervisor, "_attend", never)
    monkeypatch.setattr(node.spool, "open_run", lambda _: node.folder)

    async def cancel() -> None:
        task = asyncio.create_task(node.supervisor().run())
        await asyncio.wait_for(begun.wait(), 30)
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=0.2)
        assert not done, "its ffmpeg has not ended"
        ended.set()
        await asyncio.wait({task}, timeout=30)
        assert task.cancelled()

    asyncio.run(cancel())
    assert node.sealed


def test_all_that_earlier_recorders_left_is_ended_at_once(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.spool.open_run(replace(RUN, number=RUN.number + 1))
    together = asyncio.Barrier(2)

    async def end_orphans(*_: object) -> bool:
        await together.wait()
        return True

    monkeypatch.setattr(loops, "end_orphans", end_orphans)

    async def adopt() -> int:
        loop = CaptureLoop(node.settings, node.spool, node.sealer, FakeClock(T0), node.pool, "test")
        return await asyncio.wait_for(loop.adopt(), 30)

    assert asyncio.run(adopt()) == 2
