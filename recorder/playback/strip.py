"""A strip of small pictures over a range, for a person to find the moment."""

from __future__ import annotations

from recorder import clean_points
from recorder.errors import MalformedMedia, NoFootage
from recorder.model.keys import StreamId
from recorder.model.media import Segment
from recorder.model.timebase import Instant, TimeRange
from recorder.playback.frame import Frame, grab, shown_at
from recorder.reading.view import View

MOST_PICTURES = 24
"""Each takes a tenth of a second of decoding; a row on a screen holds no more."""


def moments(asked: TimeRange, count: int) -> list[Instant]:
    """Spread instants over a range, each in the middle of its part.

    >>> moments(TimeRange(0, 100), 4)
    [12, 37, 62, 87]
    """
    return [asked.start + asked.duration_ns * (2 * i + 1) // (2 * count) for i in range(count)]


def strip(
    view: View, stream: StreamId, asked: TimeRange, count: int, ffmpeg: str, width: int
) -> list[tuple[Instant, Frame | None]]:
    """Return pictures of instants of a range, ``None`` where there is none.

    Of each the clean point before it: that alone is decoded, and it says when it was.
    """
    found: list[tuple[Instant, Frame | None]] = []
    for at in moments(asked, count):
        try:
            found.append((at, grab(view, stream, _clean_before(view, stream, at), ffmpeg, width)))
        except (NoFootage, MalformedMedia):  # a gap, or a picture that cannot be made
            found.append((at, None))
    return found


def _clean_before(view: View, stream: StreamId, at: Instant) -> Instant:
    """Return when the last clean point at or before an instant is shown, within its segment.

    Raises: ``NoFootage``.
    """
    with view.find_some(stream, TimeRange(at, at + 1)) as found:
        segment = shown_at(found, at)
    clean = [one for one in _clean(segment) if one <= at]
    return clean[-1] if clean else at


def _clean(segment: Segment) -> list[Instant]:
    begin = segment.media_start
    points = clean_points.unpack_points(segment.points)
    return [segment.instant_at(begin + one.start_ticks) for one in points if one.clean]
