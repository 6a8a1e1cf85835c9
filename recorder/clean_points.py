"""Clean points of a segment, packed for the catalog."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from operator import add

from recorder.errors import IndexCorrupt
from recorder.index import CLOSED, OPEN, FrameTable, pack_ints, unpack_ints
from recorder.model.media import FragmentPoint


def pack_points(points: Sequence[FragmentPoint]) -> bytes:
    """Pack the catalog's fragment table: five numbers a fragment, as deltas."""
    flat = array("q")
    end = start = 0
    for point in points:
        flat.extend(
            (
                point.offset - end,
                point.size,
                point.start_ticks - start,
                point.duration_ticks,
                point.clean,
            )
        )
        end, start = point.offset + point.size, point.start_ticks + point.duration_ticks
    columns = array("q")
    for column in range(5):
        columns.extend(flat[column::5])
    packed: bytes = pack_ints(columns)
    return packed


def unpack_points(packed: bytes) -> list[FragmentPoint]:
    """Unpack the catalog's fragment table.

    Raises: ``IndexCorrupt`` when the bytes are not one.
    """
    try:
        values = unpack_ints(packed)
    except ValueError as exc:
        raise IndexCorrupt(f"fragment table of {len(packed)} bytes: {exc}") from exc
    if len(values) % 5:
        raise IndexCorrupt(f"fragment table of {len(packed)} bytes: torn")
    n = len(values) // 5
    points, end, start = [], 0, 0
    for i in range(n):
        offset, begin = end + values[i], start + values[2 * n + i]
        size, length = values[n + i], values[3 * n + i]
        points.append(FragmentPoint(offset, size, begin, length, values[4 * n + i]))
        end, start = offset + size, begin + length
    return points


def fragment_points(table: FrameTable, lead: int) -> list[FragmentPoint]:
    """Describe each fragment by the lead track: bytes, media time from the start, clean.

    A fragment plays from the first moment that it, or one after it, shows.
    """
    track = table.tracks[lead]
    begin, stop = track.presentation()
    points: list[FragmentPoint] = []
    after = stop
    for i in range(len(table.offsets) - 1, -1, -1):
        lo, hi = track.first[i], track.first[i + 1]
        start, end, clean = after, after, 0
        if lo < hi:
            shown = list(map(add, track.dts[lo:hi], track.cts[lo:hi]))
            start = min(after, *shown)
            if after < stop:  # else the last: it plays to the end
                end = max(start, min(after, max(map(add, shown, track.duration[lo:hi]))))
            clean = track.sync[lo] if track.sync[lo] <= CLOSED else OPEN + track.ready(lo) - start
        size = table.ends[i] - table.offsets[i]
        points.append(FragmentPoint(table.offsets[i], size, start - begin, end - start, clean))
        after = start
    return points[::-1]
