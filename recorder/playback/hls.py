"""An HLS playlist over stored segments; no repackaging.

What it names begins with a clean point wherever there is one: files are written in fragments of
half a second, most of which show nothing without those before them, and a player that is sent to
the middle of a group of pictures fetches what is there, and nothing else (hls.js: it stands still).

Source: RFC 8216, section 3; fMP4 needs version 7 (draft-pantos-hls-rfc8216bis).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import replace
from typing import NamedTuple

from recorder import clean_points
from recorder.cut import Piece, cut_segments, fragments_of
from recorder.model.media import FragmentPoint, Segment
from recorder.model.timebase import SECOND, Instant, TimeRange, format_instant, ticks_to_ns


class Address(NamedTuple):
    """Where bytes of an object are: at a URL of their own, or in a range of the object's."""

    url: str
    own: bool = False

    def range(self, offset: int, size: int) -> str:
        """Write the range, in the form that a playlist wants it; none at a URL of their own."""
        return "" if self.own else f"{size}@{offset}"


class Present(NamedTuple):
    """What is known of what a list, whose range is not long over, may still be lacking.

    ``now``; ``growing``: the keys of files that are written; ``late_ns``: so long after a moment
    whatever was recorded of it is known, wherever that was; ``several``: nodes record at once;
    ``own``: the one that is asked, if it is among those that have recorded lately.
    """

    now: Instant
    growing: Set[str]
    late_ns: int
    several: bool = False
    own: str = ""


Addressed = Callable[[Segment, int, int], Address]
"""Tells where ``size`` bytes of a segment from ``offset`` on are."""


def playlist(
    segments: Sequence[Segment],
    asked: TimeRange,
    address: Addressed,
    live: bool,
    before: Sequence[Segment] = (),
    away: Set[str] = frozenset(),
    present: Present | None = None,
) -> str:
    """Write the playlist of a range.  Pure.

    ``live`` leaves the list open, for ranges that reach the present.  What a list has named once
    stays as it is: ``present`` tells what may still change, which it does not name yet.
    ``before``, ``away``: see :func:`recorder.cut.cut_segments`.
    """
    known = _known(segments, asked, present)
    own = present.own if present is not None else ""
    pieces = cut_segments(segments, known, before, away, twice=present is not None, prefer=own)
    count = len(pieces) if present is None else _settled(pieces, asked, present)
    live = live or known != asked or count < len(pieces)
    pieces = pieces[:count]
    closed = _closed(pieces, asked, present) if live and present is not None else count
    body: list[str] = []
    for number, piece in enumerate(pieces[: closed + 1]):
        body.extend(_piece_lines(piece, address, number < closed, first=not body))
    head = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{max(1, (_longest_ns(segments) + SECOND // 2) // SECOND)}",
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


def _known(segments: Sequence[Segment], asked: TimeRange, present: Present | None) -> TimeRange:
    """Return of a range what no node will have anything more of."""
    if present is None or not present.several or present.own:
        return asked
    end = present.now - present.late_ns - _longest_ns(segments)  # so far back goes a seam
    return asked if end >= asked.end else TimeRange(asked.start, max(asked.start + 1, end))


def _settled(pieces: Sequence[Piece], asked: TimeRange, present: Present) -> int:
    """Count the pieces before what others may still have something of."""
    unknown = present.now - present.late_ns
    whole = present.several and bool(present.own)  # each of its holes may be filled
    if whole and pieces and asked.start < pieces[0].range.start > unknown:
        return 0
    for number, (before, after) in enumerate(itertools.pairwise(pieces), start=1):
        first, other = before.segment, after.segment
        if whole and not after.joined and after.range.start > unknown:
            return number
        goes_on = any(one.segment.node == first.node for one in pieces[number:])
        if first.node != other.node and not goes_on and first.end > unknown:
            return number
    return len(pieces)


def _closed(pieces: Sequence[Piece], asked: TimeRange, present: Present) -> int:
    """Count the pieces before those at the end that may still grow, within the range."""
    if present.several and not present.own and pieces and pieces[-1].range.end < asked.end:
        return len(pieces) - 1
    count = len(pieces)
    while count and _may_grow(pieces[count - 1].segment, asked, present.growing):
        count -= 1
    return count


def _may_grow(segment: Segment, asked: TimeRange, growing: Set[str]) -> bool:
    points = clean_points.unpack_points(segment.points)
    ticks = points[-1].start_ticks + points[-1].duration_ticks if points else 0
    known_until = segment.instant_at(segment.media_start + ticks)
    return segment.key in growing and known_until < asked.end


def _longest_ns(segments: Iterable[Segment]) -> int:
    """Return how long the longest plays that can be named.

    Of all that is in these files, not only of what is named so far: it is not to change.
    """
    groups = (
        (of, one) for of in segments for one in _joined(clean_points.unpack_points(of.points))
    )
    return max((ticks_to_ns(one.duration_ticks, of.timescale) for of, one in groups), default=0)


def _piece_lines(piece: Piece, address: Addressed, closed: bool, *, first: bool) -> Iterator[str]:
    """Yield the lines of a piece; not ``closed``, the last that it names may still grow."""
    begun = piece.joined or first
    for segment, fragments in fragments_of(piece):
        named = _joined(fragments)
        if not closed and segment is piece.segment:
            named = named[:-1]
        if not named:
            continue
        if not begun:
            yield "#EXT-X-DISCONTINUITY"
        begun = True
        init = address(segment, 0, segment.init_bytes)
        range_ = init.range(0, segment.init_bytes)
        yield f'#EXT-X-MAP:URI="{init.url}"' + (f',BYTERANGE="{range_}"' if range_ else "")
        for point in named:
            yield from _lines(segment, point, address(segment, point.offset, point.size))


def _lines(segment: Segment, point: FragmentPoint, there: Address) -> Iterator[str]:
    start = segment.instant_at(segment.media_start + point.start_ticks)
    length_ns = ticks_to_ns(point.duration_ticks, segment.timescale)
    if length_ns <= 0:
        length_ns = 1_000_000
    range_ = there.range(point.offset, point.size)
    yield f"#EXT-X-PROGRAM-DATE-TIME:{format_instant(start, 3)}"
    yield f"#EXTINF:{length_ns / SECOND:.6f},"
    if range_:
        yield f"#EXT-X-BYTERANGE:{range_}"
    yield there.url


def _joined(fragments: Sequence[FragmentPoint]) -> list[FragmentPoint]:
    """Join fragments to the one with a clean point that they need, where their bytes follow it."""
    found: list[FragmentPoint] = []
    for one in fragments:
        last = found[-1] if found else None
        if last is None or one.clean or last.offset + last.size != one.offset:
            found.append(one)
        else:
            ticks = one.start_ticks + one.duration_ticks - last.start_ticks
            found[-1] = replace(last, size=last.size + one.size, duration_ticks=ticks)
    return found
