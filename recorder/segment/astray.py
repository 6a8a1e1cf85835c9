"""Sound whose stamps have left those of the picture, found by when it came.  Pure.

A camera sets its clock, or begins to stamp one of its tracks anew: from then on the stamps of
sound and picture no longer tell which belongs to which.  Both come at once; so sound that came
far from where its stamps put it is moved to where it came.
"""

from __future__ import annotations

import itertools
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from recorder.index import TrackFrames
from recorder.model.clocks import Observation
from recorder.model.timebase import MS, SECOND, Instant

ASTRAY_NS = 3 * SECOND
"""Sound may come so much later or sooner than the picture of its time, and is believed."""
NEAR_NS = 2 * SECOND
"""How busy a node was is known by pictures that came so near to sound."""
SOUND_LATE_NS = 380 * MS
"""So much later than pictures does sound reach the disk: it is made AAC first (measured)."""
AT_ONCE, FEW = 2, 4
"""Frames so few ticks apart stand on one another; so many do where stamps went back for good."""
AAC_FRAME = 1024


@dataclass(frozen=True, slots=True)
class Heard:
    """Frame ``frame`` of a file of sound, stamped ``stamp_ns``, had come at ``at``.

    ``latest``: it may have come long before, for the last frames of a file are written when the
    next one comes.
    """

    frame: int
    stamp_ns: int
    at: Instant
    latest: bool = False


Move = tuple[int, int]
"""From which frame of a file of sound on, and by how many ns of our clock."""
WallOf = Callable[[int], Instant]
"""Says where the picture's ruler puts an instant of media time (ns)."""


def spread(dts: Sequence[int]) -> array[int]:
    """Return the stamps of sound; ffmpeg squeezes what goes back, and each frame lasts as long.

    >>> list(spread([0, 1024, 2048, 2049, 2050, 2051, 2052]))
    [0, 1024, 2048, 3072, 4096, 5120, 6144]
    """
    steps = [b - a for a, b in itertools.pairwise(dts)]
    crowds = [len(list(same)) for close, same in itertools.groupby(steps, _close) if close]
    if max(crowds, default=0) < FEW:
        return array("q", dts)
    real = sorted(step for step in steps if step > AT_ONCE) or [AAC_FRAME]
    usual, found = real[len(real) // 2], array("q", dts[:1])
    for step, at in zip(steps, dts[1:], strict=True):
        found.append(found[-1] + usual if step <= AT_ONCE or at <= found[-1] else at)
    return found


def _close(step: int) -> bool:
    return step <= AT_ONCE


def heard_of(
    frames: TrackFrames, ends: Sequence[int], arrivals: Sequence[tuple[int, Instant]], scale: int
) -> tuple[Heard, ...]:
    """Say what notes of a file's growth tell: a fragment is written when the frame after it came.

    ``ends``: of its fragments, in bytes; what frame came after the last one is not known.
    """
    found: dict[int, Heard] = {}
    count = len(frames.dts)
    for size, at in arrivals:
        frame = frames.first[bisect_right(ends, size)]
        stamp = frames.dts[min(frame, count - 1)] * SECOND // scale
        if frame:
            found.setdefault(frame, Heard(frame, stamp, at, frame == count))
    return tuple(found[frame] for frame in sorted(found))


def moves(
    dts: Sequence[int],
    heard: Sequence[Heard],
    wall_of: WallOf,
    pictures: Sequence[Observation],
    placed: WallOf,
) -> list[Move]:
    """Say how the frames of a file of sound are moved; nothing where its stamps are right.

    ``wall_of``: where its stamps would lie; ``pictures``: what was seen of the picture's arrival,
    ``placed`` where those lie.  Lateness only adds: of what was observed after a leap the
    earliest counts, and a node that was late with both says nothing.
    """
    late = sorted((at, max(0, at - placed(media))) for media, at in pictures)
    all_ = [(one, one.at - wall_of(one.stamp_ns) - _lateness(late, one.at)) for one in heard]
    seen = [(one, off) for one, off in all_ if not one.latest or off < -ASTRAY_NS]
    found: list[Move] = []
    last = 0
    for group in _between_leaps(seen):
        off = min(off for _, off in group) - SOUND_LATE_NS
        begin = _leap(dts, last, group[0][0].frame) if last else 0
        if abs(off) > ASTRAY_NS or found:
            found.append((begin, off if abs(off) > ASTRAY_NS else 0))
        last = group[-1][0].frame
    return found


def _leap(dts: Sequence[int], begin: int, end: int) -> int:
    """Return the frame behind the longest step."""
    return max(range(begin + 1, min(end + 1, len(dts))), key=lambda i: dts[i] - dts[i - 1])


def _lateness(late: Sequence[tuple[Instant, int]], at: Instant) -> int:
    """Say how late pictures were that came when sound did."""
    place = bisect_left(late, (at, 0))
    near = [(abs(when - at), by) for when, by in late[max(0, place - 1) : place + 1]]
    apart, by = min(near, default=(NEAR_NS, 0))
    return by if apart < NEAR_NS else 0


def _between_leaps(seen: Sequence[tuple[Heard, int]]) -> list[list[tuple[Heard, int]]]:
    """Part what was observed where stamps leapt away from when it came."""
    parts: list[list[tuple[Heard, int]]] = []
    for i, (one, off) in enumerate(seen):
        if not i or abs(off - seen[i - 1][1]) > ASTRAY_NS:
            parts.append([])
        parts[-1].append((one, off))
    return parts
