"""Taking in what a store was found to hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from recorder.model.keys import StreamId
from recorder.model.media import Copy, Segment
from recorder.model.timebase import Instant, TimeRange
from recorder.ports.audit import AuditEntry


class Rebuilding(Protocol):
    """What a rebuild does to the catalog: it adds first, and takes away at the end."""

    def put(
        self, found: Sequence[tuple[Segment, str]], place: str, at: Instant, *, ours: bool = False
    ) -> list[tuple[str, str]]:
        """Record segments found at a place, with their etags, in one transaction.

        What the catalog says already stays as it is.  ``ours``: they say of themselves what they
        are.  Returns (key, why) of those that contradict it: they were not recorded.
        """

    def replace(
        self, found: Segment, etag: str, place: str, at: Instant, false: Sequence[Copy]
    ) -> None:
        """Record a segment in place of what the catalog has of it, in one transaction.

        The copies that are ``false`` are known no more; their objects stay.
        """

    def drop(self, copies: Sequence[Copy], since: Instant, audit: Sequence[AuditEntry]) -> int:
        """Drop copies that are gone, unless verified ``since``, in one transaction.

        A segment's last copy leaves a gap ``lost``, or ``purged`` where it was to go.  Of what was
        not to go ``audit`` is written.  Returns how many were dropped.
        """

    def holes(self, site: str) -> Mapping[StreamId, Sequence[TimeRange]]:
        """Return what spans of a site's own streams stretch over, and no segment or gap covers.

        A span knows its ends alone; its segments count, so that one is missing shows.
        """

    def open_gaps(
        self, stream: StreamId, ranges: Sequence[TimeRange], cause: str, at: Instant
    ) -> None:
        """Record that footage is missing, in one transaction; what segments cover is left out."""
