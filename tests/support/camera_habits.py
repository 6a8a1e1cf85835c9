"""What a camera does that another does not, as data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Windows = tuple[tuple[float, float], ...]
"""Half-open stretches of a session, in seconds since its PLAY."""

ALWAYS: Windows = ((0.0, math.inf),)
NEVER: Windows = ()

VIDEO_CLOCK = 90_000


@dataclass(frozen=True, slots=True)
class Stamps:
    """How a track's RTP stamps relate to time.

    ``speed``: ticks per true tick.  The rest happens in every session, in seconds since PLAY:
    ``jumps`` (when, by how many seconds), ``restarts`` (when, from which stamp on), ``frozen``.
    """

    speed: float = 1.0
    base: int = 3_000_000
    jumps: tuple[tuple[float, float], ...] = ()
    restarts: tuple[tuple[float, int], ...] = ()
    frozen: Windows = ()

    def at(self, uptime_s: float, played_s: float, clock: int = VIDEO_CLOCK) -> int:
        """Return the stamp of an instant; ``played_s`` is when the session began."""
        since = uptime_s - played_s
        for start, end in self.frozen:
            if start <= since < end:
                since = start
        by = sum(by for at, by in self.jumps if since >= at)
        stamp = self.base + round((played_s + since + by) * clock * self.speed)
        for at, first in self.restarts:
            if since >= at:
                stamp = first + round((since - at) * clock * self.speed)
        return stamp % (1 << 32)


def wrapping(after_s: float) -> Stamps:
    """Stamps that pass 2^32 so long after the camera was switched on."""
    return Stamps(base=(1 << 32) - round(after_s * VIDEO_CLOCK))


@dataclass(frozen=True, slots=True)
class Reports:
    """What sender reports say: when they come, and how true they are.

    ``jitter_s``: the RTP time of each is off by so much, now late, now early.  ``steps``: the
    clock is set (seconds since PLAY, by).  ``ntp``: ``1970`` counts from the epoch's first hour.
    """

    period_s: float = 5.0
    jitter_s: float = 0.0
    steps: tuple[tuple[float, float], ...] = ()
    ntp: Literal["now", "1970", "zero"] = "now"


NO_REPORTS = Reports(period_s=math.inf)


@dataclass(frozen=True, slots=True)
class Track:
    """One track of the description.

    ``what``: a name of :data:`tests.support.streams.STREAMS`, or a payload of
    :data:`tests.support.sounds.SOUNDS`.
    """

    what: str = "plain"
    sends: Windows = ALWAYS
    stamps: Stamps = Stamps()


ParameterSets = Literal["never", "key", "twice", "own", "slice"]
"""Where parameter sets stand in the stream: nowhere; before every key picture; twice in a
session's first picture and before every later key picture; before every key picture, with its
stamp, but as a picture of their own; before every slice of a key picture."""


@dataclass(frozen=True, slots=True)
class Habits:
    """All that is peculiar about one camera.  The plain one is just good.

    ``speed``: seconds of the encoded stream that pass in a true second.  ``drop_every`` and
    ``swap_every`` count video packets.  ``refused``: numbers of sessions, from 1, that get 503.
    ``burst_s``: what was taken in so many seconds is sent at their end, all at once.
    """

    tracks: tuple[Track, ...] = (Track(),)
    reports: Reports = Reports()
    speed: float = 1.0
    sprop: bool = True
    sets: ParameterSets = "key"
    begins: Literal["key", "now"] = "key"
    session_s: float = math.inf
    timeout_s: int = 60
    parameter: Literal["200", "454", "close"] = "200"
    refused: tuple[int, ...] = ()
    redirects: bool = False
    user: str = ""
    scheme: Literal["Digest", "Basic"] = "Digest"
    drop_every: int = 0
    swap_every: int = 0
    marker: bool = True
    burst_s: float = 0.0
    rtp_info: bool = True
    limit: int = 1400
