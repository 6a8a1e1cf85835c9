"""The capture loop: desired state (camera documents) against observed state (supervisors).

Level-triggered: :meth:`CaptureLoop.reconcile` is called every few seconds with what should
be, compares it with what is, and starts, stops or restarts single streams.  No event has
to arrive for anything to become right.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from asyncio import create_task
from collections.abc import Awaitable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from pathlib import Path

from recorder.capture.sealer import Sealer
from recorder.capture.settings import CaptureSettings, CaptureSpool
from recorder.capture.state import StreamState
from recorder.capture.supervisor import Supervisor
from recorder.errors import RecorderError, StateError
from recorder.model.cameras import Camera, StreamSource
from recorder.model.causes import cause_of_start
from recorder.model.keys import StreamId
from recorder.model.runs import Run
from recorder.model.timebase import SECOND, Instant
from recorder.ports import Clock, StreamStatus
from recorder.process import end_orphans
from recorder.threads import in_thread

log = logging.getLogger("recorder.capture")

SETTLED_NS = 4 * SECOND
"""After so long a stream that began is believed to go on; cameras stumble at the start."""
LEFT_S, LEAVE_S = 1.0, 40.0
"""So often it is looked whether those that are to end wait for a disk that hangs; and so long they
are waited for."""


@dataclass(slots=True)
class _Worker:
    supervisor: Supervisor
    task: asyncio.Task[None]
    source: StreamSource = field(repr=False)


def desired_streams(
    cameras: Iterable[Camera], site: str, now: Instant
) -> dict[StreamId, StreamSource]:
    """Say what should be captured now, each with how.  Pure.

    When to record, and what makes events, is left out of the answer: a new timetable touches
    no running stream.
    """
    return {
        StreamId(site, camera.name, name): replace(
            source, record="always", timetable=None, activity="show"
        )
        for camera in cameras
        for name, source in camera.streams.items()
        if camera.enabled and source.wanted(now)
    }


class CaptureLoop:
    """All supervisors of a node."""

    def __init__(
        self,
        settings: CaptureSettings,
        spool: CaptureSpool,
        sealer: Sealer,
        clock: Clock,
        executor: Executor,
        site: str,
        *,
        shared: bool = False,
    ) -> None:
        """``shared``: other nodes record the streams that this one does not."""
        self.shared = shared
        self.settings, self.spool, self.sealer = settings, spool, sealer
        self.clock, self.executor, self.site = clock, executor, site
        self._workers: dict[StreamId, _Worker] = {}
        self._known: set[StreamId] = set()
        self._numbers = itertools.count(1)
        self._first = True
        self._lock, self._adopting = asyncio.Lock(), asyncio.Lock()
        self._put_off: dict[Path, tuple[StreamId, str]] = {}
        self._leaving: dict[asyncio.Task[None], Supervisor] = {}
        self.book = sealer.book

    async def adopt(self) -> int:
        """Seal the runs that nobody records any more; return how many there are no longer.

        Earlier processes left some, and this one those that it could not seal when they ended.
        """
        if self._adopting.locked() or self.spool.silence.silent:
            return 0
        async with self._adopting:
            done = 0
            try:
                runs = await in_thread("adopt", self.spool.runs)
            except (OSError, RecorderError) as exc:
                log.error("what is not sealed cannot be looked for", extra={"reason": str(exc)})
                return 0
            stop_s = self.settings.stop_s
            left = [  # all are ended at once: one that hangs keeps no other waiting
                (run, folder, create_task(end_orphans(run.pid, str(folder), stop_s)))
                for run, folder in runs
                if not self._records(run)
            ]
            for run, folder, ended in left:
                done += await self._adopt(run, folder, ended)
            return done

    def _records(self, run: Run) -> bool:
        supervisors = [one.supervisor for one in self._workers.values()]
        supervisors += self._leaving.values()
        own = run.term == self.settings.term
        return own and any(one.owns(run.number) for one in supervisors)

    async def _adopt(self, run: Run, folder: Path, ended: Awaitable[bool]) -> bool:
        """Seal one run; what cannot be done now is tried again, and said once."""
        said = {"stream": str(run.stream), "run": folder.name}
        try:
            if not await ended:
                raise StateError("its ffmpeg cannot be ended")
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self.executor, self.sealer.finish_run, folder, run)
        except Exception as exc:  # the next one may be well
            if folder not in self._put_off:
                unknown = not isinstance(exc, (OSError, RecorderError))
                log.error(
                    "run not sealed yet", extra={**said, "reason": str(exc)}, exc_info=unknown
                )
            self._put_off[folder] = run.stream, str(exc)
            return False
        if not run.source:
            log.warning("run without description", extra=said)
        self._put_off.pop(folder, None)
        return True

    async def reconcile(self, wanted: dict[StreamId, StreamSource]) -> None:
        """Make what is what should be, touching only streams that differ."""
        async with self._lock:
            stale = [
                stream
                for stream, worker in self._workers.items()
                if wanted.get(stream) != worker.source or worker.task.done()
            ]
            await self._stop(stale)
            for stream, source in wanted.items():
                if stream not in self._workers:
                    self._start(stream, source, restarted=stream in stale)
            self._first = False

    def _start(self, stream: StreamId, source: StreamSource, *, restarted: bool) -> None:
        cause = cause_of_start(
            first=self._first, known=stream in self._known, restarted=restarted, shared=self.shared
        )
        self._known.add(stream)
        supervisor = Supervisor(
            stream,
            source,
            self.settings,
            self.spool,
            self.sealer,
            self.clock,
            self.executor,
            cause,
            lambda: next(self._numbers),
        )
        task = create_task(supervisor.run(), name=f"capture {stream}")
        self._workers[stream] = _Worker(supervisor, task, source)

    async def _stop(self, streams: Iterable[StreamId]) -> None:
        """Stop streams, and wait for their last segments, but for no disk that does not answer."""
        workers = [self._workers.pop(stream) for stream in streams]
        for worker in workers:
            self._leaving[worker.task] = worker.supervisor
            worker.task.add_done_callback(self._has_left)
            worker.task.cancel()
        left, time = {worker.task for worker in workers}, asyncio.get_running_loop().time
        begun_s = time()
        while left and (waited_s := time() - begun_s) < LEAVE_S:
            ends = waited_s <= self.settings.stop_s + LEFT_S  # ffmpeg does, or is killed
            if not ends and self.spool.silence.silent:
                return
            _, left = await asyncio.wait(left, timeout=LEFT_S)
            if left:
                self.spool.silence.probe()

    def _has_left(self, task: asyncio.Task[None]) -> None:
        supervisor = self._leaving.pop(task)
        if not task.cancelled() and task.exception() is not None:
            log.error(
                "supervisor failed",
                exc_info=task.exception(),
                extra={"stream": str(supervisor.stream)},
            )

    async def stop(self) -> None:
        """Stop every stream; each one's last segment is sealed first."""
        async with self._lock:
            await self._stop(list(self._workers))

    def is_settled(self, stream: StreamId) -> bool:
        """Tell whether a stream has been recorded here for some seconds without trouble."""
        worker = self._workers.get(stream)
        state = worker.supervisor.state if worker is not None else None
        if state is None or state.state != "recording":
            return False
        return self.clock.now() - state.since > SETTLED_NS

    def unsealed(self) -> dict[StreamId, str]:
        """Return the streams of which something cannot be sealed now, and why."""
        found = dict(self._put_off.values())
        workers = self._workers.items()
        found |= {stream: said for stream, one in workers if (said := one.supervisor.unsealed)}
        return found

    def states(self) -> dict[StreamId, StreamState]:
        """Return the present state of every stream."""
        return {stream: worker.supervisor.state for stream, worker in self._workers.items()}

    def statuses(self) -> list[StreamStatus]:
        """Return the present states as the catalog records them."""
        now = self.clock.now()
        return [
            StreamStatus(
                stream,
                self.settings.node,
                state.state,
                state.cause,
                state.condition,
                state.detail,
                state.since,
                now,
                {
                    **self.book.of(stream),
                    "sound": state.sound,
                    "habits": {**state.habits, **self.book.habits(stream)},
                },
            )
            for stream, state in self.states().items()
        ]
