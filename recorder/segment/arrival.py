"""What is known of how a file's bytes arrived.  Pure.

ffmpeg writes a fragment when the frame that follows it has come.  So the moment at which a
fragment was written is when its follower arrived, and that is what an observation tells.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from recorder.index import FrameTable
from recorder.model.clocks import Observation
from recorder.model.timebase import Instant, ticks_to_ns

Arrival = tuple[int, Instant]
"""How long a file was in bytes, and when it came to be so."""


@dataclass(frozen=True, slots=True)
class Follower:
    """The first frame of the file after one, in ticks: its decode time, its least shown time."""

    dts: int
    pts: int


def written_at(table: FrameTable, arrivals: Sequence[Arrival]) -> dict[int, Instant]:
    """Return when fragments were written, by number, as far as that was seen exactly."""
    found: dict[int, Instant] = {}
    for size, at in arrivals:
        whole = bisect_right(table.ends, size)
        if whole and table.ends[whole - 1] == size:
            found.setdefault(whole - 1, at)
    last = len(table.ends) - 1
    if arrivals and last >= 0 and arrivals[-1][0] >= table.ends[last]:
        found.setdefault(last, arrivals[-1][1])
    return found


def observations(
    table: FrameTable,
    lead: int,
    timescale: int,
    arrivals: Sequence[Arrival],
    follower: int | None,
) -> list[Observation]:
    """Say what each arrival tells: what plays until a media time was here by then.

    ``follower``: shown time of the frame after the last, ``None`` when none came: then the
    last frame's start is all that its arrival proves, for its duration is a guess.
    """
    track = table.tracks[lead]
    stop = len(table.ends)
    found: list[Observation] = []
    for size, at in arrivals:
        whole = bisect_right(table.ends, size)
        if not whole:
            continue
        frame = track.first[whole] if whole < stop else len(track.dts)
        if frame < len(track.dts):
            ticks = track.dts[frame] + track.cts[frame]
        elif follower is not None:
            ticks = follower
        else:
            ticks = max(map(sum, zip(track.dts[-32:], track.cts[-32:], strict=True)))
        found.append((ticks_to_ns(ticks, timescale), at))
    return found
