"""Activity of segments: the compiled scores on the clock, and the motion events they hint at.

Pure.  See :func:`recorder.index.activity` for what a score is.
"""

from __future__ import annotations

import hashlib

from recorder import clean_points, index
from recorder.model.events import POST_NS, PRE_NS, Event
from recorder.model.media import Segment
from recorder.model.timebase import SECOND, Instant, TimeRange

APART_NS = 10 * SECOND
"""Busy stretches closer than this are one motion."""


def scores(segment: Segment) -> list[tuple[TimeRange, int]]:
    """Return the score of each fragment of a segment, with its wall-clock range."""
    found = []
    points = clean_points.unpack_points(segment.points)
    for point, score in zip(points, segment.activity, strict=False):
        begin = segment.media_start + point.start_ticks
        start, end = (segment.instant_at(ticks) for ticks in (begin, begin + point.duration_ticks))
        found.append((TimeRange(start, max(start, end)), score))
    return found


def motions(segment: Segment, threshold: int = index.MOTION) -> list[tuple[TimeRange, int]]:
    """Return the stretches that hint at motion, with the highest score in each."""
    found: list[tuple[TimeRange, int]] = []
    for range_, score in scores(segment):
        if score < threshold:
            continue
        if found and range_.start - found[-1][0].end < APART_NS:
            last, most = found.pop()
            range_, score = TimeRange(last.start, range_.end), max(most, score)
        found.append((range_, score))
    return found


def motion_events(segment: Segment, now: Instant) -> list[Event]:
    """Make events of a segment's motions; the same segment gives the same ids."""
    events = []
    for range_, score in motions(segment):
        text = f"{segment.stream}/{segment.writer}/{range_.start}"
        name = "activity-" + hashlib.blake2b(text.encode(), digest_size=10).hexdigest()
        events.append(
            Event(
                name,
                segment.stream.site,
                "motion",
                segment.stream.camera,
                (segment.stream.camera,),
                range_,
                TimeRange(range_.start - PRE_NS, range_.end + POST_NS),
                now,
                {"by": "activity", "score": score},
            )
        )
    return events
