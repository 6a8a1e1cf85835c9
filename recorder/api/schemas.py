"""Wire types: what answers look like."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, Field

from recorder.activity import scores
from recorder.index import MOTION
from recorder.model.events import Event
from recorder.model.keys import CameraId, StreamId
from recorder.model.media import Segment
from recorder.model.shown import ShownActivity, ShownCovered, ShownDay, ShownSpan, ShownSpans
from recorder.model.timebase import TimeRange, format_instant, seconds, show_range
from recorder.model.timeline import DayCoverage, Span, Timeline, coverage_by_day, show_gap
from recorder.ports import Events
from recorder.reading.named import Named

MOST_EVENTS = 1000
"""So many stand on one timeline; it says where they end."""


class Problem(BaseModel):
    """An error, RFC 9457."""

    type: str = Field(description="Name of the error class, as a URN.")
    title: str
    status: int
    detail: str
    hint: str | None = None
    retryable: bool = False


def show_span(span: Span) -> ShownSpan:
    """Write a span."""
    offset = span.camera_offset_ns
    return {
        **show_range(span.range),
        "codecs": span.codecs,
        "open": span.open,
        "writer": span.writer,
        "clean_points_only": span.is_thin,
        "camera_clock_offset_s": None if offset is None else seconds(offset),
    }


def show_day(day: DayCoverage) -> ShownDay:
    """Write a day's coverage."""
    share = day.covered_ns / day.expected_ns if day.expected_ns else None
    return {
        "day": day.day,
        "expected_seconds": seconds(day.expected_ns),
        "covered_seconds": seconds(day.covered_ns),
        "coverage": None if share is None else round(share, 6),
        "gap_seconds": {cause: seconds(total) for cause, total in day.gaps_ns.items()},
    }


def show_timeline(named: Named, line: Timeline, days: list[DayCoverage], label: str) -> ShownSpans:
    """Write a timeline; ``elsewhere`` are other sites' cameras of that name."""
    return {
        "camera": named.stream.camera,
        "stream": named.stream.stream,
        "site": named.stream.site,
        "label": label or None,
        "elsewhere": [str(one) for one in named.elsewhere],
        "start": format_instant(line.range.start),
        "end": format_instant(line.range.end),
        "seconds": seconds(line.range.duration_ns),
        "covered_seconds": seconds(line.covered_ns),
        "spans": [show_span(span) for span in line.spans],
        "gaps": [show_gap(gap) for gap in line.gaps],
        "days": [show_day(day) for day in days],
    }


def events_on(events: Events, asked: TimeRange, camera: CameraId) -> tuple[list[Event], str | None]:
    """Return the first events of a timeline, and until when they are all; ``None``: to its end."""
    found = events.touching(asked, [camera], MOST_EVENTS + 1)
    rest = found[MOST_EVENTS:]
    return found[:MOST_EVENTS], format_instant(rest[0].range.start) if rest else None


def show_covered(stream: StreamId, line: Timeline, label: str) -> ShownCovered:
    """Write how much of a stream's timeline is covered, per day."""
    return {
        "camera": stream.camera,
        "stream": stream.stream,
        "site": stream.site,
        "label": label or None,
        "covered_seconds": seconds(line.covered_ns),
        "days": [show_day(day) for day in coverage_by_day(line)],
    }


def show_activity(segments: Sequence[Segment], asked: TimeRange) -> list[ShownActivity]:
    """Write how unusual each GOP of segments is; ``motion`` where it hints at some."""
    return [
        {
            "start": format_instant(range_.start, 3),
            "end": format_instant(range_.end, 3),
            "score": score,
            "motion": score >= MOTION,
        }
        for segment in segments
        for range_, score in scores(segment)
        if range_.overlaps(asked)
    ]
