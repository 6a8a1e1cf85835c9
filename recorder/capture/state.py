"""What is known of one stream at this moment, and of its health."""

from __future__ import annotations

from dataclasses import dataclass, field

from recorder.capture.lines import InputTrack
from recorder.model.timebase import Instant


@dataclass(slots=True)
class StreamState:
    """What a supervisor knows of its stream at this moment; read by others, never written.

    ``habits``: what was noticed of the camera that is no failure, with what is to be said of it
    (:data:`recorder.capture.lines.HABITS`); ``sound``: ``none``, ``off``, ``silent`` or
    ``present``; ``offered``: the tracks of the source.
    """

    state: str = "connecting"
    cause: str = "source"
    condition: str = ""
    detail: str = ""
    since: Instant = 0
    runs: int = 0
    bytes_in: int = 0
    last_progress: Instant = 0
    stalls: int = 0
    sound: str = "none"
    habits: dict[str, str] = field(default_factory=dict)
    offered: tuple[InputTrack, ...] = ()

    @property
    def recording(self) -> bool:
        """Tell whether footage is coming in."""
        return self.state == "recording"

    def begin(self, now: Instant) -> None:
        """Footage has come."""
        self.state, self.condition, self.detail = "recording", "", ""
        self.since = now

    def fail(self, condition: str, detail: str, now: Instant) -> bool:
        """Footage has stopped, or did not come; tell whether that is news."""
        was = self.recording
        if was or self.state != "failing":
            self.since = now
        changed = condition != self.condition
        self.state, self.condition, self.detail = "failing", condition, detail
        if condition in _CAUSES:
            self.cause = _CAUSES[condition]
        elif was or self.cause in ("node", "off-schedule"):
            self.cause = "source"
        return changed or was


_CAUSES = {"spool-full": "spool-full", "stall": "stall", "cannot-start": "node"}
"""Conditions whose gap has a cause of its own; for all others it is the source."""
