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
from operator import sub

from recorder.index import FrameTable, TrackFrames
from recorder.model.timebase import MS, Instant, ns_to_ticks
from recorder.segment.arrival import Follower, usual_step
from recorder.segment.opening import MOST_FIRST, first_frames

MOST_DELAY = 18  # H.264 and H.265 hold back at most 16 pictures; ffmpeg counts one more or two

FEW = 3
"""Fewer frames than this, squeezed, are repeated stamps or jitter: below 100 ms at 25/s."""

AT_ONCE = 2
"""Frames so few ticks apart stand on one another: ffmpeg moves what goes back by one."""

NEAR_NS = 350 * MS
"""Our clock and media time agree when they differ by less: arrivals jitter on a busy node."""

WHOLE = 0.15
"""A step is a whole number of usual ones when it is as near to one."""


@dataclass(frozen=True, slots=True)
class Mended:
    """A track whose times are true; ``shifts`` are ``(stamp, ticks added from there on)``.

    ``leap``: stamps at the end do not lead to the following file's.  ``delay``: ticks by which
    the stamps of a session's first file were behind those of the files after it, and are no more.
    """

    track: TrackFrames
    shifts: tuple[tuple[int, int], ...] = ()
    leap: bool = False
    delay: int = 0

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
    held: int,
) -> Mended:
    """Give the frames of a file's lead track their true times.

    ``written``: when its fragments were written (:func:`recorder.segment.arrival.written_at`);
    ``opens``: it is the first file of a session; ``held``: how many frames ffmpeg holds back.
    """
    track = table.tracks[lead]
    usual = usual_step(track)
    windows = list(_windows(track, written, held))
    if windows and (usual <= AT_ONCE or 2 * sum(_squeezed(track, FEW)) > len(track.dts)):
        # what steps there are say nothing: most stamps are squeezed
        frames = sum(end - begin for begin, end, _ in windows)
        usual = max(1, ns_to_ticks(sum(ns for _, _, ns in windows), timescale) // frames)
    times = _Times(track, follower, usual, _hole_ticks(timescale, usual), FEW if opens else 1)
    if windows and (not opens or windows[0][0] > MOST_FIRST):
        times.lead_in(windows[0][0])
    for begin, end, wall_ns in windows:
        times.mend(begin, end, ns_to_ticks(wall_ns, timescale), ns_to_ticks(NEAR_NS, timescale))
    times.finish()
    dts, cts = times.dts, track.cts
    if opens:
        dts, cts = first_frames(replace(track, dts=dts), usual)
    delay = _label_delay(track, follower, usual) if follower is not None and not times.leap else 0
    leap = times.leap or (delay != 0 and not opens)
    if delay and opens:
        dts = array("q", (at + delay for at in dts))
    last = track.duration[-1] if track.duration[-1] > AT_ONCE else usual
    if follower is not None and not leap:
        last = follower.dts + times.shift - dts[-1]
    mended = _with_times(track, dts, cts, last)
    return Mended(mended, tuple(times.shifts), leap, delay if opens else 0)


def _windows(
    track: TrackFrames, written: Mapping[int, Instant], held: int
) -> Iterator[tuple[int, int, int]]:
    """Yield stretches between frames whose arrival is known: first, following, ns between."""
    for before, after in itertools.pairwise(sorted(written)):
        begin, end = track.first[before + 1] + held, track.first[after + 1] + held
        if begin < end:
            yield begin, end, written[after] - written[before]


class _Times:
    """Decode times as they are mended, window by window; stamps of the rest just run on."""

    def __init__(
        self, track: TrackFrames, follower: Follower | None, usual: int, hole: int, few: int
    ) -> None:
        """``few``: so many squeezed steps tell something where there are no others."""
        self.track, self.usual, self.hole = track, usual, hole
        self.dts = array("q", track.dts)
        self.end = follower.dts if follower is not None else track.dts_end
        self.shifts: list[tuple[int, int]] = []
        self.shift = 0
        self.leap = follower is not None and _leaps(follower, track)
        self.squeezed = _squeezed(track, min(FEW, max(few, len(track.dts) - 1)))
        self._done = 1  # frames whose times are settled

    def lead_in(self, stop: int) -> None:
        """Spread squeezed frames up to ``stop``: the first window begins behind what was held."""
        stop = min(stop, len(self.dts) - 1)
        if stop > 0 and all(self.squeezed[1 : stop + 1]):
            self._set(0, [self.usual] * stop)

    def mend(self, begin: int, end: int, wall: int, near: int) -> None:
        """Mend the steps from frame ``begin`` to frame ``end``; ``wall`` ticks passed."""
        self._run_on(begin + 1)
        count = len(self.track.dts)
        steps = [self._stamp(i) - self._stamp(i - 1) for i in range(begin + 1, end + 1)]
        leaps = max(steps) > self.hole
        if not leaps and not any(self.squeezed[begin + 1 : min(end + 1, count)]):
            return
        frames = end - begin
        if abs(frames * self.usual - wall) <= max(near, frames * self.usual // 3):
            self._set(begin, [wall * (i + 1) // frames - wall * i // frames for i in range(frames)])
        elif leaps and abs(sum(steps) - wall) > 2 * near and wall > frames * self.usual:
            at = steps.index(max(steps))
            even = [self.usual] * frames
            even[at] = wall - (frames - 1) * self.usual
            self._set(begin, even)

    def finish(self) -> None:
        """Let the stamps of what is left run on."""
        self._run_on(len(self.track.dts))

    def _stamp(self, i: int) -> int:
        beyond = i - len(self.track.dts)
        return self.track.dts[i] if beyond < 0 else self.end + beyond * self.usual

    def _run_on(self, stop: int) -> None:
        if self.shift:
            for i in range(self._done, min(stop, len(self.dts))):
                self.dts[i] = self.track.dts[i] + self.shift
        self._done = max(self._done, stop)

    def _set(self, begin: int, steps: Sequence[int]) -> None:
        last = min(begin + len(steps), len(self.dts) - 1)
        if begin >= last:
            return
        for i, step in zip(range(begin + 1, last + 1), steps, strict=False):
            self.dts[i] = self.dts[i - 1] + step
        self.shift = self.dts[last] - self.track.dts[last]
        self.shifts.append((self.track.dts[last], self.shift))
        self._done = last + 1
        self.leap = self.leap or last < begin + len(steps)  # what follows has other stamps


def _leaps(follower: Follower, track: TrackFrames) -> bool:
    """Tell whether the next file's first stamp says nothing of when its frame came."""
    return follower.dts - track.dts[-1] <= (AT_ONCE if follower.squeezed else 0)


def _label_delay(track: TrackFrames, follower: Follower, usual: int) -> int:
    """Return how much later than it must be the next file is stamped, with B-frames.

    ffmpeg stamps each file later by the delay of its first picture; the first picture of an
    RTSP session has no stamp, and so no delay.
    """
    apart = follower.dts - track.dts[-1] - usual
    if not any(track.cts) or abs(apart) <= usual // 2 or abs(apart) > MOST_DELAY * usual:
        return 0
    return apart


def _hole_ticks(timescale: int, usual: int) -> int:
    return max(timescale, 5 * usual)


def begins_squeezed(track: TrackFrames) -> bool:
    """Tell whether a track's second frame, and some behind it, stand on its first."""
    return len(track.dts) > FEW and all(_at_once(track)[1 : FEW + 1])


def _squeezed(track: TrackFrames, few: int) -> bytearray:
    """Mark the frames of every crowd, of ``few`` at least, that stands on one another."""
    marks, at_once = bytearray(len(track.dts)), _at_once(track)
    begin = at_once.find(1)
    while 0 <= begin < len(marks):
        end = begin
        while end < len(marks) and at_once[end]:
            end += 1
        if end - begin >= few:
            marks[begin:end] = b"\1" * (end - begin)
        begin = at_once.find(1, end)
    return marks


def _at_once(track: TrackFrames) -> bytes:
    """Say of each frame, by a 1, whether it stands on the one before it, and is shown there.

    Decode times alone may be squeezed: with B-frames ffmpeg guesses a session's first ones.
    """
    steps = map(sub, track.dts[1:], track.dts)
    return bytes(
        (0, *(s <= AT_ONCE and c <= AT_ONCE for s, c in zip(steps, track.cts[1:], strict=True)))
    )


def shown_in_full(track: TrackFrames) -> TrackFrames:
    """Leave out the last frames of a growing file that are shown after some that are to come.

    What is to come decodes after all that is there, and is shown no sooner after that than any
    other frame.
    """
    if not any(track.cts):
        return track
    limit = track.dts_end + min(track.cts)
    count = len(track.dts)
    while count > 1 and track.dts[count - 1] + track.cts[count - 1] >= limit:
        count -= 1
    dts, size, duration, cts, sync, offset = (column[:count] for column in track.columns()[:6])
    first = array("q", (min(at, count) for at in track.first))
    return TrackFrames(dts, size, duration, cts, sync, offset, first)


def _with_times(track: TrackFrames, dts: array[int], cts: array[int], last: int) -> TrackFrames:
    """Return the track with these times, each frame as long as until the next."""
    duration = array("q", (step if step > 0 else 0 for step in _steps(dts)))
    duration.append(max(1, last))
    return replace(track, dts=dts, cts=cts, duration=duration)


def _steps(times: Sequence[int]) -> list[int]:
    return list(map(sub, times[1:], times))


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
