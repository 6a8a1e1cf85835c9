"""Runs of ffmpeg, and where the span stands that a run is writing."""

from __future__ import annotations

from dataclasses import dataclass

from recorder.model.clocks import CameraClock, SpanClock
from recorder.model.keys import StreamId
from recorder.model.timebase import Instant

_WITHOUT_LENGTHS = ("rtsp", "rtsps", "rtp", "udp", "tcp", "srt")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of ffmpeg on one stream: what anyone needs to seal its files later.

    ``gap_cause`` says why there is no footage before it; ``source`` is the camera's URL
    without secrets; ``pid`` the process, 0 before it is started; ``flush_ns``: after so long
    without a byte it lets go of the frame that it holds back, 0 where that is not known.
    ``ahead_ns``: how far the clock of the spool's disk, that of its server, is ahead of ours.
    """

    stream: StreamId
    node: str
    term: int
    number: int
    started: Instant
    gap_cause: str
    source: str
    pid: int = 0
    flush_ns: int = 0
    ahead_ns: int = 0

    @property
    def held(self) -> int:
        """How many frames ffmpeg holds back: one where only the next tells that it is whole."""
        return int(self.source.split(":", 1)[0].lower() in _WITHOUT_LENGTHS)

    @property
    def writer(self) -> str:
        """The key's postfix."""
        return f"{self.node}.{self.term}"


@dataclass(frozen=True, slots=True)
class SpanState:
    """Where a run stands after a sealed file.

    ``file`` is that file's number: the next one goes on where it ended.  ``sound_ns`` is the
    media time up to which sound has been taken, ``closed`` when the file was closed,
    ``delay`` how many ticks later than sound the picture is stamped.
    ``camera`` is what is known of the camera's clock in this run, ``quiet`` how large predicted
    frames of the quiet scene are (:func:`recorder.index.activity`), ``sets`` the H.264 parameter
    sets in force, in hex.
    """

    span_start: Instant
    counter: int
    decoder_digest: str
    clock: SpanClock
    file: int
    sound_ns: int
    closed: Instant
    delay: int
    camera: CameraClock | None
    quiet: tuple[int, int] = (0, 0)
    sets: tuple[str, ...] = ()

    @property
    def end(self) -> Instant:
        """End of the last segment."""
        return self.clock.wall_end


@dataclass(frozen=True, slots=True)
class SealProgress:
    """What is remembered before what a file holds is given its final names, ``keys``.

    Should the process die before the file is gone, it is sealed again from ``before``, but
    for the keys that exist; any later file goes on from ``after``.
    """

    file: str
    before: SpanState | None
    after: SpanState
    keys: tuple[str, ...] = ()

    def state_for(self, file: str) -> SpanState | None:
        """Return the span state to seal a file from."""
        return self.before if file == self.file else self.after
