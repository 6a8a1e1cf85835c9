"""The first frames of a session, whose stamps are missing or guessed.  Pure.

The first packet of an RTSP session often has no stamp; ffmpeg puts it at zero, and the next one
tick later.  With B-frames it guesses decode times, too high at first, and pushes what is shown
before them behind.
"""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Iterator, Sequence

from recorder.index import TrackFrames

MOST_FIRST = 8
"""So many frames of a session may stand wrongly before its stamps are steady."""
_STEADY = 3  # steps in a row
_LONGEST_PATTERN = 8


def first_frames(track: TrackFrames, usual: int) -> tuple[array[int], array[int]]:
    """Place the first frames of a session before the steady ones; return ``dts``, ``cts``."""
    if any(track.cts):
        return _reordered(track, usual)
    dts = track.dts
    steps = [b - a for a, b in itertools.pairwise(dts[: MOST_FIRST + _STEADY + 1])]
    steady = _steady_from(steps, usual)
    if not steady or (steady > 1 and min(steps[:steady]) * 4 > usual):
        return dts, track.cts  # steady from the start, or it just varies
    return _counted_back(dts, steady, usual), track.cts


def _steady_from(steps: Sequence[int], usual: int) -> int:
    """Return the first frame from which on steps are usual ones, 0 when none is soon."""
    for k in range(min(MOST_FIRST, len(steps) - _STEADY) + 1):
        if all(abs(step - usual) <= usual // 2 for step in steps[k : k + _STEADY]):
            return k
    return 0


def _counted_back(dts: array[int], steady: int, usual: int) -> array[int]:
    return array("q", [*(dts[steady] - (steady - i) * usual for i in range(steady)), *dts[steady:]])


def _reordered(track: TrackFrames, usual: int) -> tuple[array[int], array[int]]:
    """Do it where pictures are not decoded in the order they are shown.

    How long each waits to be shown is taken from later ones: what makes the steadiest rhythm.
    """
    steps = [b - a for a, b in itertools.pairwise(track.dts[: MOST_FIRST + _STEADY + 1])]
    wrong = max(1, _steady_from(steps, usual))
    dts = _counted_back(track.dts, wrong, usual) if wrong > 1 else track.dts
    if len(dts) < wrong + 2 * _LONGEST_PATTERN:
        return track.dts, _first_of_few(track, usual)
    best = max(_waits(track, dts, wrong, usual), key=lambda cts: _rhythm(dts, cts, wrong, usual))
    return dts, best


def _first_of_few(track: TrackFrames, usual: int) -> array[int]:
    """Show the first picture one step before the others, where those come steadily."""
    rest = sorted(at + wait for at, wait in zip(track.dts[1:], track.cts[1:], strict=True))
    steps = sorted(b - a for a, b in itertools.pairwise(rest)) or [usual]
    step = steps[len(steps) // 2]
    if track.cts[0] or not rest or any(abs(one - step) > step // 2 for one in steps):
        return track.cts
    return array("q", [max(0, rest[0] - step - track.dts[0]), *track.cts[1:]])


def _waits(track: TrackFrames, dts: array[int], wrong: int, usual: int) -> Iterator[array[int]]:
    """Yield what the first frames' composition offsets may be."""
    cts, after = track.cts, next((i for i in range(1, len(dts)) if track.sync[i]), len(dts))
    rest = list(cts[wrong:])
    kept = [dts_raw + wait - at for dts_raw, wait, at in zip(track.dts, cts, dts, strict=False)]
    tries = [kept[1:wrong]]
    if after + wrong <= len(dts):
        tries.append(list(cts[after + 1 : after + wrong]))
    tries += [list(cts[1 + p : wrong + p]) for p in range(1, _LONGEST_PATTERN + 1)]
    for others in tries:
        shown = [at + wait for at, wait in zip(dts[1:], [*others, *rest], strict=False)]
        first = min(shown[: wrong + _LONGEST_PATTERN]) - usual - dts[0]
        yield array("q", [first, *others, *rest])


def _rhythm(dts: array[int], cts: array[int], wrong: int, usual: int) -> int:
    """Count how many of the first pictures are shown one usual step after the one before."""
    count = wrong + 2 * _LONGEST_PATTERN
    shown = sorted(at + wait for at, wait in zip(dts[:count], cts[:count], strict=True))
    steps = [b - a for a, b in itertools.pairwise(shown[: wrong + _LONGEST_PATTERN])]
    return sum(abs(step - usual) <= usual // 8 for step in steps)
