"""One stream's supervisor: starts ffmpeg, watches its progress, starts it again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from asyncio.subprocess import Process
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

from recorder import process as processes
from recorder.capture import command, lines
from recorder.capture.allowed import check_readable
from recorder.capture.ending import Patience, why_ended
from recorder.capture.growth import Growth
from recorder.capture.listening import Listener
from recorder.capture.offer import Choice
from recorder.capture.programs import Abilities, abilities
from recorder.capture.redirect import hidden
from recorder.capture.run_seals import RunSeals
from recorder.capture.sealer import Sealer
from recorder.capture.settings import CaptureSettings, CaptureSpool
from recorder.capture.starting import condition_of
from recorder.capture.state import StreamState
from recorder.capture.watch import SAID, SILENT, UNANSWERED, Watch, next_bytes
from recorder.errors import RecorderError
from recorder.model.cameras import StreamSource
from recorder.model.keys import StreamId
from recorder.model.runs import Run
from recorder.model.secrets import mask
from recorder.model.timebase import SECOND
from recorder.ports import Clock
from recorder.threads import in_thread

log = logging.getLogger("recorder.capture")

BACKOFF_S = (0.5, 1, 2, 4, 8, 15, 30)
"""After a try that brought no footage; after one that did, the next begins at once."""
SHORT_S = 2.0
"""A run that ended sooner is not begun again at once, whatever it brought."""
SELDOM_S, MOST_SLOW_S = 2.5, 10.0
"""The next bytes of a stream are waited for when it is stopped: of one that seldom has some."""
EXPECTED = (OSError, RecorderError, MemoryError)
MOST_GUESSES = 3
"""So often in a row is a run begun anew because the source offers other tracks than it did."""


class Supervisor:
    """Keeps one stream recorded until cancelled."""

    def __init__(
        self,
        stream: StreamId,
        source: StreamSource,
        settings: CaptureSettings,
        spool: CaptureSpool,
        sealer: Sealer,
        clock: Clock,
        executor: Executor,
        gap_cause: str,
        next_number: Callable[[], int],
    ) -> None:
        self.stream, self.source, self.settings = stream, source, settings
        self.spool, self.sealer, self.clock = spool, sealer, clock
        self.executor = executor
        self.next_number = next_number
        self.state = StreamState(cause=gap_cause, since=clock.now())
        self._choice, self._able = Choice(command.Tracks()), Abilities()
        self._learnt = self._patience = Patience.at_first(source.stall_s)
        self._guesses = self._failures = 0
        self._errors: deque[str] = deque(maxlen=20)
        self._growth = Growth(Path(), spool, clock.monotonic())
        self._seals = RunSeals(stream, spool, sealer, clock, executor)
        self._watch = self._make_watch()
        self._current = 0  # number of the run

    def owns(self, number: int) -> bool:
        """Tell whether a run is this supervisor's, to be recorded or sealed by it."""
        return number == self._current or number in self._seals.winding_down

    @property
    def unsealed(self) -> str:
        """Why what is recorded cannot be sealed now; empty when it can."""
        return self._seals.failing

    async def run(self) -> None:
        """Record until cancelled; on cancelling, the last segment is sealed first."""
        try:
            while True:
                began = self.clock.monotonic()
                again = False
                try:
                    again = await self._one_run()
                except Exception as exc:  # noqa: BLE001 - it is said, and tried again
                    self._fail(condition_of(exc), mask(str(exc)) or type(exc).__name__, exc)
                if not again:
                    await asyncio.sleep(self._delay_s(self.clock.monotonic() - began))
        finally:
            await self._seals.settled()

    def _delay_s(self, lasted_s: float) -> float:
        """Say how long to wait before the next try: not at all after one that brought footage."""
        if self._growth.footage:
            self._failures = self._guesses = 0
            self._patience = self._learnt
            if lasted_s >= SHORT_S:
                return 0.0
        delay = BACKOFF_S[min(self._failures, len(BACKOFF_S) - 1)]
        self._failures += 1
        return delay * (0.75 + 0.5 * self.clock.jitter())

    # -- one run ---------------------------------------------------------------------------

    async def _one_run(self) -> bool:
        """Run ffmpeg once; true when it must be started again at once with other tracks."""
        self.settings.allowed.check(self.source)  # its document may be older than the settings
        check_readable(self.source, self.stream.camera)
        run = Run(
            self.stream,
            self.settings.node,
            self.settings.term,
            self.next_number(),
            self.clock.now(),
            self.state.cause,
            mask(self.source.url),
            flush_ns=self._flush_ns(),
        )
        self._growth = Growth(Path(), self.spool, self.clock.monotonic())
        self._current = run.number
        try:
            ask, spool = self.spool.silence.ask, self.spool
            folder = await ask(spool.open_run, run)
            ahead_ns = await ask(spool.ahead_ns, folder, run.started, self.clock.now())
            with hidden(self.source) as url:
                return await self._run_in(folder, replace(run, ahead_ns=ahead_ns), url)
        finally:
            self._current = 0

    def _flush_ns(self) -> int:
        """Say after what silence ffmpeg lets go of a frame; known of RTSP alone."""
        rtsp = self.source.scheme in ("rtsp", "rtsps")
        return round(self._patience.flush_s * SECOND) if rtsp else 0

    async def _run_in(self, folder: Path, run: Run, url: str) -> bool:
        self._able = await in_thread("abilities", abilities, self.settings.ffmpeg)
        argv = command.record_command(
            self.settings.ffmpeg,
            self.source,
            folder,
            self.settings.segment_s,
            self._choice.tracks,
            quiet_s=self._patience.quiet_s,
            analyze_s=self._patience.analyze_s,
            url=url,
            checks_rtsps=self._able.checks_rtsps,
        )
        self.state.runs += 1
        self._errors.clear()
        self._growth = Growth(
            folder, self.spool, self.clock.monotonic(), sound=any(self._choice.tracks.sounds)
        )
        self._watch = self._make_watch()
        try:
            child = await processes.start(argv)
        except OSError as exc:
            await self.spool.silence.ask(self.spool.close_run, folder)
            what = exc.strerror or type(exc).__name__
            self._fail(condition_of(exc, program=True), f"{self.settings.ffmpeg}: {what}")
            return False
        run = replace(run, pid=child.pid)
        try:
            await self.spool.silence.ask(self.spool.describe_run, folder, run)
            return await self._attend(child, folder, run, url)
        finally:
            await self._seals.see_through(folder, run, self._wind_down(child), self._lost)

    def _make_watch(self) -> Watch:
        return Watch(
            self.stream,
            self.source,
            self.settings,
            self.clock,
            self._growth,
            self.state,
            self._seals.another,
            self._fail,
            sounds=any(self._choice.tracks.sounds),
        )

    def _slow_s(self) -> float:
        """Say how long the next bytes may take, while there will be some."""
        return min(self._growth.slowest_s + 1, MOST_SLOW_S) if self.state.recording else 0.0

    def _linger_s(self) -> float:
        """Say how long a silent ffmpeg may take to end by itself."""
        silent_s = self.clock.monotonic() - self._growth.last_s
        if self.state.recording or self.state.condition != "stall":
            return 0.0
        return max(0.0, self._patience.quiet_s - silent_s) + 1.0

    async def _attend(self, child: Process, folder: Path, run: Run, url: str) -> bool:
        listener = Listener(
            self.source,
            self._able.decodable,
            self._choice,
            lambda text: self._errors.append(text.replace(url, self.source.url)),
        )
        errors = asyncio.create_task(listener.listen(child, self.state))
        watch = asyncio.create_task(self._watch.run(listener))
        seal = asyncio.create_task(self._seals.as_closed(folder, run, self._growth))
        other = asyncio.create_task(listener.other.wait())
        exits = asyncio.create_task(child.wait())
        tasks: list[asyncio.Task[object]] = [errors, watch, seal, other, exits]
        try:
            await asyncio.wait({exits, watch, other}, return_when=asyncio.FIRST_COMPLETED)
            if exits.done():
                await asyncio.wait({errors}, timeout=1)  # its last words
                with contextlib.suppress(OSError, RecorderError):  # and what it wrote with them
                    await self.spool.silence.ask(self._growth.look, self.clock.monotonic())
            if listener.other.is_set() and self._take(listener.choice):
                if not self._growth.total:
                    with contextlib.suppress(ProcessLookupError):
                        child.kill()  # before it writes a file by the wrong guess
                return True
            if not exits.done() and not watch.done():
                await asyncio.wait({exits, watch}, return_when=asyncio.FIRST_COMPLETED)
            if watch.done():
                self._fail(watch.result(), SAID[watch.result()])
            elif self._watch.hung:  # what ffmpeg says of its end is not why
                self._fail(SILENT, UNANSWERED)
            else:
                self._explain_exit(child.returncode or 0, listener.foreign)
            return False
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _take(self, choice: Choice) -> bool:
        """Take the source's other tracks for the next run; false when it has changed too often."""
        self._guesses += 1
        if self._guesses <= MOST_GUESSES:
            self._choice = choice
            return True
        self._choice = replace(choice, tracks=replace(choice.tracks, sounds=()))
        self.state.habits["tracks-vary"] = lines.HABITS["tracks-vary"]
        return False

    async def _wind_down(self, child: Process) -> bool:
        """End ffmpeg; false where it does not end."""
        if linger_s := self._linger_s():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(child.wait(), linger_s)
        # a camera with few frames: ffmpeg lets go of one, and hears that it is to end, when the
        # next one comes
        slow_s = self._slow_s()
        if slow_s > SELDOM_S:
            await self._next_bytes(child, slow_s)
        return await processes.stop(child, max(self.settings.stop_s, 1.5 * slow_s))

    def _lost(self, lost_bytes: int) -> None:
        self.state.detail = f"{lost_bytes} bytes of an open fragment were lost"

    async def _next_bytes(self, child: Process, limit_s: float) -> None:
        """Wait until more of the picture is on disk, or will not be."""
        await next_bytes(self._growth, self.clock, self.settings.looks, child.wait(), limit_s)

    # -- failing ---------------------------------------------------------------------------

    def _explain_exit(self, status: int, foreign: str | None = None) -> None:
        unheard = not self._watch.answered_s and self.source.scheme in ("rtsp", "rtsps")
        since_s = self._growth.last_s if unheard else self._watch.answered_s
        waited_s = self.clock.monotonic() - since_s if since_s and not self._growth.total else 0.0
        condition, detail = why_ended(
            self._errors, status, waited_s, self._patience, unheard, self._growth.footage, foreign
        )
        if not self._growth.total:
            self._learn(condition)
        self._fail(condition, detail)

    def _learn(self, condition: str) -> None:
        """Be more patient the next time: for good with one that answers, else until it does."""
        if self._watch.answered_s:
            self._learnt = self._learnt.after(condition)
            self._patience = self._patience.after(condition)
        else:
            self._patience = self._patience.after(condition, 2 * self.settings.connect_s)

    def _fail(self, condition: str, detail: str, exc: Exception | None = None) -> None:
        now = self.clock.now()
        if self.state.recording:
            self.sealer.book.ended(self.stream, now, condition)
        if self.state.fail(condition, detail, now, came=self._growth.footage):
            said = {"stream": str(self.stream), "condition": condition, "detail": detail}
            unknown = None if isinstance(exc, EXPECTED) else exc
            log.warning("stream failing", extra=said, exc_info=unknown)
