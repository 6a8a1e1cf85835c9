"""The timeline of a recording: spans, and gaps that say why (law L11)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from recorder.model.causes import UNRECORDED, UNWANTED, Cause, cause_before
from recorder.model.media import THIN
from recorder.model.shown import ShownGap
from recorder.model.timebase import (
    DAY,
    SECOND,
    Instant,
    TimeRange,
    day_of,
    day_start,
    show_range,
    subtract,
)

LIVE_NS = 10 * SECOND
"""A range that ends so long before a growing span's end does not reach the present."""
SEAM_NS = 1_000_000
"""Two spans closer than this are not called a gap: less than one frame at 500 fps."""


@dataclass(frozen=True, slots=True)
class Span:
    """Successive segments with no gap and one decoder configuration.

    ``gap_cause`` says why there was no footage before it; ``open`` that it still grows.
    """

    start: Instant
    end: Instant
    writer: str = ""
    opened: Instant = 0
    codecs: str = ""
    gap_cause: str = ""
    camera_offset_ns: int | None = None
    open: bool = False

    @property
    def is_thin(self) -> bool:
        """Tell whether it holds clean points only."""
        return self.writer.endswith(THIN)

    @property
    def range(self) -> TimeRange:
        """The span's stretch of wall-clock time."""
        return TimeRange(self.start, self.end)


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch without footage, and its cause."""

    start: Instant
    end: Instant
    cause: str

    @property
    def range(self) -> TimeRange:
        """The gap's stretch of wall-clock time."""
        return TimeRange(self.start, self.end)


@dataclass(frozen=True, slots=True)
class Timeline:
    """Spans and gaps of one recording over a range; together they cover all of it.

    ``range`` is what was asked, cut off at the present.
    """

    range: TimeRange
    spans: tuple[Span, ...]
    gaps: tuple[Gap, ...]

    @property
    def covered_ns(self) -> int:
        """How much of the range has footage."""
        return self.range.duration_ns - sum(gap.range.duration_ns for gap in self.gaps)


@dataclass(frozen=True, slots=True)
class DayCoverage:
    """Coverage of one UTC day: time asked for, time covered, dark time by cause."""

    day: str
    expected_ns: int
    covered_ns: int
    gaps_ns: dict[str, int]


def timeline(
    spans: Iterable[Span],
    known_gaps: Iterable[Gap],
    asked: TimeRange,
    tail_cause: str,
    since: Instant,
    before_cause: str = "",
) -> Timeline:
    """Lay spans and recorded gaps over a range; name what is left uncovered.

    Pure.  ``tail_cause`` is why there is nothing after the last span (the stream's
    present state), ``since`` when the camera was first asked to record; before it the
    cause is ``off-schedule``.  ``before_cause`` is the gap cause of the first span after
    the range.  Recorded gaps (``purged``, ``spool-full``, ``lost``) win over spans.
    """
    cuts = sorted(known_gaps, key=lambda gap: (gap.start, gap.end))
    since = min([since, *(cut.start for cut in cuts)])  # there was footage then
    kept = sorted(
        (piece for span in spans for piece in _subtract(span, cuts)),
        key=lambda span: (span.start, span.end),
    )
    inside = [
        replace(
            span,
            start=max(span.start, asked.start),
            end=min(span.end, asked.end),
            open=span.open and span.end - asked.end < LIVE_NS,
        )
        for span in kept
        if span.range.overlaps(asked)
    ]
    gaps: list[Gap] = []
    cursor = asked.start
    for span in inside:
        if span.start - cursor > SEAM_NS:
            gaps += _explain(cursor, span.start, cuts, cause_before(span.gap_cause), since)
        cursor = max(cursor, span.end)
    if asked.end - cursor > SEAM_NS:
        gaps += _explain(cursor, asked.end, cuts, before_cause or tail_cause, since)
    return Timeline(asked, tuple(inside), tuple(_merge(gaps)))


def hide_thin(spans: Sequence[Span]) -> list[Span]:
    """Show thin spans only where no whole footage is.  Pure."""
    whole = [span.range for span in spans if not span.is_thin]
    if len(whole) == len(spans):
        return list(spans)
    shown = []
    for span in spans:
        pieces = subtract(span.range, whole) if span.is_thin else [span.range]
        shown += [replace(span, start=piece.start, end=piece.end) for piece in pieces]
    return sorted(shown, key=lambda span: span.start)


def _subtract(span: Span, cuts: Sequence[Gap]) -> list[Span]:
    pieces, cursor = [], span.start
    for cut in cuts:
        if cut.end <= cursor or cut.start >= span.end:
            continue
        if cut.start > cursor:
            pieces.append(replace(span, start=cursor, end=cut.start, open=False))
        cursor = max(cursor, cut.end)
    if cursor < span.end:
        pieces.append(replace(span, start=cursor))
    return pieces


def _explain(
    start: Instant, end: Instant, cuts: Sequence[Gap], cause: str, since: Instant
) -> list[Gap]:
    """Fill one dark stretch with recorded gaps first, the general cause elsewhere."""
    found: list[Gap] = []
    if start < since:
        found.append(Gap(start, min(since, end), Cause.OFF_SCHEDULE))
        start = min(since, end)
    rest: list[Gap] = []
    cursor = start
    for cut in cuts:
        if cut.end <= cursor or cut.start >= end:
            continue
        if cut.start > cursor:
            rest.append(Gap(cursor, cut.start, cause))
        rest.append(Gap(max(cut.start, cursor), min(cut.end, end), cut.cause))
        cursor = min(cut.end, end)
    if cursor < end:
        rest.append(Gap(cursor, end, cause))
    return found + rest


def _merge(gaps: Sequence[Gap]) -> list[Gap]:
    merged: list[Gap] = []
    for gap in gaps:
        if merged and merged[-1].end >= gap.start and merged[-1].cause == gap.cause:
            merged[-1] = replace(merged[-1], end=max(merged[-1].end, gap.end))
        elif gap.end > gap.start:
            merged.append(gap)
    return merged


def excuse(line: Timeline, off: Sequence[TimeRange]) -> Timeline:
    """Name what was missing while nothing was to be recorded ``off-schedule``.  Pure.

    Recorded losses (``purged``, ``spool-full``, ``lost``) keep their cause.
    """
    if not off:
        return line
    gaps: list[Gap] = []
    for gap in line.gaps:
        if gap.cause not in UNRECORDED:
            gaps.append(gap)
            continue
        cursor = gap.start
        for one in off:
            part = one.clamp(TimeRange(cursor, gap.end)) if cursor < gap.end else None
            if part is None:
                continue
            gaps.append(Gap(cursor, part.start, gap.cause))
            gaps.append(Gap(part.start, part.end, Cause.OFF_SCHEDULE))
            cursor = part.end
        gaps.append(Gap(cursor, gap.end, gap.cause))
    return replace(line, gaps=tuple(_merge([gap for gap in gaps if gap.end > gap.start])))


def show_gap(gap: Gap) -> ShownGap:
    """Write a gap, for answers."""
    return {**show_range(gap.range), "cause": gap.cause}


def coverage_by_day(line: Timeline) -> list[DayCoverage]:
    """Sum a timeline per UTC day."""
    days: list[DayCoverage] = []
    cursor = line.range.start
    while cursor < line.range.end:
        end = min(day_start(cursor) + DAY, line.range.end)
        day = TimeRange(cursor, end)
        causes: dict[str, int] = {}
        for gap in line.gaps:
            part = gap.range.clamp(day)
            if part is not None and gap.cause not in UNWANTED:
                causes[gap.cause] = causes.get(gap.cause, 0) + part.duration_ns
        off = sum(
            part.duration_ns
            for gap in line.gaps
            if gap.cause in UNWANTED and (part := gap.range.clamp(day)) is not None
        )
        expected = day.duration_ns - off
        days.append(DayCoverage(day_of(cursor), expected, expected - sum(causes.values()), causes))
        cursor = end
    return days
