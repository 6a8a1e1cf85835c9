"""Runs of ffmpeg, and where the span stands that a run is writing."""

from __future__ import annotations

from dataclasses import dataclass

from recorder.model.clocks import CameraClock, SpanClock
from recorder.model.keys import StreamId
from recorder.model.timebase import Instant


@dataclass(frozen=True, slots=True)
class Run:
    """One run of ffmpeg on one stream: what anyone needs to seal its files later.

    ``gap_cause`` says why there is no footage before it; ``source`` is the camera's URL
    without secrets; ``pid`` the process, 0 before it is started.
    """

    stream: StreamId
    node: str
    term: int
    number: int
    started: Instant
    gap_cause: str
    source: str
    pid: int = 0

    @property
    def writer(self) -> str:
        """The key's postfix."""
        return f"{self.node}.{self.term}"


@dataclass(frozen=True, slots=True)
class SpanState:
    """Where a run's present span stands after a sealed segment.

    ``dts_end`` is the decode time, in ticks, of the frame that would follow.
    ``camera`` is what is known of the camera's clock in this run, ``quiet`` how large
    predicted frames of the quiet scene are (:func:`recorder.index.activity`).
    """

    span_start: Instant
    counter: int
    decoder_digest: str
    clock: SpanClock
    dts_end: int
    camera: CameraClock | None
    quiet: tuple[int, int] = (0, 0)

    @property
    def end(self) -> Instant:
        """End of the last segment."""
        return self.clock.wall_end


@dataclass(frozen=True, slots=True)
class SealProgress:
    """What is remembered before a file is given its final name.

    Should the process die before the rename, the same file is sealed again from
    ``before``; any later file goes on from ``after``.
    """

    file: str
    before: SpanState | None
    after: SpanState

    def state_for(self, file: str) -> SpanState | None:
        """Return the span state to seal a file from."""
        return self.before if file == self.file else self.after
