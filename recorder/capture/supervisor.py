"""One stream's supervisor: starts ffmpeg, watches its progress, starts it again."""

from __future__ import annotations

import asyncio
import logging
import threading
from asyncio.subprocess import Process
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from recorder import process as processes
from recorder.capture import command, lines
from recorder.capture.growth import Growth
from recorder.capture.programs import checks_rtsps
from recorder.capture.redirect import hidden
from recorder.capture.sealer import Sealer, SealReport, SealSpool
from recorder.errors import RecorderError
from recorder.model.cameras import StreamSource, mask
from recorder.model.keys import StreamId
from recorder.model.runs import Run
from recorder.model.timebase import Instant
from recorder.ports import Clock

log = logging.getLogger("recorder.capture")

BACKOFF_S = (0.5, 1, 2, 4, 8, 15, 30)
STEADY_S = 30.0
"""A run that lasted this long was good: the next failure starts the back-off anew."""


MOST_CHANGES = 3
"""So often do changed parameters start a short run anew; then the camera just does that."""


class CaptureSpool(SealSpool, Protocol):
    """What capture needs of the spool."""

    def open_run(self, run: Run) -> Path:
        """Make the folder of a run."""

    def describe_run(self, folder: Path, run: Run) -> None:
        """Write (again) what a run is."""


@dataclass(frozen=True, slots=True)
class CaptureSettings:
    """How this node captures."""

    ffmpeg: str
    node: str
    term: int
    segment_s: int = 60
    connect_s: float = 10.0
    stop_s: float = 5.0


@dataclass(slots=True)
class StreamState:
    """What a supervisor knows of its stream at this moment; read by others, never written."""

    state: str = "connecting"
    cause: str = "source"
    condition: str = ""
    detail: str = ""
    since: Instant = 0
    runs: int = 0
    bytes_in: int = 0
    last_progress: Instant = 0
    stalls: int = 0


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
        self._audio: str | None = "aac"
        self._video = "h264"
        self._failures = 0
        self._errors: deque[str] = deque(maxlen=20)
        self._growth = Growth(Path())
        self._changes = 0
        self._sealing = threading.Lock()  # files of a run are sealed in order, one at a time

    async def run(self) -> None:
        """Record until cancelled; on cancelling, the last segment is sealed first."""
        while True:
            began = self.clock.monotonic()
            wrong_guess = False
            try:
                wrong_guess = await self._one_run()
            except (OSError, RecorderError) as exc:
                self._fail(getattr(exc, "condition", "spool-full"), mask(str(exc)))
            if wrong_guess:
                continue
            if self.clock.monotonic() - began >= STEADY_S:
                self._failures = self._changes = 0
            delay = BACKOFF_S[min(self._failures, len(BACKOFF_S) - 1)]
            self._failures += 1
            await asyncio.sleep(delay * (0.75 + 0.5 * self.clock.jitter()))

    # -- one run ---------------------------------------------------------------------------

    async def _one_run(self) -> bool:
        """Run ffmpeg once; true when it must be started again at once with other guesses."""
        run = Run(
            self.stream, self.settings.node, self.settings.term, self.next_number(),
            self.clock.now(), self.state.cause, mask(self.source.url),
        )  # fmt: skip
        folder = self.spool.open_run(run)
        with hidden(self.source) as url:
            return await self._run_in(folder, run, url)

    async def _run_in(self, folder: Path, run: Run, url: str) -> bool:
        argv = command.record_command(
            self.settings.ffmpeg, self.source, folder, self.settings.segment_s,
            audio=self._audio, video=self._video, connect_s=self.settings.connect_s, url=url,
            checks_rtsps=checks_rtsps(self.settings.ffmpeg),
        )  # fmt: skip
        self.state.runs += 1
        self._errors.clear()
        self._growth = Growth(folder)
        try:
            child = await processes.start(argv)
        except OSError:
            self.spool.close_run(folder)
            raise
        run = replace(run, pid=child.pid)
        self.spool.describe_run(folder, run)
        try:
            return await self._attend(child, folder, run, url)
        finally:
            await asyncio.shield(self._wind_down(child, folder, run))

    async def _attend(self, child: Process, folder: Path, run: Run, url: str) -> bool:
        guess = asyncio.Event()
        listing = asyncio.create_task(self._read_list(child, folder, run))
        errors = asyncio.create_task(self._read_errors(child, guess, url))
        watch = asyncio.create_task(self._watch())
        guessed = asyncio.create_task(guess.wait())
        exits = asyncio.create_task(child.wait())
        tasks: list[asyncio.Task[Any]] = [listing, errors, watch, guessed, exits]
        try:
            await asyncio.wait({exits, watch, guessed}, return_when=asyncio.FIRST_COMPLETED)
            if exits.done() and not guess.is_set():
                await asyncio.wait({errors}, timeout=1)  # its last words
            if guess.is_set():
                if not self._growth.total:
                    child.kill()  # before it writes a file by the wrong guess
                return True
            if watch.done():
                self._fail(watch.result(), lines.ADVICE[watch.result()])
                return watch.result() == "parameters-changed"
            elif exits.done():
                self._explain_exit(child.returncode or 0)
            return False
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _wind_down(self, child: Process, folder: Path, run: Run) -> None:
        """End ffmpeg and seal everything it left, whatever the reason for stopping."""
        await processes.stop(child, self.settings.stop_s)
        report = await self._in_thread(self._seal_rest, folder, run)
        if isinstance(report, SealReport) and report.lost_bytes:
            self.state.detail = f"{report.lost_bytes} bytes of an open fragment were lost"

    async def _in_thread(self, work: Callable[..., object], *args: object) -> object:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self.executor, work, *args)
        except Exception:
            log.exception("sealing failed", extra={"stream": str(self.stream)})
            return None

    def _seal_one(self, path: Path, run: Run) -> None:
        with self._sealing:
            if path.exists():
                self.sealer.seal_file(path, run, self._growth.take(path.name))

    def _seal_rest(self, folder: Path, run: Run) -> SealReport:
        with self._sealing:
            return self.sealer.finish_run(folder, run, self._growth.arrivals)

    # -- watching --------------------------------------------------------------------------

    async def _read_list(self, child: Process, folder: Path, run: Run) -> None:
        """Seal each file as ffmpeg reports it closed."""
        assert child.stdout is not None  # noqa: S101 - made with a pipe
        while line := await child.stdout.readline():
            closed = lines.parse_closed(line.decode(errors="replace"))
            if closed is not None:
                path = folder / Path(closed.name).name
                # shielded: a seal that has begun ends before the run is wound down
                await asyncio.shield(self._in_thread(self._seal_one, path, run))

    async def _read_errors(self, child: Process, guess: asyncio.Event, url: str) -> None:
        """Keep the last lines; notice tracks that need another command, and clock jumps."""
        assert child.stderr is not None  # noqa: S101 - made with a pipe
        described = False
        while line := await child.stderr.readline():
            text = line.decode(errors="replace").rstrip()
            described = described or text.startswith("[info] Output #0") or "Output #0" in text
            track = lines.parse_track(text) if not described else None
            if track is not None and self._learn(track):
                guess.set()
            if "[error]" in text or "[fatal]" in text:
                self._errors.append(text.replace(url, self.source.url))
            if lines.is_clock_jump(text) and self.state.state == "recording":
                self._fail("clock-jump", lines.said(text))
                guess.set()

    def _learn(self, track: lines.InputTrack) -> bool:
        """Take in what the source offers; true when the command was built on a wrong guess."""
        if track.kind == "video" and self._video != track.codec:
            self._video = track.codec
            return track.codec == "hevc"
        if track.kind == "audio" and self._audio != track.codec:
            safe = track.codec in command.SAFE_AUDIO
            self._audio = track.codec
            return not safe and self.source.audio == "auto"
        return False

    async def _watch(self) -> str:
        """Return the condition once nothing has arrived for too long, or it has changed."""
        last = self.clock.monotonic()
        patience = 3600.0 if self.source.listen else self.settings.connect_s + 5
        while True:
            await asyncio.sleep(0.5)
            grown = self._growth.look()
            now = self.clock.monotonic()
            if grown:
                last = now
                self._progress(grown)
                if self._changes < MOST_CHANGES and self._growth.parameters_changed():
                    self._changes += 1
                    return "parameters-changed"
            elif now - last > (self.source.stall_s if self._recording else patience):
                self.state.stalls += 1
                return "stall" if self._recording else "timeout"

    @property
    def _recording(self) -> bool:
        return self.state.state == "recording"

    def _progress(self, grown: int) -> None:
        self.state.bytes_in += grown
        self.state.last_progress = self.clock.now()
        if self._growth.total > 4096 and not self._recording:  # more than an init segment
            self.state.state, self.state.condition, self.state.detail = "recording", "", ""
            self.state.since = self.clock.now()
            log.info("recording", extra={"stream": str(self.stream)})

    # -- failing ---------------------------------------------------------------------------

    def _explain_exit(self, status: int) -> None:
        named = [(name, line) for line in self._errors if (name := lines.condition_of(line))]
        if named:
            self._fail(named[-1][0], lines.said(named[-1][1]))
        elif self._errors:
            self._fail("ended", lines.said(self._errors[-1]))
        else:
            self._fail("ended", f"ffmpeg ended with status {status}")

    def _fail(self, condition: str, detail: str) -> None:
        was_recording = self._recording
        if was_recording or self.state.state != "failing":
            self.state.since = self.clock.now()
        changed = condition != self.state.condition
        self.state.state = "failing"
        self.state.condition, self.state.detail = condition, detail
        if condition == "spool-full":
            self.state.cause = "spool-full"
        elif was_recording:
            self.state.cause = "stall" if condition == "stall" else "source"
        elif self.state.cause in ("node", "off-schedule"):
            self.state.cause = "source"
        if changed or was_recording:
            log.warning(
                "stream failing",
                extra={"stream": str(self.stream), "condition": condition, "detail": detail},
            )
