"""Deletion in two steps; only the janitor has this."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from recorder.model.media import Copy
from recorder.model.timebase import Instant
from recorder.ports.audit import AuditEntry


class Deletion(Protocol):
    """Copies are condemned, and after the grace taken out of their store."""

    def condemn(self, copies: Sequence[Copy], at: Instant, audit: Sequence[AuditEntry]) -> int:
        """Mark the copies for deletion and write the audit of those marked, in one transaction.

        A copy that a live hold covers by now is left alone (law L5), and so is one that is
        marked already.  Returns how many were marked.
        """

    def spare(self, copies: Sequence[Copy], at: Instant, audit: Sequence[AuditEntry]) -> int:
        """Take back marks whose reason is gone, and write the audit, in one transaction.

        Not where the deletion has begun.  Returns how many were taken back.
        """

    def begun(self, place: str) -> list[Copy]:
        """Return copies whose deletion was begun and has not ended: they may be gone, or not."""

    def take_due(self, place: str, before: Instant, at: Instant, limit: int) -> list[Copy]:
        """Begin the deletion of copies condemned by ``before``; no hold can save them now.

        Those begun earlier and not forgotten come first.  What an event touches that was noted
        since it was judged, ``at``, is left.
        """

    def resting(self, place: str) -> int:
        """Count the copies that rest, for their store refused to delete them."""

    def withdraw(self, copies: Sequence[Copy]) -> None:
        """Take back that the deletion of copies has begun: they are there, and judged anew."""

    def postpone(self, copies: Sequence[Copy], until: Instant) -> None:
        """Let copies rest until an instant, for their store refused to delete them.

        They are there: until they are taken again their mark may be taken back, as others'.
        """
