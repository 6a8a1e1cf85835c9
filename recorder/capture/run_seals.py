"""Sealing of a stream's files, in order and one at a time, while its next run begins already."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from pathlib import Path
from typing import Protocol

from recorder.capture.growth import Growth
from recorder.capture.looks import next_look
from recorder.capture.sealer import Sealer, SealReport, SealSpool
from recorder.errors import RecorderError
from recorder.model.keys import StreamId
from recorder.model.runs import Run
from recorder.ports import Clock
from recorder.spool.silent import Silence

log = logging.getLogger("recorder.capture")

AGAIN_S = 2.0
"""So long after sealing failed it is tried again."""
SOUND_WAIT_S = 3.0
"""A finished file waits so long for the sound of its last pictures."""


class RunSpool(SealSpool, Protocol):
    """What sealing runs as they go needs of the spool."""

    silence: Silence


class RunSeals:
    """Seals what the runs of one stream leave."""

    def __init__(
        self, stream: StreamId, spool: RunSpool, sealer: Sealer, clock: Clock, executor: Executor
    ) -> None:
        self.stream, self.spool, self.sealer = stream, spool, sealer
        self.clock, self.executor = clock, executor
        self.another = asyncio.Event()
        """Set when a file of the run has begun."""
        self.winding_down: set[int] = set()
        """Numbers of runs that have ended, and are not sealed to their end yet."""
        self._lock = asyncio.Lock()  # files of a stream are sealed in order, one at a time
        self._ending: set[asyncio.Task[None]] = set()
        self.failing = ""
        """Why sealing failed the last time; empty when it did not.  It is said once."""

    async def as_closed(self, folder: Path, run: Run, growth: Growth) -> None:
        """Seal each file once the next has begun and its sound is there."""
        closed_s: float | None = None
        while True:
            await next_look()
            files = await self._files(folder)
            if files is None:
                continue
            if len(files) < 2:
                closed_s, alone = None, files[0].name if files else ""
                while growth.name == alone:  # no other follows it
                    await self.another.wait()
                    self.another.clear()
                continue
            now = self.clock.monotonic()
            closed_s = now if closed_s is None else closed_s
            waits = now - closed_s < SOUND_WAIT_S and now - growth.sound_s < SOUND_WAIT_S
            # shielded: a seal that has begun ends before the run is wound down
            if await asyncio.shield(self._in_thread(self._seal_one, folder, run, waits)):
                closed_s = None
            elif self.failing:
                await asyncio.sleep(AGAIN_S)

    async def _files(self, folder: Path) -> list[Path] | None:
        """Return the files of a run, ``None`` when the disk cannot be asked, a while later."""
        try:
            return await self.spool.silence.ask(self.spool.files, folder)
        except Exception as exc:  # noqa: BLE001 - as long as the run does this goes on, whatever happens
            self._say(exc)
            await asyncio.sleep(AGAIN_S)
            return None

    async def see_through(
        self,
        folder: Path,
        run: Run,
        ending: Coroutine[object, object, bool],
        lost: Callable[[int], object],
    ) -> None:
        """End a run; what it left is sealed while the next one begins already.

        ``ending`` ends its ffmpeg, and says whether that has ended; it is done to its end whoever
        is cancelled while he waits for it.  ``lost`` is told how many bytes of an open fragment
        were lost, if any were.
        """
        self.winding_down.add(run.number)
        await asyncio.shield(self._begin(self._end(folder, run, ending, lost)))

    async def _end(
        self,
        folder: Path,
        run: Run,
        ending: Coroutine[object, object, bool],
        lost: Callable[[int], object],
    ) -> None:
        ended = False
        try:
            ended = await ending
        finally:
            if ended:
                self._begin(self._rest(folder, run, lost))
            else:  # it may write yet: whoever adopts the run ends it first
                self.winding_down.discard(run.number)

    def _begin(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        return task

    async def settled(self) -> None:
        """Wait until all that is ending has ended, and is sealed."""
        while self._ending:
            await asyncio.wait(self._ending)

    async def _rest(self, folder: Path, run: Run, lost: Callable[[int], object]) -> None:
        try:
            report = await self._in_thread(self.sealer.finish_run, folder, run)
        finally:
            self.winding_down.discard(run.number)  # what could not be sealed is adopted
            self.failing = ""
        if isinstance(report, SealReport) and report.lost_bytes:
            lost(report.lost_bytes)

    def _seal_one(self, folder: Path, run: Run, await_sound: bool) -> SealReport | None:
        return self.sealer.seal_closed(folder, run, await_sound=await_sound)

    async def _in_thread(self, work: Callable[..., object], *args: object) -> object:
        loop = asyncio.get_running_loop()
        async with self._lock:
            try:
                done = await loop.run_in_executor(self.executor, work, *args)
            except Exception as exc:  # noqa: BLE001 - it is said, and tried again
                self._say(exc)
                return None
            self.failing = ""
            return done

    def _say(self, exc: Exception) -> None:
        if self.failing != str(exc):
            said = {"stream": str(self.stream), "reason": str(exc)}
            unknown = None if isinstance(exc, (OSError, RecorderError, MemoryError)) else exc
            log.error("sealing failed", extra=said, exc_info=unknown)
        self.failing = str(exc) or type(exc).__name__
