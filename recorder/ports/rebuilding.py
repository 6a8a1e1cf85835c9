"""Taking in what a store was found to hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from recorder.model.media import Copy, Segment
from recorder.model.timebase import Instant
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
