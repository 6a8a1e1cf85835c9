"""What is known of how a file's bytes arrived.  Pure.

ffmpeg writes a fragment when the frame that follows it has come; of a stream without frame
lengths (RTP, MPEG-TS) it lets go of a frame only when the next begins.  So the moment at which
a fragment was written tells when its follower, or the frame after that, arrived.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from operator import sub

from recorder.index import FrameTable, TrackFrames
from recorder.model.clocks import Observation
from recorder.model.timebase import Instant, ticks_to_ns

Arrival = tuple[int, Instant]
"""How long a file was in bytes, and when it came to be so."""


@dataclass(frozen=True, slots=True)
class Follower:
    """The first frame of the file after one, in ticks: its decode time, its least shown time.

    ``squeezed``: the frames behind it stand on it, so its own stamp says nothing either.
    ``came``: what that file's arrivals tell so far, as if nothing had been held back.
    """

    dts: int
    pts: int
    squeezed: bool = False
    came: tuple[Observation, ...] = ()


def credible(follower: Follower | None, track: TrackFrames, timescale: int) -> Follower | None:
    """Return the first frame of the next file, unless its stamp lies: it is damaged, not late.

    No session is silent for a day; what is no later than the track's last frame is a leap.
    """
    if follower is not None and follower.dts - track.dts[-1] > 86_400 * timescale:
        return None
    return follower


def usual_step(track: TrackFrames) -> int:
    """Return the usual ticks from one frame to the next, at least 1."""
    steps: list[int] = sorted(map(sub, track.dts[1:], track.dts))
    real = bisect_right(steps, 2)
    if real == len(steps):
        return max([1, *track.duration[-1:]])
    return steps[(real + len(steps)) // 2]


def written_at(
    table: FrameTable, arrivals: Sequence[Arrival], before: Instant | None = None
) -> dict[int, Instant]:
    """Return when fragments were written, by number, as far as that was seen exactly.

    ``before``: when the file before was closed; it stands as number -1.
    """
    found: dict[int, Instant] = {} if before is None else {-1: before}
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
    held: int,
    flush_ns: int = 0,
) -> list[Observation]:
    """Say what each arrival tells: what plays until a media time was here by then.

    ``follower``: shown time of the frame after the last, ``None`` when none came: then the
    last frame's start is all that its arrival proves, for its duration is a guess.
    ``held``: how many frames ffmpeg holds back until it has seen what comes next.
    ``flush_ns``: or until nothing has come for so long (0: never); what was written then tells
    nothing of what comes next.
    """
    track = table.tracks[lead]
    stop, count = len(table.ends), len(track.dts)
    shown = [dts + cts for dts, cts in zip(track.dts, track.cts, strict=True)]
    ruler = sorted(shown)
    # One is sent for each that is taken; what is decoded before its turn waits for none later.
    wait = max(at - turn for at, turn in zip(shown, ruler, strict=True))
    usual = usual_step(track)
    if follower is not None:
        ruler += [follower + i * usual for i in range(held + 1)]
    found: list[Observation] = []
    for size, at in arrivals:
        whole = bisect_right(table.ends, size)
        if not whole:
            continue
        next_one = min(track.first[whole] if whole < stop else count, len(ruler) - 1)
        frame = min(next_one + held, len(ruler) - 1)
        if flush_ns and ticks_to_ns(ruler[frame] - ruler[next_one], timescale) > flush_ns:
            frame, at = next_one, at - flush_ns
        found.append((ticks_to_ns(ruler[frame] + wait, timescale), at))
    return found
