"""Pieces: what each segment gives to a range, without overlap; runs of those that adjoin."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace

from recorder import clean_points
from recorder.errors import IndexCorrupt
from recorder.model.media import THIN, Segment
from recorder.model.timebase import MS, Instant, TimeRange, subtract

WHOLE_LOW, WHOLE_HIGH = -(1 << 62), 1 << 62
SLIVER_NS = 30 * MS
"""Less than a frame at 25/s: clocks of two nodes differ by about as much."""
MOST_BEFORE = 8
"""Segments that may be gone back over to a clean point: a refresh of the picture is shorter."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What a range takes of one segment.

    Units: ``low`` and ``high`` in the lead track's ticks, half-open; a whole side is at
    ``WHOLE_LOW`` or ``WHOLE_HIGH``.  ``joined`` says that it goes on where the piece before
    ended, in the same span: no pre-roll, no seam.  ``before`` are the segments in front of it
    that decoding its first frame needs; nothing of them is shown.
    """

    segment: Segment
    range: TimeRange
    low: int
    high: int
    joined: bool
    before: tuple[Segment, ...] = ()


def cut_segments(
    segments: Sequence[Segment],
    asked: TimeRange,
    before: Sequence[Segment] = (),
    away: Set[str] = frozenset(),
    *,
    twice: bool = False,
    prefer: str = "",
) -> list[Piece]:
    """Choose from each segment what a range takes, in order of time, without overlap.

    A node never records a frame twice, so where its spans overlap (a clock was set back, or
    two rulers differ by a little) all of each is taken.  Between nodes the span that began
    first is followed; another fills in where it has a hole, a segment is gone, or it ended,
    from its clean point before.  Of ``away``, keys of segments that cannot be read now, is taken
    what no other has; thin segments fill in only what no whole one has.
    ``before``: segments that :func:`wanted_before` named; they serve decoding alone.
    ``twice``: where another node is gone over to, what the first has stays, and some of it comes
    twice, for who was told of it before the other was known.  ``prefer``: the node that is followed
    wherever it has footage.
    """
    spans: dict[tuple[str, Instant], list[Segment]] = {}
    for segment in sorted(segments, key=lambda one: (one.node != prefer, one.start, one.writer)):
        if segment.end < segment.start:
            raise IndexCorrupt(f"{segment.key} ends before it begins, as it was cataloged")
        spans.setdefault(segment.span_id, []).append(segment)
    taken: dict[str, list[TimeRange]] = {}
    parts: list[_Part] = []
    for number, span in _in_turn(list(spans.values()), away):
        name = _source_of(span[0])
        others = [one for source, ranges in taken.items() if source != name for one in ranges]
        for segment in span:
            parts += _free_parts(segment, asked, others, _filled(segment, segments), number)
        for segment in span:
            for range_ in subtract(segment.range, segment.holes):
                _grow(taken.setdefault(name, []), range_)
    known = _by_place([*segments, *before])
    return [_begun(piece, known) for piece in _pieces(_runs_in_order(parts), twice)]


def _in_turn(
    spans: Sequence[Sequence[Segment]], away: Set[str]
) -> Iterator[tuple[int, list[Segment]]]:
    """Yield what of each span is taken in turn, with the span's number: what can be read first."""
    for thin, gone in ((False, False), (False, True), (True, False), (True, True)):
        for number, span in enumerate(spans):
            turn = [one for one in span if (one.is_thin, one.key in away) == (thin, gone)]
            if turn:
                yield number, turn


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
    segment: Segment,
    asked: TimeRange,
    others: Sequence[TimeRange],
    filled: list[TimeRange],
    span: int,
) -> Iterator[_Part]:
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
    for part in sorted(parts, key=lambda part: (part.span, part.range.start)):
        last = runs[-1][-1] if runs else None
        if last is not None and last.span == part.span and last.range.end >= part.range.start:
            runs[-1].append(part)
        else:
            runs.append([part])
    return sorted(runs, key=lambda run: run[0].range.start)


def _pieces(runs: Sequence[Sequence[_Part]], twice: bool) -> list[Piece]:
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
                and adjoins(before.segment, segment)
            )
            piece = Piece(segment, range_, low, high, joined)
            if before is None and pieces:
                earlier, piece = _seam(pieces[-1], piece)
                pieces[-1] = pieces[-1] if twice else earlier
            pieces.append(piece)
            before = part
    return pieces


def _seam(before: Piece, after: Piece) -> tuple[Piece, Piece]:
    """Go over to another node at a clean point of its footage, so that nothing is hidden.

    At the last one before, else at the next, if the node before reaches so far.
    """
    segment = after.segment
    apart = abs(before.range.end - after.range.start)
    if after.low == WHOLE_LOW or apart > SLIVER_NS:  # not a seam: spans of one node overlap, too
        return before, after
    origin = segment.media_start
    points = clean_points.unpack_points(segment.points)
    clean = [origin + one.ready_ticks for one in points if one.clean]
    earlier = [ticks for ticks in clean if ticks <= after.low]
    later = [ticks for ticks in clean if ticks > after.low]
    last = min(before.segment.end, after.range.end)
    if earlier and segment.instant_at(earlier[-1]) > before.range.start:
        ticks = earlier[-1]
    elif later and segment.instant_at(later[0]) <= last:
        ticks = later[0]
    else:
        return before, after
    at = segment.instant_at(ticks)
    high = before.segment.ticks_at(at) if at < before.segment.end else WHOLE_HIGH
    cut = replace(before, range=TimeRange(before.range.start, at), high=high)
    return cut, replace(after, range=TimeRange(at, after.range.end), low=ticks)


def adjoins(before: Segment, after: Segment) -> bool:
    """Tell whether one segment goes on where another ends, in the same span."""
    return (
        before.span_id == after.span_id
        and before.counter + 1 == after.counter
        and before.decoder_digest == after.decoder_digest
    )


def piece_at(segment: Segment, pts: int, others: Iterable[Segment]) -> Piece:
    """Take the one frame of a presentation time; ``others`` may serve decoding."""
    at = segment.instant_at(pts)
    piece = Piece(segment, TimeRange(at, at + 1), pts, pts + 1, joined=False)
    return _begun(piece, _by_place(others))


# -- what decoding needs -------------------------------------------------------------------

_Place = tuple[tuple[str, Instant], int]
"""Span and counter: where a segment stands among those of its node."""


def _by_place(segments: Iterable[Segment]) -> dict[_Place, Segment]:
    return {(segment.span_id, segment.counter): segment for segment in segments}


def _begun(piece: Piece, known: dict[_Place, Segment]) -> Piece:
    """Give a piece the segments before it that its first frame needs, as far as known."""
    if piece.joined:
        return piece
    chain, whole = _chain(piece.segment, piece.low, known)
    return replace(piece, before=tuple(chain)) if whole else piece


def _chain(segment: Segment, low: int, known: dict[_Place, Segment]) -> tuple[list[Segment], bool]:
    """Go back from a segment until the frames from ``low`` on decode; tell whether they do."""
    need = max(low, segment.media_start)
    chain: list[Segment] = []
    first = segment
    while ready_at(first, need) is None:
        one = known.get((first.span_id, first.counter - 1))
        if one is None or one.decoder_digest != segment.decoder_digest or len(chain) == MOST_BEFORE:
            return chain, False
        chain.insert(0, one)
        need += one.media_end - first.media_start  # they adjoin, whatever their rulers say
        first = one
    return chain, True


def ready_at(segment: Segment, ticks: int) -> int | None:
    """Number the last fragment from which frames at a media time decode; ``None`` without.

    A segment that begins with no clean point at all tells nothing: its first fragment.
    """
    points = clean_points.unpack_points(segment.points)
    into = ticks - segment.media_start
    ready = [i for i, one in enumerate(points) if one.clean and one.ready_ticks <= into]
    if not ready and not (points and points[0].clean):
        return 0
    return ready[-1] if ready else None


def wanted_before(
    segments: Sequence[Segment], before: Sequence[Segment], asked: TimeRange
) -> list[Segment]:
    """Name the segments whose predecessor, not among those given, decoding the range needs."""
    shown, known = _by_place(segments), _by_place([*segments, *before])
    wanted = []
    for segment in segments:
        if (segment.span_id, segment.counter - 1) in shown:
            continue  # it goes on where that one ends
        low = segment.ticks_at(max(asked.start, segment.start))
        chain, whole = _chain(segment, low, known)
        first = chain[0] if chain else segment
        if not whole and first.counter > 0 and len(chain) < MOST_BEFORE:
            wanted.append(first)
    return wanted


def runs_of(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Group pieces that follow one another without a seam."""
    runs: list[list[Piece]] = []
    for piece in pieces:
        if piece.joined and runs:
            runs[-1].append(piece)
        else:
            runs.append([piece])
    return runs


def segments_of(run: Sequence[Piece], among: Iterable[Segment]) -> list[Segment]:
    """Return those of the span that a run is cut from.

    Cut again among all, a run would begin with what another node recorded past their seam.
    """
    return [one for one in among if one.span_id == run[0].segment.span_id]
