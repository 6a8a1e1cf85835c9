"""True frame times from stamps and arrivals.  Pure.

A camera's stamps are the ruler, but ffmpeg and cameras bend it in places: the first packet of a
session has no stamp and is put one tick before the second; stamps that go back are squeezed to
one tick each; a sender report that steps makes a leap where no frame is missing.  Here the
frames are given the times at which they must have been filmed.  What arrivals do not prove is
left as it is.
"""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from recorder.index import FrameTable, TrackFrames
from recorder.model.timebase import MS, Instant, ns_to_ticks, ticks_to_ns
from recorder.segment.arrival import Follower, usual_step

MOST_FIRST = 8
"""So many frames of a session may stand wrongly before its stamps are steady."""

MOST_DELAY = 18  # H.264 and H.265 hold back at most 16 pictures; ffmpeg counts one more or two

FEW = 3
"""Fewer frames than this, squeezed, are repeated stamps or jitter: below 100 ms at 25/s."""

WHOLE = 0.15

LEAP_NS = 700 * MS
"""A leap must exceed what arrivals say by this much: more than they jitter on a busy node."""


@dataclass(frozen=True, slots=True)
class Mended:
    """A track whose times are true; ``shifts`` are ``(stamp, ticks added from there on)``.

    ``leap``: stamps at the end do not lead to the following file's.
    """

    track: TrackFrames
    shifts: tuple[tuple[int, int], ...] = ()
    leap: bool = False

    @property
    def shift(self) -> int:
        """Ticks that the last frame was moved by."""
        return self.shifts[-1][1] if self.shifts else 0


def mend(
    table: FrameTable,
    lead: int,
    timescale: int,
    written: Mapping[int, Instant],
    *,
    opens: bool,
    follower: Follower | None,
) -> Mended:
    """Give the frames of a file's lead track their true times.

    ``written``: when its fragments were written (:func:`recorder.segment.arrival.written_at`);
    ``opens``: it is the first file of a session.
    """
    track = table.tracks[lead]
    usual = usual_step(track)
    dts = array("q", track.dts)
    shifts: list[tuple[int, int]] = []
    evidence = _Evidence(track, timescale, written, follower)
    shift, i = 0, 1
    while i < len(track.dts):
        step = track.dts[i] - track.dts[i - 1]
        last = _squeezed_to(track, i, usual) if step <= 2 else i - 1
        count = last - i + 1
        if count >= FEW and evidence.missing(i - 1, last) * 2 >= count * usual:
            for j in range(i, last + 1):
                shift += usual - (track.dts[j] - track.dts[j - 1])
                dts[j] = track.dts[j] + shift
            shifts.append((track.dts[last], shift))
            i = last + 1
            continue
        if step > _hole_ticks(timescale, usual) and evidence.leaps(i - 1, step, usual):
            shift -= step - usual
            shifts.append((track.dts[i], shift))
        dts[i] = track.dts[i] + shift
        i += 1
    cts = track.cts
    if opens:
        dts, cts = _first_frames(dts, cts, usual)
    leap = follower is not None and (
        _leaps_after(track, follower, evidence, timescale, usual)
        or (opens and _is_guessed(track, follower, usual))
    )
    return Mended(_with_times(track, dts, cts, follower, shift, leap), tuple(shifts), leap)


def _leaps_after(
    track: TrackFrames, follower: Follower, evidence: _Evidence, timescale: int, usual: int
) -> bool:
    """Tell whether the stamps leap, or go back, between this file and the next."""
    step = follower.dts - track.dts[-1]
    if step <= 0:
        return True
    big = step > _hole_ticks(timescale, usual)
    return big and evidence.leaps(len(track.dts) - 1, step, usual)


def _is_guessed(track: TrackFrames, follower: Follower, usual: int) -> bool:
    """Tell whether decode times of a session's first file are ffmpeg's guess.

    With B-frames the first picture has no stamp, and all of that file stands some frames earlier
    than the files after it: by the delay of its clean points, and one.
    """
    apart = follower.dts - track.dts[-1] - usual
    return any(track.cts) and usual // 2 < apart <= MOST_DELAY * usual


def _hole_ticks(timescale: int, usual: int) -> int:
    return max(timescale, 5 * usual)


def _squeezed_to(track: TrackFrames, i: int, usual: int) -> int:
    """Return the last of the frames from ``i`` on that stand (nearly) on one another."""
    while i + 1 < len(track.dts) and track.dts[i + 1] - track.dts[i] <= 2:
        i += 1
    nxt = i + 1
    # the frame on which the stamps catch up stands too near, too
    if nxt < len(track.dts) and track.dts[nxt] - track.dts[i] < usual // 2:
        return nxt
    return i


class _Evidence:
    """What the times of writing say of a stretch of frames."""

    def __init__(
        self, track: TrackFrames, timescale: int, written: Mapping[int, Instant],
        follower: Follower | None,
    ) -> None:  # fmt: skip
        self.track, self.timescale, self.written = track, timescale, written
        self.follower = follower
        self.known = sorted(written)

    def _came(self, fragment: int) -> int | None:
        """Decode time of the frame whose arrival a fragment's writing tells."""
        frame = self.track.first[fragment + 1]
        if frame < len(self.track.dts):
            return self.track.dts[frame]
        return self.follower.dts if self.follower is not None else None

    def surplus(self, first: int, last: int) -> int | None:
        """Media ticks minus ticks by our clock around the frames ``first`` to ``last``.

        ``None`` when nobody saw them arrive.
        """
        before = [f for f in self.known if self.track.first[f + 1] <= first]
        after = [f for f in self.known if self.track.first[f + 1] > last]
        if not before or not after:
            return None
        begin, end = self._came(before[-1]), self._came(after[0])
        if begin is None or end is None:
            return None
        wall = self.written[after[0]] - self.written[before[-1]]
        return end - begin - ns_to_ticks(wall, self.timescale)

    def missing(self, first: int, last: int) -> int:
        """How many ticks of media time are missing against our clock."""
        return -(self.surplus(first, last) or 0)

    def leaps(self, first: int, step: int, usual: int) -> bool:
        """Tell whether the step after a frame is a leap of stamps: no such time went by."""
        over = self.surplus(first, first)
        if over is None or ticks_to_ns(over, self.timescale) < LEAP_NS:
            return False
        return over * 2 >= step - usual


def _first_frames(dts: array[int], cts: array[int], usual: int) -> tuple[array[int], array[int]]:
    """Place the first frames of a session, which often have no stamp, before the steady ones."""
    shown = sorted(range(len(dts)), key=lambda i: (dts[i] + cts[i], i))
    pts = [dts[i] + cts[i] for i in shown]
    steps = _steps(pts[: MOST_FIRST + 4])
    steady = next(
        (
            k
            for k in range(min(MOST_FIRST, len(steps) - 2))
            if all(abs(step - usual) <= usual // 2 for step in steps[k : k + 3])
        ),
        0,
    )
    if not steady or (steady > 1 and min(steps[:steady]) * 4 > usual):
        return dts, cts  # steady from the start, or it just varies
    dts, cts = array("q", dts), array("q", cts)
    reorders = any(cts)
    for j in range(steady):
        i, true = shown[j], pts[steady] - (steady - j) * usual
        if reorders:
            cts[i] = true - dts[i]
        else:
            dts[i] = true
    return dts, cts


def _with_times(
    track: TrackFrames, dts: array[int], cts: array[int], follower: Follower | None, shift: int,
    leap: bool,
) -> TrackFrames:  # fmt: skip
    """Return the track with these times, each frame as long as until the next."""
    last = track.duration[-1]
    if follower is not None and not leap:
        last = follower.dts + shift - dts[-1]
    duration = array("q", (max(0, step) for step in _steps(dts)))
    duration.append(max(1, last))
    return replace(track, dts=dts, cts=cts, duration=duration)


def _steps(times: Sequence[int]) -> list[int]:
    return [b - a for a, b in itertools.pairwise(times)]


# -- what is not there ------------------------------------------------------------------------


def hole_ticks(track: TrackFrames, timescale: int, media_end: int) -> Iterator[tuple[int, int]]:
    """Yield where no frame came for more than a second, and five times longer than usual."""
    usual = usual_step(track)
    least = _hole_ticks(timescale, usual)
    times = sorted(map(sum, zip(track.dts, track.cts, strict=True)))
    for a, b in zip(times, [*times[1:], media_end], strict=True):
        if b - a > least:
            yield a + usual, b


def missing_frames(track: TrackFrames, *, opens: bool = False) -> int:
    """Estimate how many frames of a steady stream are not there; 0 for an unsteady one.

    ``opens``: it begins a session, whose first steps say nothing.
    """
    steps = _steps(track.dts[MOST_FIRST:] if opens else track.dts)
    usual = usual_step(track)
    odd = [step for step in steps if abs(step - usual) > usual // 2]
    if len(odd) > max(2, len(steps) // 50):
        return 0
    counts = [(step / usual, round(step / usual)) for step in odd if step > usual]
    # jitter of sender reports moves frames by a part of a step, lost ones leave whole steps
    return sum(count - 1 for share, count in counts if abs(share - count) <= WHOLE)
