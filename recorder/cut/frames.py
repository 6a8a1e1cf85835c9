"""What is taken of a piece: frames of its table, or its fragments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from recorder import clean_points, index
from recorder.cut.pieces import WHOLE_HIGH, Piece, ready_at
from recorder.index import FrameCut, FrameTable, TrackFrames
from recorder.model.media import FragmentPoint, Segment

HELD_BACK = 18
"""More pictures than a decoder holds back.  From a clean point without IDR, ffmpeg 5 believes
its pictures once the first is out; a clip that ends sooner would lose the rest."""


def frames_of(
    piece: Piece, table: FrameTable, lead: int, before: Sequence[FrameTable] = ()
) -> list[FrameCut]:
    """Choose the lead track's frames of a piece, after those of ``before`` it needs, hidden.

    ``before`` are the tables of the segments in front of it, the nearest last.  The last cut
    is the piece's own; it begins later where the first frames asked for cannot be decoded.
    """
    track = table.tracks[lead]
    found = _cut(track, piece.low, piece.high)
    if found.empty or piece.joined:
        return [found]
    if _decodes(track, found):
        return [_long_enough(track, found)]
    tracks = [one.tracks[lead] for one in before]
    later = _ahead([*tracks, track])
    points = [
        one.ready(i) + ahead
        for one, ahead in zip([*tracks, track], later, strict=True)
        for i, sync in enumerate(one.sync)
        if sync
    ]
    found = _cut(track, max(piece.low, min(points)), piece.high)
    if found.empty or _decodes(track, found):
        return [_long_enough(track, found)]
    hidden: list[FrameCut] = []
    for one, ahead in zip(reversed(tracks), reversed(later[:-1]), strict=True):
        need, count = found.first_pts - ahead, len(one.dts)
        ready = [i for i in range(count) if one.sync[i] and one.ready(i) <= need]
        hidden.insert(0, FrameCut(ready[-1] if ready else 0, count, 0, 0, 0, 0))
        if ready:
            break
    return [*hidden, found]


def _ahead(tracks: Sequence[TrackFrames]) -> list[int]:
    """Say of files that adjoin how far the last one's ruler lies ahead of each."""
    edges = [track.presentation() for track in tracks]
    ahead = [0]
    for (_, end), (start, _) in zip(edges[-2::-1], edges[:0:-1], strict=True):
        ahead.insert(0, ahead[0] + start - end)
    return ahead


def _cut(track: TrackFrames, low: int, high: int) -> FrameCut:
    """Choose frames; to a segment's end all are taken, for what follows may need them."""
    found = index.cut(track, low, high)
    if found.empty or high != WHOLE_HIGH:
        return found
    return replace(found, stop=len(track.dts))


def _long_enough(track: TrackFrames, found: FrameCut) -> FrameCut:
    """Let some frames follow, hidden, where decoding begins just before the end."""
    if found.empty or track.sync[found.clean] <= index.CLOSED:
        return found
    return replace(found, stop=max(found.stop, min(len(track.dts), found.clean + HELD_BACK)))


def _decodes(track: TrackFrames, found: FrameCut) -> bool:
    sync = track.sync[found.clean]
    return sync in (0, index.CLOSED) or track.ready(found.clean) <= found.first_pts


def fragments_of(piece: Piece) -> list[tuple[Segment, list[FragmentPoint]]]:
    """Choose the fragments of a piece, from the clean point that its start needs.

    Those of segments before it come first.
    """
    chain = [*piece.before, piece.segment]
    need = max(piece.low, piece.segment.media_start)
    for one, after in zip(chain[-2::-1], chain[:0:-1], strict=True):
        need += one.media_end - after.media_start
    first = 0 if piece.joined else ready_at(chain[0], need) or 0
    found = []
    for segment in chain:
        points = clean_points.unpack_points(segment.points)[first:]
        if segment is piece.segment:
            points = [one for one in points if segment.media_start + one.start_ticks < piece.high]
        found.append((segment, points))
        first = 0
    return found


def slices(fragments: Sequence[FragmentPoint]) -> list[tuple[int, int]]:
    """Join neighbouring fragments into byte ranges ``(offset, length)``."""
    ranges: list[tuple[int, int]] = []
    for point in fragments:
        if ranges and sum(ranges[-1]) == point.offset:
            ranges[-1] = (ranges[-1][0], ranges[-1][1] + point.size)
        else:
            ranges.append((point.offset, point.size))
    return ranges
