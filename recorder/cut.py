"""Cut: a time range and the segments that touch it, to what is taken of each.  Pure.

The seek rule is ONVIF's (Streaming specification, replay): inside footage, decoding starts
at the first clean point at or before the asked time; in a gap, going forward, at the first
clean point of the next section.  A frame belongs to a range when its presentation time
lies in it, so adjoining ranges share no frame and lose none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recorder import index
from recorder.index import FrameCut, FrameTable
from recorder.model.media import FragmentPoint, Segment
from recorder.model.timebase import Instant, TimeRange

WHOLE_LOW, WHOLE_HIGH = -(1 << 62), 1 << 62


@dataclass(frozen=True, slots=True)
class Piece:
    """What a range takes of one segment.

    Units: ``low`` and ``high`` in the lead track's ticks, half-open; a whole side is at
    ``WHOLE_LOW`` or ``WHOLE_HIGH``.  ``joined`` says that it goes on where the piece before
    ended, in the same span: no pre-roll, no seam.
    """

    segment: Segment
    range: TimeRange
    low: int
    high: int
    joined: bool


def cut_segments(segments: Sequence[Segment], asked: TimeRange) -> list[Piece]:
    """Choose from each segment what a range takes, in order of time, without overlap.

    A node never records a frame twice, so where its spans overlap (a clock was set back, or
    two rulers differ by a little) all of each is taken.  Between nodes the span that began
    first is followed to its end, then the other from there on.
    """
    pieces: list[Piece] = []
    reached: dict[str, Instant] = {}
    spans: dict[tuple[str, Instant], list[Segment]] = {}
    for segment in sorted(segments, key=lambda one: (one.start, one.writer)):
        spans.setdefault(segment.span_id, []).append(segment)
    for span in spans.values():
        before: Segment | None = None
        for segment in span:
            others = [end for node, end in reached.items() if node != node_of(segment)]
            low = max([asked.start, segment.start, *others])
            high = min(asked.end, segment.end)
            if low >= high:
                continue
            joined = before is not None and _adjoins(before, segment)
            pieces.append(
                Piece(
                    segment,
                    TimeRange(low, high),
                    segment.ticks_at(low) if low > segment.start else WHOLE_LOW,
                    segment.ticks_at(high) if high < segment.end else WHOLE_HIGH,
                    joined,
                )
            )
            before = segment
            reached[node_of(segment)] = max(high, reached.get(node_of(segment), high))
    return pieces


def node_of(segment: Segment) -> str:
    """Name of the node that recorded a segment."""
    return segment.writer.rpartition(".")[0]


def _adjoins(before: Segment, after: Segment) -> bool:
    return (
        before.counter + 1 == after.counter
        and before.decoder_digest == after.decoder_digest
        and abs(after.media_start - before.media_end) <= before.timescale // 10
    )


def runs_of(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Group pieces that follow one another without a seam."""
    runs: list[list[Piece]] = []
    for piece in pieces:
        if piece.joined and runs:
            runs[-1].append(piece)
        else:
            runs.append([piece])
    return runs


def frames_of(piece: Piece, table: FrameTable, lead: int, *, first: bool) -> FrameCut:
    """Choose the lead track's frames of a piece.

    ``first`` allows pre-roll from the clean point before (an edit list hides it); any
    other seam must start at a clean point, the next one when it falls between two.
    """
    track = table.tracks[lead]
    found = index.cut(track, piece.low, piece.high)
    if found.empty or first or piece.joined or piece.low == WHOLE_LOW:
        return found
    for i in range(found.clean, found.stop):
        pts = track.dts[i] + track.cts[i]
        if track.sync[i] and pts >= found.first_pts:
            return index.cut(track, pts, piece.high)
    return FrameCut(0, 0, 0, 0, 0, 0)


def fragments_of(piece: Piece) -> list[FragmentPoint]:
    """Choose the fragments of a piece, from the clean point at or before its start."""
    points = index.unpack_points(piece.segment.points)
    origin = piece.segment.media_start
    chosen: list[FragmentPoint] = []
    for point in points:
        start = origin + point.start_ticks
        if start >= piece.high:
            break
        if point.clean and start <= piece.low:
            chosen = []
        chosen.append(point)
    return chosen


def slices(fragments: Sequence[FragmentPoint]) -> list[tuple[int, int]]:
    """Join neighbouring fragments into byte ranges ``(offset, length)``."""
    ranges: list[tuple[int, int]] = []
    for point in fragments:
        if ranges and sum(ranges[-1]) == point.offset:
            ranges[-1] = (ranges[-1][0], ranges[-1][1] + point.size)
        else:
            ranges.append((point.offset, point.size))
    return ranges
