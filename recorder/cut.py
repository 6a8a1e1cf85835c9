"""Cut: a time range and the segments that touch it, to what is taken of each.  Pure.

The seek rule is ONVIF's (Streaming specification, replay): inside footage, decoding starts
at the first clean point at or before the asked time; in a gap, going forward, at the first
clean point of the next section.  A frame belongs to a range when its presentation time
lies in it, so adjoining ranges share no frame and lose none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from recorder import index
from recorder.index import FrameCut, FrameTable
from recorder.model.media import THIN, FragmentPoint, Segment
from recorder.model.timebase import MS, Instant, TimeRange, subtract

WHOLE_LOW, WHOLE_HIGH = -(1 << 62), 1 << 62
SLIVER_NS = 30 * MS
"""Less than a frame at 25/s: clocks of two nodes differ by about as much."""


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
    first is followed; another fills in where it has a hole, a segment is gone, or it ended,
    from its clean point before.  Thin segments fill in only what no whole one has.
    """
    spans: dict[tuple[str, Instant], list[Segment]] = {}
    for segment in sorted(segments, key=lambda one: (one.start, one.writer)):
        spans.setdefault(segment.span_id, []).append(segment)
    taken: dict[str, list[TimeRange]] = {}
    parts: list[_Part] = []
    for number, span in enumerate(sorted(spans.values(), key=lambda span: span[0].is_thin)):
        name = _source_of(span[0])
        others = [one for source, ranges in taken.items() if source != name for one in ranges]
        for segment in span:
            parts += _free_parts(segment, asked, others, _filled(segment, segments), number)
        for segment in span:
            for range_ in subtract(segment.range, segment.holes):
                _grow(taken.setdefault(name, []), range_)
    return _pieces(_runs_in_order(parts))


@dataclass(frozen=True, slots=True)
class _Part:
    """A stretch of a segment that is taken; ``span`` is the number of its span."""

    segment: Segment
    range: TimeRange
    span: int


def _source_of(segment: Segment) -> str:
    return segment.node + (THIN if segment.is_thin else "")


def _grow(ranges: list[TimeRange], more: TimeRange) -> None:
    if ranges and ranges[-1].start <= more.start <= ranges[-1].end:
        ranges[-1] = TimeRange(ranges[-1].start, max(ranges[-1].end, more.end))
    else:
        ranges.append(more)


def _filled(segment: Segment, others: Sequence[Segment]) -> list[TimeRange]:
    """Return the holes of a segment in which another node has footage."""
    return [
        hole
        for hole in segment.holes
        if any(other.node != segment.node and other.range.overlaps(hole) for other in others)
    ]


def _free_parts(
    segment: Segment, asked: TimeRange, others: Sequence[TimeRange], filled: list[TimeRange],
    span: int,
) -> Iterator[_Part]:  # fmt: skip
    """Yield what a range takes of a segment and nobody before it covers."""
    part = segment.range.clamp(asked)
    if part is None:
        return
    away = [one for one in others if one.overlaps(part)]
    for piece in subtract(part, [*away, *filled]):
        if piece.duration_ns >= SLIVER_NS or not away:
            yield _Part(segment, piece, span)


def _runs_in_order(parts: Sequence[_Part]) -> list[list[_Part]]:
    """Group parts of one span that follow one another; sort the groups by time."""
    runs: list[list[_Part]] = []
    for part in parts:
        last = runs[-1][-1] if runs else None
        if last is not None and last.span == part.span and last.range.end >= part.range.start:
            runs[-1].append(part)
        else:
            runs.append([part])
    return sorted(runs, key=lambda run: run[0].range.start)


def _pieces(runs: Sequence[Sequence[_Part]]) -> list[Piece]:
    pieces: list[Piece] = []
    for run in runs:
        before: _Part | None = None
        for part in run:
            segment, range_ = part.segment, part.range
            low = segment.ticks_at(range_.start) if range_.start > segment.start else WHOLE_LOW
            high = segment.ticks_at(range_.end) if range_.end < segment.end else WHOLE_HIGH
            joined = (
                before is not None
                and low == WHOLE_LOW
                and before.range.end == before.segment.end
                and _adjoins(before.segment, segment)
            )
            piece = Piece(segment, range_, low, high, joined)
            if before is None and pieces:
                pieces[-1], piece = _seam(pieces[-1], piece)
            pieces.append(piece)
            before = part
    return pieces


def _seam(before: Piece, after: Piece) -> tuple[Piece, Piece]:
    """Go over to another source at a clean point of it, so that no frame is missed.

    At the last one before, else at the next, if the source before reaches so far.
    """
    segment = after.segment
    if after.low == WHOLE_LOW or before.range.end < after.range.start - SLIVER_NS:
        return before, after
    origin = segment.media_start
    clean = [origin + one.start_ticks for one in index.unpack_points(segment.points) if one.clean]
    earlier = [ticks for ticks in clean if ticks <= after.low]
    later = [ticks for ticks in clean if ticks > after.low]
    if earlier and segment.instant_at(earlier[-1]) > before.range.start:
        ticks = earlier[-1]
    elif later and segment.instant_at(later[0]) <= min(before.segment.end, after.range.end):
        ticks = later[0]
    else:
        return before, after
    at = segment.instant_at(ticks)
    high = before.segment.ticks_at(at) if at < before.segment.end else WHOLE_HIGH
    cut = replace(before, range=TimeRange(before.range.start, at), high=high)
    return cut, replace(after, range=TimeRange(at, after.range.end), low=ticks)


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
