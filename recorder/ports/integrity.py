"""What is known of copies besides that they are there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from recorder.model.holds import Hold
from recorder.model.media import Copy
from recorder.model.timebase import Instant


class Integrity(Protocol):
    """Copies read again: whole or damaged."""

    def mark_verified(self, copies: Iterable[Copy], at: Instant) -> None:
        """Record that copies were read whole and match their digests."""

    def mark_damaged(self, copies: Iterable[Copy], at: Instant) -> None:
        """Record that copies do not match their digests and could not be repaired."""

    def damaged(self, place: str) -> int:
        """Count the copies at a place that are known to be damaged, or not to be found."""

    def suspects(
        self, place: str, before: Instant, limit: int, after: Copy | None = None
    ) -> list[Copy]:
        """Page through copies at a place found damaged, or not found, by ``before``; longest first.

        Those found so long after that it was by a clock that was ahead, too.
        ``after``: the last one seen.
        """


class Agreeing(Protocol):
    """Rows that follow from others."""

    def differences(self) -> Iterator[tuple[str, str]]:
        """Yield (what, how) of rows that other rows contradict."""


class ObjectLocks(Protocol):
    """Copies that their store protects, or should."""

    def to_lock(self, place: str, hold: Hold, after: Instant, limit: int) -> list[Copy]:
        """Return copies at a place that a hold covers and their store does not protect yet.

        Only what reaches beyond ``after``.
        """

    def to_unlock(self, place: str, now: Instant, limit: int) -> list[Copy]:
        """Return copies at a place that its store protects and no live hold covers."""

    def set_locked(self, copies: Iterable[Copy], locked: bool) -> None:
        """Record whether copies are protected by their store."""

    def locks_of(self, hold: Hold) -> dict[str, tuple[int, int]]:
        """Return, per store of this site, how many copies a hold covers and how many are locked."""
