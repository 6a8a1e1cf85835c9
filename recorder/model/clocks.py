"""Two clocks and a ruler: from arrival times and media time to wall-clock time.

Media time is the ruler inside a span.  The recorder's clock says where the ruler lies:
each closed file gives one observation, the moment its last byte arrived against the
media time that byte ends.  Lateness (network, buffering) only ever adds, so a segment
is moved towards an observation gently (over five minutes, at most 500 ppm); an observation that is
earlier than the ruler by more than ``STEP_NS``, or later twice running, is a clock step,
and a step opens a new span: no footage is dropped for a clock.

The camera's own clock comes from ``prft`` boxes.  Until the camera's first RTCP sender
report those hold *our* clock at the time of writing; afterwards the camera's clock at
the fragment's first sample.  Nothing marks the change but the step it makes and how
exactly the later values follow media time (:func:`watch_camera`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from recorder.model.timebase import MS, SECOND, Instant, ticks_to_ns

SLEW_PPM = 500
SLEW_OVER_NS = 300 * SECOND
"""An error is taken back over about this long, so that the jitter of arrival hardly shows."""

STEP_NS = SECOND
EXACT_NS = 2 * MS  # prft has a resolution of 1 ms; twice that covers rounding at both ends
CLEAR_NS = 50 * MS  # a step that arrival jitter on a wired network does not make
LATENESS_NS = 500 * MS


@dataclass(frozen=True, slots=True)
class SpanClock:
    """Where a span's ruler lies after its last segment.

    ``late`` counts successive observations that were later than the ruler by a step.
    """

    media_end: int
    wall_end: Instant
    late: int = 0


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
    observed_end: Instant,
) -> Placed:
    """Place a segment by the span's clock so far and one observation of its end.

    Pure.  Without ``previous`` the segment ends where it was observed to.
    """
    length = ticks_to_ns(media_end - media_start, timescale)
    if previous is None:
        return _anchored(media_end, length, observed_end, stepped=False)
    start = previous.wall_end + ticks_to_ns(media_start - previous.media_end, timescale)
    error = observed_end - (start + length)
    late = previous.late + 1 if error > STEP_NS else 0
    if error < -STEP_NS or late >= 2:
        return _anchored(media_end, length, observed_end, stepped=True)
    most = length * SLEW_PPM // 1_000_000
    share = error * length // SLEW_OVER_NS
    end = start + length + max(-most, min(most, share))
    return Placed(start, end, False, SpanClock(media_end, end, late))


def _anchored(media_end: int, length: int, observed_end: Instant, *, stepped: bool) -> Placed:
    start = (observed_end - length) // 1000 * 1000  # keys carry microseconds
    end = start + length
    return Placed(start, end, stepped, SpanClock(media_end, end))


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
