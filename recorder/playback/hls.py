"""An HLS playlist over stored segments; no repackaging.

Source: RFC 8216; EXT-X-GAP and fMP4 need version 7 (draft-pantos-hls-rfc8216bis).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from recorder.cut import Piece, cut_segments, fragments_of
from recorder.model.media import Segment
from recorder.model.timebase import SECOND, TimeRange, format_instant, ticks_to_ns


def playlist(
    segments: Sequence[Segment], asked: TimeRange, address: Callable[[Segment], str], live: bool,
    before: Sequence[Segment] = (),
) -> str:  # fmt: skip
    """Write the playlist of a range.  Pure.

    ``address`` gives the URL of a segment's object; ``live`` leaves the list open, for
    ranges that reach the present; ``before``: see :func:`recorder.cut.cut_segments`.
    """
    pieces = cut_segments(segments, asked, before)
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


def _piece_lines(
    piece: Piece, address: Callable[[Segment], str], *, first: bool
) -> Iterator[tuple[str, int]]:
    if not piece.joined and not first:
        yield "#EXT-X-DISCONTINUITY", 0
    for segment, fragments in fragments_of(piece):
        url = address(segment)
        yield f'#EXT-X-MAP:URI="{url}",BYTERANGE="{segment.init_bytes}@0"', 0
        for point in fragments:
            start = segment.instant_at(segment.media_start + point.start_ticks)
            length_ns = ticks_to_ns(point.duration_ticks, segment.timescale)
            if length_ns <= 0:
                length_ns = 1_000_000
            yield f"#EXT-X-PROGRAM-DATE-TIME:{format_instant(start, 3)}", 0
            yield f"#EXTINF:{length_ns / SECOND:.6f},", -(-length_ns // SECOND)
            yield f"#EXT-X-BYTERANGE:{point.size}@{point.offset}", 0
            yield url, 0
