"""One stream's supervisor: starts ffmpeg, watches its progress, starts it again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from asyncio.subprocess import Process
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from recorder import process as processes
from recorder.capture import command, lines
from recorder.capture.allowed import Allowed, check_readable
from recorder.capture.ending import LOOK_S, Patience, why_ended
from recorder.capture.growth import Growth, GrowthSpool
from recorder.capture.listening import Listener
from recorder.capture.offer import Choice
from recorder.capture.programs import checks_rtsps, decodable
from recorder.capture.redirect import hidden
from recorder.capture.sealer import Sealer, SealReport, SealSpool
from recorder.capture.starting import condition_of
from recorder.capture.state import StreamState
from recorder.errors import RecorderError
from recorder.model.cameras import StreamSource
from recorder.model.keys import StreamId
from recorder.model.runs import Run
from recorder.model.secrets import mask
from recorder.model.timebase import SECOND
from recorder.ports import Clock

log = logging.getLogger("recorder.capture")

BACKOFF_S = (0.5, 1, 2, 4, 8, 15, 30)
"""After a try that brought no footage; after one that did, the next begins at once."""
SHORT_S = 2.0
"""A run that ended sooner is not begun again at once, whatever it brought."""
SELDOM_S, MOST_SLOW_S = 2.5, 10.0
"""The next bytes of a stream are waited for when it is stopped: of one that seldom has some."""
MOST_GUESSES = 3
"""So often in a row is a run begun anew because the source offers other tracks than it did."""
SLOW_START_S = 30.0
"""A source that has answered may take so long to its first fragment: one frame in five seconds
is on disk with the fourth or fifth, for ffmpeg wants to know its rate."""
SILENT_S = 10.0
"""Sound that did not come for so long is called silent."""
SOUND_WAIT_S = 3.0
"""A finished file waits so long for the sound of its last pictures."""


class CaptureSpool(SealSpool, GrowthSpool, Protocol):
    """What capture needs of the spool."""

    def open_run(self, run: Run) -> Path:
        """Make the folder of a run."""

    def describe_run(self, folder: Path, run: Run) -> None:
        """Write (again) what a run is."""

    def runs(self) -> list[tuple[Run, Path]]:
        """Return the runs on disk, oldest first."""


@dataclass(frozen=True, slots=True)
class CaptureSettings:
    """How this node captures."""

    ffmpeg: str
    node: str
    term: int
    segment_s: int = 60
    connect_s: float = 10.0
    stop_s: float = 5.0
    allowed: Allowed = field(default_factory=Allowed)


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
        self._choice = Choice(command.Tracks())
        self._learnt = self._patience = Patience.at_first(source.stall_s)
        self._guesses = self._failures = 0
        self._answered_s = 0.0
        self._errors: deque[str] = deque(maxlen=20)
        self._growth = Growth(Path(), spool, clock.monotonic())
        self._sealing = asyncio.Lock()  # files of a stream are sealed in order, one at a time
        self._another = asyncio.Event()  # a file of the run has begun
        self._ending: set[asyncio.Task[None]] = set()
        self._current, self._winding_down = 0, set[int]()  # numbers of runs

    def owns(self, number: int) -> bool:
        """Tell whether a run is this supervisor's, to be recorded or sealed by it."""
        return number == self._current or number in self._winding_down

    async def run(self) -> None:
        """Record until cancelled; on cancelling, the last segment is sealed first."""
        try:
            while True:
                began = self.clock.monotonic()
                again = False
                try:
                    again = await self._one_run()
                except (OSError, RecorderError) as exc:
                    self._fail(condition_of(exc), mask(str(exc)))
                if not again:
                    await asyncio.sleep(self._delay_s(self.clock.monotonic() - began))
        finally:
            await asyncio.gather(*self._ending, return_exceptions=True)

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
            folder = self.spool.open_run(run)
            with hidden(self.source) as url:
                return await self._run_in(folder, run, url)
        finally:
            self._current = 0

    def _flush_ns(self) -> int:
        """Say after what silence ffmpeg lets go of a frame; known of RTSP alone."""
        rtsp = self.source.scheme in ("rtsp", "rtsps")
        return round(self._patience.flush_s * SECOND) if rtsp else 0

    async def _run_in(self, folder: Path, run: Run, url: str) -> bool:
        argv = command.record_command(
            self.settings.ffmpeg,
            self.source,
            folder,
            self.settings.segment_s,
            self._choice.tracks,
            quiet_s=self._patience.quiet_s,
            analyze_s=self._patience.analyze_s,
            url=url,
            checks_rtsps=checks_rtsps(self.settings.ffmpeg),
        )
        self.state.runs += 1
        self._errors.clear()
        self._answered_s = 0.0
        self._growth = Growth(
            folder, self.spool, self.clock.monotonic(), sound=any(self._choice.tracks.sounds)
        )
        try:
            child = await processes.start(argv)
        except OSError as exc:
            self.spool.close_run(folder)
            what = exc.strerror or type(exc).__name__
            self._fail(condition_of(exc, program=True), f"{self.settings.ffmpeg}: {what}")
            return False
        run = replace(run, pid=child.pid)
        try:
            self.spool.describe_run(folder, run)
            return await self._attend(child, folder, run, url)
        finally:
            self._winding_down.add(run.number)
            await asyncio.shield(self._wind_down(child, folder, run))

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
            decodable(self.settings.ffmpeg),
            self._choice,
            lambda text: self._errors.append(text.replace(url, self.source.url)),
        )
        errors = asyncio.create_task(listener.listen(child, self.state))
        watch = asyncio.create_task(self._watch(listener))
        seal = asyncio.create_task(self._seal_as_closed(folder, run))
        other = asyncio.create_task(listener.other.wait())
        exits = asyncio.create_task(child.wait())
        tasks: list[asyncio.Task[Any]] = [errors, watch, seal, other, exits]
        try:
            await asyncio.wait({exits, watch, other}, return_when=asyncio.FIRST_COMPLETED)
            if exits.done():
                await asyncio.wait({errors}, timeout=1)  # its last words
            if listener.other.is_set() and self._take(listener.choice):
                if not self._growth.total:
                    with contextlib.suppress(ProcessLookupError):
                        child.kill()  # before it writes a file by the wrong guess
                return True
            if not exits.done() and not watch.done():
                await asyncio.wait({exits, watch}, return_when=asyncio.FIRST_COMPLETED)
            if watch.done():
                self._fail(watch.result(), lines.ADVICE[watch.result()])
            else:
                self._explain_exit(child.returncode or 0)
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

    async def _wind_down(self, child: Process, folder: Path, run: Run) -> None:
        """End ffmpeg; what it left is sealed while the next run begins already."""
        if linger_s := self._linger_s():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(child.wait(), linger_s)
        # a camera with few frames: ffmpeg lets go of one, and hears that it is to end, when the
        # next one comes
        slow_s = self._slow_s()
        if slow_s > SELDOM_S:
            await self._next_bytes(child, slow_s)
        await processes.stop(child, max(self.settings.stop_s, 1.5 * slow_s))
        task = asyncio.create_task(self._seal_rest(folder, run))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _next_bytes(self, child: Process, limit_s: float) -> None:
        """Wait until more of the picture is on disk, or will not be."""
        end_s = self.clock.monotonic() + limit_s
        while child.returncode is None and self.clock.monotonic() < end_s:
            if self._growth.look(self.clock.monotonic()):
                return
            await asyncio.sleep(LOOK_S)

    async def _seal_rest(self, folder: Path, run: Run) -> None:
        try:
            report = await self._in_thread(self.sealer.finish_run, folder, run)
        finally:
            self._winding_down.discard(run.number)  # what could not be sealed is adopted
        if isinstance(report, SealReport) and report.lost_bytes:
            self.state.detail = f"{report.lost_bytes} bytes of an open fragment were lost"

    async def _in_thread(self, work: Callable[..., object], *args: object) -> object:
        loop = asyncio.get_running_loop()
        async with self._sealing:
            try:
                return await loop.run_in_executor(self.executor, work, *args)
            except Exception:
                log.exception("sealing failed", extra={"stream": str(self.stream)})
                return None

    async def _seal_as_closed(self, folder: Path, run: Run) -> None:
        """Seal each file once the next has begun and its sound is there."""
        closed_s: float | None = None
        while True:
            await next_look()
            files = self.spool.files(folder)
            if len(files) < 2:
                closed_s, alone = None, files[0].name if files else ""
                while self._growth.name == alone:  # no other follows it
                    await self._another.wait()
                    self._another.clear()
                continue
            now = self.clock.monotonic()
            closed_s = now if closed_s is None else closed_s
            waits = now - closed_s < SOUND_WAIT_S and now - self._growth.sound_s < SOUND_WAIT_S
            # shielded: a seal that has begun ends before the run is wound down
            if await asyncio.shield(self._in_thread(self._seal_one, folder, run, waits)):
                closed_s = None

    def _seal_one(self, folder: Path, run: Run, await_sound: bool) -> SealReport | None:
        return self.sealer.seal_closed(folder, run, await_sound=await_sound)

    # -- watching --------------------------------------------------------------------------

    async def _watch(self, listener: Listener) -> str:
        """Return the condition once nothing has arrived for too long."""
        while True:
            await next_look()
            now, before = self.clock.monotonic(), self._growth.name
            grown = self._growth.look(now)
            if self._growth.name != before:
                self._another.set()
            if grown:
                self._progress(grown)
            self._hear(now)
            if listener.described.is_set():
                self._answered_s = self._answered_s or now
            if now - self._growth.last_s > self._patience_s(listener):
                self.state.stalls += 1
                return "stall" if self.state.recording else "timeout"

    def _patience_s(self, listener: Listener) -> float:
        """Say how long to wait for the next bytes."""
        start_s = self.settings.connect_s + 5
        if listener.described.is_set():  # it has answered; its first pictures may come slowly
            start_s = max(start_s, SLOW_START_S)
        elif self.source.listen:
            start_s = 3600.0
        if not self.state.recording:
            return start_s
        return self._growth.patience_s(self.source.stall_s, start_s)

    def _progress(self, grown: int) -> None:
        self.state.bytes_in += grown
        self.state.last_progress = self.clock.now()
        if self._growth.footage and not self.state.recording:
            self.state.begin(self.clock.now())
            log.info("recording", extra={"stream": str(self.stream)})

    def _hear(self, now: float) -> None:
        """Note what sound does; the picture does not wait for it."""
        state, habits = self.state, self.state.habits
        if self.source.audio == "off":
            state.sound = "off"
        elif not any(self._choice.tracks.sounds):
            state.sound = "none"
        elif now - self._growth.sound_s < SILENT_S:
            state.sound = "present" if self._growth.heard > lines.INIT_BYTES else state.sound
            habits.pop("sound-silent", None)
        elif state.recording:
            state.sound = "silent"
            habits["sound-silent"] = lines.HABITS["sound-silent"]

    # -- failing ---------------------------------------------------------------------------

    def _explain_exit(self, status: int) -> None:
        waited_s = 0.0
        if self._answered_s and not self._growth.total:
            waited_s = self.clock.monotonic() - self._answered_s
        condition, detail = why_ended(self._errors, status, waited_s, self._patience)
        if not self._growth.total:
            self._learn(condition)
        self._fail(condition, detail)

    def _learn(self, condition: str) -> None:
        """Be more patient the next time: for good with one that answers, else until it does."""
        if self._answered_s:
            self._learnt = self._learnt.after(condition)
            self._patience = self._patience.after(condition)
        else:
            self._patience = self._patience.after(condition, 2 * self.settings.connect_s)

    def _fail(self, condition: str, detail: str) -> None:
        now = self.clock.now()
        if self.state.recording:
            self.sealer.book.ended(self.stream, now, condition)
        if self.state.fail(condition, detail, now):
            log.warning(
                "stream failing",
                extra={"stream": str(self.stream), "condition": condition, "detail": detail},
            )


async def next_look() -> None:
    """Sleep until streams are looked at again: all at one instant, which wakes the loop once."""
    await asyncio.sleep(LOOK_S - asyncio.get_running_loop().time() % LOOK_S)
