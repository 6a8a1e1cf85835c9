"""Unsealed footage beside what the catalog knows: the same thing is shown once.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from recorder.model.media import Segment
from recorder.model.timebase import SECOND, Instant
from recorder.model.timeline import Span


def same_media(one: Segment, other: Segment) -> bool:
    """Tell whether a growing file is a segment that was sealed a moment ago.

    Sessions count their media from the same zero, so files of two that follow one another look
    alike in all but the time they cover.
    """
    return (
        one.writer == other.writer
        and one.media_start == other.media_start
        and one.decoder_digest == other.decoder_digest
        and _mostly_within(one, other.start, other.end)
    )


def _mostly_within(segment: Segment, start: Instant, end: Instant) -> bool:
    """Tell whether more than half of a segment lies in a time; sealing may shift it a little."""
    common = min(end, segment.end) - max(start, segment.start)
    return 2 * common > segment.range.duration_ns


def _sealed_since(span: Span, segment: Segment) -> bool:
    """Tell whether a growing file that opened a span was sealed a moment ago, as that span.

    Sealing may place it a little differently.
    """
    return (
        span.writer == segment.writer
        and abs(span.opened - segment.span_start) < 30 * SECOND
        and _mostly_within(segment, span.start, span.end)
    )


def with_growing(spans: Iterable[Span], growing: Sequence[Segment]) -> list[Span]:
    """Add unsealed segments, and those that wait for the catalog, to the catalog's spans.

    In whatever order they wait: one that the catalog refused is passed by those behind it.
    """
    result = list(spans)
    for segment in growing:
        for i, span in enumerate(result):
            same = (span.writer, span.opened) == segment.span_id
            if same or _sealed_since(span, segment):
                end = max(span.end, segment.end)
                result[i] = replace(span, end=end, open=segment.end >= span.end)
                if same and segment.start < span.start:
                    cause = segment.gap_cause
                    result[i] = replace(result[i], start=segment.start, gap_cause=cause)
                break
        else:
            result.append(
                Span(
                    segment.start,
                    segment.end,
                    segment.writer,
                    segment.span_start,
                    segment.codecs,
                    segment.gap_cause,
                    segment.camera_offset_ns,
                    open=True,
                )
            )
    return sorted(result, key=lambda span: span.start)
