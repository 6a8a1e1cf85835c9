"""What a run brings is watched: bytes that come, bytes that do not, sound that falls silent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine

from recorder.capture import lines
from recorder.capture.growth import Growth
from recorder.capture.listening import Listener
from recorder.capture.looks import Looks
from recorder.capture.settings import CaptureSettings
from recorder.capture.state import StreamState
from recorder.model.cameras import StreamSource
from recorder.model.keys import StreamId
from recorder.ports import Clock

log = logging.getLogger("recorder.capture")

SLOW_START_S = 30.0
"""A source that has answered may take so long to its first fragment: one frame in five seconds
is on disk with the fourth or fifth, for ffmpeg wants to know its rate."""
SILENT_S = 10.0
"""Sound that did not come for so long is called silent."""
LONG_FILE_S, LONG_FILE_BYTES = 600.0, 100_000_000
"""A file ends where pictures can be begun with.  Until then nothing of it is sealed, shipped or let
go; a camera that sends one clean point, its first, sends another to who comes anew."""
SILENT = "spool-failing"
UNANSWERED = (
    "this node's spool does not answer: its disk, or its mount, hangs; look there; recording goes "
    "on by itself when it answers"
)
SAID = {**lines.ADVICE, SILENT: UNANSWERED}
"""What is said of the conditions that watching finds."""


class Watch:
    """Watches one run of a stream, and keeps its state true."""

    def __init__(
        self,
        stream: StreamId,
        source: StreamSource,
        settings: CaptureSettings,
        clock: Clock,
        growth: Growth,
        state: StreamState,
        another: asyncio.Event,
        failed: Callable[[str, str], None],
        *,
        sounds: bool,
    ) -> None:
        """``another`` is set when a file has begun; ``sounds``: some sound is recorded.

        ``failed`` is told condition and detail while the disk does not answer.
        """
        self.stream, self.source, self.settings = stream, source, settings
        self.clock, self.growth, self.state = clock, growth, state
        self.another, self.failed, self.sounds = another, failed, sounds
        self.answered_s = 0.0
        """When the source described itself, by the monotonic clock; 0 before."""
        self.hung = False
        """Whether the disk did not answer for a while."""
        self._told, self._name = growth.total, growth.name
        self._file_s = clock.monotonic()
        self._described = asyncio.Event()
        self._over: asyncio.Future[str] | None = None

    async def run(self, listener: Listener) -> str:
        """Return the condition once nothing has arrived for too long.

        After a disk that hung it is that, as soon as it answers: what comes next is another run,
        with its cause before it.
        """
        self._described = listener.described
        self._over = asyncio.get_running_loop().create_future()
        answers = asyncio.create_task(self._answers())
        try:
            with self.settings.looks.calling(self):
                return await self._over
        finally:
            answers.cancel()

    async def _answers(self) -> None:
        """Note when the source has described itself: then, not when it is looked next.

        By how long it was waited for a picture since a next try is given more.
        """
        await self._described.wait()
        self.answered_s = self.clock.monotonic()

    def look(self) -> bool:
        """Ask the disk how much has come; tell whether that changes something."""
        now = self.clock.monotonic()
        grown = self.growth.look(now)
        if self.growth.name != self._name:
            return True
        if grown:
            return not self.state.recording
        return now - self.growth.last_s > self._patience_s()

    def unanswered(self) -> None:
        """Say why nothing is recorded; ffmpeg, which waits for the disk, too, is left alone."""
        self.hung = True
        self.failed(SILENT, UNANSWERED)

    def judge(self) -> None:
        """Note what has come; tell the condition once nothing has for too long."""
        if self._over is None or self._over.done():  # since others were called, at this instant
            return
        try:
            condition = SILENT if self.hung else self._judge()
        except Exception as exc:  # noqa: BLE001 - it is raised where this is awaited
            self._over.set_exception(exc)
        else:
            if condition:
                self._over.set_result(condition)

    def _judge(self) -> str:
        """Note what has come; return the condition once nothing has for too long."""
        now, total = self.clock.monotonic(), self.growth.total  # a thread may be adding to it
        grown, self._told = total - self._told, total
        if self.growth.name != self._name:
            self._name, self._file_s = self.growth.name, now
            self.another.set()
        if grown:
            self._progress(grown)
        self._hear(now)
        if now - self._file_s > LONG_FILE_S and self.growth.size > LONG_FILE_BYTES:
            return "no-clean-point"
        if now - self.growth.last_s <= self._patience_s():
            return ""
        self.state.stalls += 1
        return "stall" if self.state.recording else "timeout"

    def _patience_s(self) -> float:
        """Say how long to wait for the next bytes."""
        start_s = self.settings.connect_s + 5
        if self._described.is_set():  # it has answered; its first pictures may come slowly
            start_s = max(start_s, SLOW_START_S)
        elif self.source.listen:
            start_s = 3600.0
        if not self.state.recording:
            return start_s
        return self.growth.patience_s(self.source.stall_s, start_s)

    def _progress(self, grown: int) -> None:
        self.state.bytes_in += grown
        self.state.last_progress = self.clock.now()
        if self.growth.footage and not self.state.recording:
            self.state.begin(self.clock.now())
            log.info("recording", extra={"stream": str(self.stream)})

    def _hear(self, now: float) -> None:
        """Note what sound does; the picture does not wait for it."""
        state, habits = self.state, self.state.habits
        if self.source.audio == "off":
            state.sound = "off"
        elif not self.sounds:
            state.sound = "none"
        elif now - self.growth.sound_s < SILENT_S:
            state.sound = "present" if self.growth.heard > lines.INIT_BYTES else state.sound
            habits.pop("sound-silent", None)
        elif state.recording:
            state.sound = "silent"
            habits["sound-silent"] = lines.HABITS["sound-silent"]


async def next_bytes(
    growth: Growth,
    clock: Clock,
    looks: Looks,
    ends: Coroutine[object, object, object],
    limit_s: float,
) -> None:
    """Wait until more of a run's picture is on disk, until it ``ends``, or for ``limit_s``."""
    with looks.calling(one := _NextBytes(growth, clock)):
        waits = [asyncio.create_task(what) for what in (one.came.wait(), ends)]
        try:
            await asyncio.wait(waits, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits:
                task.cancel()


class _NextBytes:
    """Looks until something has come."""

    def __init__(self, growth: Growth, clock: Clock) -> None:
        self._growth, self._clock, self._before = growth, clock, growth.total
        self.came = asyncio.Event()

    def look(self) -> bool:
        self._growth.look(self._clock.monotonic())
        return self._growth.total > self._before

    def judge(self) -> None:
        if self._growth.total > self._before:
            self.came.set()

    def unanswered(self) -> None:
        """Nothing comes while the disk hangs."""
