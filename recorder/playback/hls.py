"""An HLS playlist over stored segments; no repackaging.

Source: RFC 8216; EXT-X-GAP and fMP4 need version 7 (draft-pantos-hls-rfc8216bis).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from typing import NamedTuple

from recorder import clean_points
from recorder.cut import Piece, cut_segments, fragments_of
from recorder.model.media import FragmentPoint, Segment
from recorder.model.timebase import SECOND, TimeRange, format_instant, ticks_to_ns


class Address(NamedTuple):
    """Where bytes of an object are: at a URL of their own, or in a range of the object's."""

    url: str
    own: bool = False

    def range(self, offset: int, size: int) -> str:
        """Write the range, in the form that a playlist wants it; none at a URL of their own."""
        return "" if self.own else f"{size}@{offset}"


Addressed = Callable[[Segment, int, int], Address]
"""Tells where ``size`` bytes of a segment from ``offset`` on are."""


def playlist(
    segments: Sequence[Segment],
    asked: TimeRange,
    address: Addressed,
    live: bool,
    before: Sequence[Segment] = (),
    away: Set[str] = frozenset(),
) -> str:
    """Write the playlist of a range.  Pure.

    ``live`` leaves the list open, for ranges that reach the present; ``before``, ``away``: see
    :func:`recorder.cut.cut_segments`.
    """
    pieces = cut_segments(segments, asked, before, away)
    body: list[str] = []
    longest = 1
    for piece in pieces:
        for line, seconds in _piece_lines(piece, address, first=not body):
            body.append(line)
            longest = max(longest, seconds)
    head = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{longest}",
        "#EXT-X-PLAYLIST-TYPE:" + ("EVENT" if live else "VOD"),
        "#EXT-X-MEDIA-SEQUENCE:0",
    ]
    tail = [] if live else ["#EXT-X-ENDLIST"]
    return "\n".join(head + body + tail) + "\n"


def shown_by(segment: Segment, first: int, last: int) -> tuple[TimeRange, TimeRange]:
    """Return for what the first and the last fragment are needed that bytes of a segment are of.

    That is from where a fragment begins to where what follows can be shown without it: pictures
    before the next clean point need all from the one before on.  What is of no fragment, such as
    the init segment, shows nothing by itself: it is of all of them.
    """
    points = clean_points.unpack_points(segment.points)
    found = [
        n for n, one in enumerate(points) if one.offset <= last and first < one.offset + one.size
    ]
    if not found:
        return segment.range, segment.range
    return _needed(segment, points, found[0]), _needed(segment, points, found[-1])


def _needed(segment: Segment, points: Sequence[FragmentPoint], number: int) -> TimeRange:
    """Return for what one fragment is needed."""
    late = [max(0, one.clean - 2) for one in points]
    after = (one.start_ticks + late[n] for n, one in enumerate(points) if n > number and one.clean)
    final = points[-1].start_ticks + points[-1].duration_ticks + max(late)
    begin = segment.instant_at(segment.media_start + points[number].start_ticks)
    end = segment.instant_at(segment.media_start + next(after, final))
    return TimeRange(begin, max(begin + 1, end))


def _piece_lines(piece: Piece, address: Addressed, *, first: bool) -> Iterator[tuple[str, int]]:
    if not piece.joined and not first:
        yield "#EXT-X-DISCONTINUITY", 0
    for segment, fragments in fragments_of(piece):
        init = address(segment, 0, segment.init_bytes)
        range_ = init.range(0, segment.init_bytes)
        yield f'#EXT-X-MAP:URI="{init.url}"' + (f',BYTERANGE="{range_}"' if range_ else ""), 0
        for point in fragments:
            start = segment.instant_at(segment.media_start + point.start_ticks)
            length_ns = ticks_to_ns(point.duration_ticks, segment.timescale)
            if length_ns <= 0:
                length_ns = 1_000_000
            there = address(segment, point.offset, point.size)
            range_ = there.range(point.offset, point.size)
            yield f"#EXT-X-PROGRAM-DATE-TIME:{format_instant(start, 3)}", 0
            yield f"#EXTINF:{length_ns / SECOND:.6f},", -(-length_ns // SECOND)
            if range_:
                yield f"#EXT-X-BYTERANGE:{range_}", 0
            yield there.url, 0
