"""What a run brings is watched: bytes that come, bytes that do not, sound that falls silent."""

from __future__ import annotations

import asyncio
import logging

from recorder.capture import lines
from recorder.capture.growth import Growth
from recorder.capture.listening import Listener
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
        *,
        sounds: bool,
    ) -> None:
        """``another`` is set when a file has begun; ``sounds``: some sound is recorded."""
        self.stream, self.source, self.settings = stream, source, settings
        self.clock, self.growth, self.state = clock, growth, state
        self.another, self.sounds = another, sounds
        self.answered_s = 0.0
        """When the source described itself, by the monotonic clock; 0 before."""

    async def run(self, listener: Listener) -> str:
        """Return the condition once nothing has arrived for too long."""
        over: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def look() -> None:
            if over.done():  # since others were called, at this same instant
                return
            try:
                condition = self._look(listener)
            except Exception as exc:  # noqa: BLE001 - it is raised where this is awaited
                over.set_exception(exc)
            else:
                if condition:
                    over.set_result(condition)

        with self.settings.looks.calling(look):
            return await over

    def _look(self, listener: Listener) -> str:
        """Note what has come; return the condition once nothing has for too long."""
        now, before = self.clock.monotonic(), self.growth.name
        grown = self.growth.look(now)
        if self.growth.name != before:
            self.another.set()
        if grown:
            self._progress(grown)
        self._hear(now)
        if listener.described.is_set():
            self.answered_s = self.answered_s or now
        if now - self.growth.last_s <= self._patience_s(listener):
            return ""
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
