"""Two clocks and a ruler: from arrival times and media time to wall-clock time.

Media time is the ruler inside a span.  The recorder's clock says where the ruler lies: each
observation says that what plays until a media time was here at an instant.  Lateness (network,
buffering) only ever adds, so the earliest observations are nearest the truth, and a segment is
moved towards them gently (over five minutes, at most 500 ppm).  A camera whose stamps steadily
run slower or faster than time has its rate fitted (:func:`fit_rate`).  An observation that is
earlier than the ruler by more than ``STEP_NS``, or later twice running, is a clock step, and a
step opens a new span: no footage is dropped for a clock.

The camera's own clock comes from ``prft`` boxes.  Until the camera's first RTCP sender
report those hold *our* clock at the time of writing; afterwards the camera's clock at
the fragment's first sample.  Nothing marks the change but the step it makes and how
exactly the later values follow media time (:func:`watch_camera`).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from recorder.model.timebase import MS, SECOND, Instant, ticks_to_ns

SLEW_PPM = 500
SLEW_OVER_NS = 300 * SECOND
"""An error is taken back over about this long, so that the jitter of arrival hardly shows."""

STEP_NS = SECOND
EXACT_NS = 2 * MS  # prft has a resolution of 1 ms; twice that covers rounding at both ends
CLEAR_NS = 50 * MS  # a step that arrival jitter on a wired network does not make
LATENESS_NS = 500 * MS

CALM_NS = 50 * MS
"""Arrivals that agree with media time this well need no other rate."""
MOST_ANCHORS = 24  # six files of four: six minutes of 60 s segments
MOST_RATE = 120.0
"""Stamps in milliseconds, where the session says 90 kHz, make 90; more is no camera's."""
USUAL_RATE, SURE_NS = 2.0, 3 * SECOND
"""Beyond that a rate must be seen for so long: what was kept until somebody came, and what waited
for a line, comes as fast as the line allows."""

Observation = tuple[int, Instant]
"""What plays until a media time (ns) was here at this instant."""


@dataclass(frozen=True, slots=True)
class SpanClock:
    """Where a run's ruler lies after its last segment.

    ``late`` counts successive observations that were later than the ruler by a step.
    ``rate`` is how many ns of our clock pass in one of media time; ``anchors`` are the least
    late observations of the last files, by which it was fitted.
    """

    media_end: int
    wall_end: Instant
    late: int = 0
    rate: float = 1.0
    anchors: tuple[Observation, ...] = ()

    def at(self, media_end: int, timescale: int) -> SpanClock:
        """The same instant under another media time: stamps jumped, or durations were guessed."""
        moved = ticks_to_ns(media_end - self.media_end, timescale)
        anchors = tuple((media + moved, wall) for media, wall in self.anchors)
        return replace(self, media_end=media_end, anchors=anchors)


@dataclass(frozen=True, slots=True)
class Placed:
    """A segment's place in wall-clock time; ``stepped`` asks for a new span."""

    start: Instant
    end: Instant
    stepped: bool
    clock: SpanClock


def place(
    previous: SpanClock | None,
    media_start: int,
    media_end: int,
    timescale: int,
    seen: Sequence[Observation],
    ahead: Sequence[Observation] = (),
) -> Placed:
    """Place a segment by the run's clock so far and what was observed of its arrival.

    Pure.  Without ``previous`` the segment lies where the earliest observation puts it; else
    it begins where the one before ended.  ``seen`` holds at least one observation; ``ahead``
    those of what follows, which tell the rate of a short one better.
    """
    length = ticks_to_ns(media_end - media_start, timescale)
    end_ns = ticks_to_ns(media_end, timescale)
    fresh = _least_late(seen)
    known = previous.anchors if previous is not None else ()
    anchors = (*known, *fresh)[-MOST_ANCHORS:]
    told = (*anchors, *(_least_late(ahead) if ahead else ()))
    rate = fit_rate(told, previous.rate if previous is not None else 1.0)
    observed_end = _end_by(seen, end_ns, rate)
    if previous is None:
        return _anchored(media_end, length, observed_end, rate, fresh, stepped=False)
    start = previous.wall_end
    expected = start + round(length * rate)
    error = observed_end - expected
    late = previous.late + 1 if error > STEP_NS else 0
    if error < -STEP_NS or late >= 2:
        rate = fit_rate(fresh, previous.rate)
        observed_end = _end_by(seen, end_ns, rate)
        return _anchored(media_end, length, observed_end, rate, fresh, stepped=True)
    most = length * SLEW_PPM // 1_000_000
    end = expected + max(-most, min(most, error * length // SLEW_OVER_NS))
    kept = known if late else anchors
    return Placed(start, end, False, SpanClock(media_end, end, late, rate, kept))


def _end_by(seen: Sequence[Observation], end_ns: int, rate: float) -> Instant:
    return min(wall + round((end_ns - media) * rate) for media, wall in seen)


def _anchored(
    media_end: int,
    length: int,
    observed_end: Instant,
    rate: float,
    fresh: tuple[Observation, ...],
    *,
    stepped: bool,
) -> Placed:
    span = round(length * rate)
    start = (observed_end - span) // 1000 * 1000  # keys carry microseconds
    end = start + span
    return Placed(start, end, stepped, SpanClock(media_end, end, 0, rate, fresh))


def _least_late(seen: Sequence[Observation]) -> tuple[Observation, ...]:
    """Return the least late observation of each quarter of a file, by media time."""
    first, last = min(seen)[0], max(seen)[0]
    width = max(1, (last - first + 4) // 4)
    best: dict[int, Observation] = {}
    for media, wall in seen:
        quarter = (media - first) // width
        if quarter not in best or wall - media < best[quarter][1] - best[quarter][0]:
            best[quarter] = (media, wall)
    return tuple(best[quarter] for quarter in sorted(best))


def fit_rate(anchors: Sequence[Observation], before: float) -> float:
    """Say how many ns of our clock pass in one of media time.  Pure.

    1.0 unless the anchors show a steady other rate: the median slope of all pairs, to which
    they keep much better than to 1.0.  ``before``: the rate so far, kept where they show
    neither.

    >>> fit_rate([(i * SECOND, 5 * SECOND + i * 1_190_000_000) for i in range(5)], 1.0)
    1.19
    """
    if len(anchors) < 4:
        return before
    if _spread(anchors, 1.0) <= CALM_NS:
        return 1.0
    slopes = [
        (b[1] - a[1]) / (b[0] - a[0])
        for a, b in itertools.combinations(sorted(anchors), 2)
        if b[0] > a[0] and max(b[0] - a[0], (b[1] - a[1]) // 4) >= SECOND // 4
    ]
    if not slopes:
        return before
    rate = median(slopes)
    long_ns = max(wall for _, wall in anchors) - min(wall for _, wall in anchors)
    most = MOST_RATE if long_ns >= SURE_NS else USUAL_RATE
    if not 1 / most <= rate <= most:
        return before
    better = 4 if len(anchors) >= 8 else 6  # few agree by chance
    return rate if _spread(anchors, rate) * better <= _spread(anchors, 1.0) else before


def _spread(anchors: Sequence[Observation], rate: float) -> int:
    """How far apart anchors lie from a ruler of this rate, but for the latest eighth of them."""
    rest = sorted(wall - round(media * rate) for media, wall in anchors)
    return rest[len(rest) - 1 - len(rest) // 8] - rest[0]


@dataclass(frozen=True, slots=True)
class CameraClock:
    """What is known of a camera's clock after some fragments of a run.

    ``base_ns``: the last ``prft`` minus media time; ``exact``: how many fragments in a row
    had the same; ``stepped``: whether a clear step led to it; ``known``: whether it is the
    camera's clock, not ours.
    """

    base_ns: int
    exact: int = 0
    stepped: bool = False
    known: bool = False


def watch_camera(
    before: CameraClock | None,
    walls: Sequence[Instant],
    prfts: Sequence[int],
    media_ns: Sequence[int],
) -> tuple[CameraClock | None, int | None]:
    """Follow a camera's clock through a file; return what is known, and its offset to ours.

    ``walls``: our time of each fragment's first sample; ``prfts``: its ``prft`` time, -1
    where absent; ``media_ns``: its media time.  The offset is ``None`` until the camera
    has said its time.

    Before the first sender report, ``prft`` wanders with arrival and lies one fragment
    late; after it, ``prft`` minus media time is constant to the millisecond.  A camera
    that never reports could by chance look constant: then it still lies one fragment late.
    """
    state, offset = before, None
    for i, (wall, prft, media) in enumerate(zip(walls, prfts, media_ns, strict=True)):
        if prft < 0:
            continue
        state = _next_camera(state, prft - media)
        after = media_ns[i + 1] if i + 1 < len(media_ns) else 2 * media - media_ns[i - 1]
        own = abs(prft - wall - (after - media)) < LATENESS_NS
        if not state.known and _proven(state, own):
            state = replace(state, known=True)
        offset = prft - wall if state.known else None
    return state, offset


def _next_camera(before: CameraClock | None, base_ns: int) -> CameraClock:
    if before is None:
        return CameraClock(base_ns)
    moved = abs(base_ns - before.base_ns)
    if moved <= EXACT_NS:
        return replace(before, base_ns=base_ns, exact=before.exact + 1)
    return CameraClock(base_ns, 0, before.stepped or moved > CLEAR_NS, before.known)


def _proven(state: CameraClock, looks_like_ours: bool) -> bool:
    if state.stepped:
        return state.exact >= 2
    return state.exact >= 4 and not looks_like_ours
