"""What is known of one stream at this moment, and of its health."""

from __future__ import annotations

from dataclasses import dataclass, field

from recorder.capture.lines import InputTrack
from recorder.model.causes import Cause, cause_of_condition
from recorder.model.timebase import Instant


@dataclass(slots=True)
class StreamState:
    """What a supervisor knows of its stream at this moment; read by others, never written.

    ``habits``: what was noticed of the camera that is no failure, with what is to be said of it
    (:data:`recorder.capture.lines.HABITS`); ``sound``: ``none``, ``off``, ``silent`` or
    ``present``; ``offered``: the tracks of the source.
    """

    state: str = "connecting"
    cause: str = Cause.SOURCE
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

    def fail(self, condition: str, detail: str, now: Instant, *, came: bool = False) -> bool:
        """Footage has stopped, or did not come; tell whether that is news.

        ``came``: the run that has ended brought some, though it was over before that was seen.
        """
        was = self.recording
        if was or self.state != "failing":
            self.since = now
        changed = condition != self.condition
        self.state, self.condition, self.detail = "failing", condition, detail
        self.cause = cause_of_condition(condition, self.cause, recording=was or came)
        return changed or was
