"""Footage: as readers ask for it, and as it is committed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from recorder.model.keys import StreamId
from recorder.model.media import Copy, Segment, SegmentId
from recorder.model.timebase import Instant, TimeRange
from recorder.model.timeline import Gap, Span


class Around(NamedTuple):
    """What a recording has in a range, and beside it.

    ``first``: the first span there is, where none touches the range; ``after``: the first that
    starts at the range's end or later, where it was asked for.
    """

    spans: list[Span]
    gaps: list[Gap]
    first: Span | None
    after: Span | None


class Footage(Protocol):
    """Segments, spans, copies and gaps, to read."""

    def spans(self, stream: StreamId, asked: TimeRange) -> list[Span]:
        """Return the spans that touch a range, by start."""

    def around(self, stream: StreamId, asked: TimeRange, *, after: bool) -> Around:
        """Return what a timeline of a range is made of, all as of one moment."""

    def next_span(self, stream: StreamId, after: Instant) -> Span | None:
        """Return the first span that starts at or after an instant."""

    def segments(self, stream: StreamId, asked: TimeRange) -> list[Segment]:
        """Return the segments that touch a range, by start."""

    def amount(self, stream: StreamId, asked: TimeRange) -> tuple[int, int]:
        """Return how many segments touch a range, and their bytes, without reading each."""

    def segment_by_key(self, stream: StreamId, start: Instant, key: str) -> Segment | None:
        """Return one segment; ``start`` is the microsecond in the key."""

    def copies(self, segments: Sequence[Segment]) -> dict[str, list[Copy]]:
        """Return the copies of segments, by key."""

    def gaps(self, stream: StreamId, asked: TimeRange) -> list[Gap]:
        """Return recorded gaps (``purged``, ``spool-full``, ``lost``) that touch a range."""

    def streams(self, camera: str = "") -> list[StreamId]:
        """Return every stream that has, or had, footage; those of cameras of a name, or all."""


class Commits(Protocol):
    """What makes a copy real, and takes back one whose bytes are gone."""

    def add_segment(self, segment: Segment, place: str, etag: str, at: Instant) -> None:
        """Record a segment, its span and one copy; doing it twice is doing it once."""

    def add_segments(self, segments: Sequence[Segment], place: str, at: Instant) -> None:
        """Record segments just sealed here, their spans and a copy each, in one transaction."""

    def date_anew(self, since: Instant, at: Instant) -> int:
        """Take what was committed since, and says that it is old by now, as committed ``at``.

        Its clock was wrong, and nobody knows when that was.  Returns how many segments.
        """

    def date_now(self, names: Sequence[SegmentId], at: Instant) -> None:
        """Take segments as committed ``at``: a clock that was ahead said later."""

    def forget(self, copies: Sequence[Copy], cause: str) -> None:
        """Drop copies whose bytes are gone; a segment's last one leaves a gap of ``cause``."""
