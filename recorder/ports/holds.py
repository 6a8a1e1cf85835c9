"""Holds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from recorder.model.holds import Hold
from recorder.model.timebase import Instant


class Holds(Protocol):
    """Holds, and what sites below said of those that reached them."""

    def add(self, hold: Hold) -> Hold:
        """Record a hold and take back every condemnation it covers; twice is once."""

    def get(self, hold_id: str) -> Hold | None:
        """Return one hold."""

    def all(self) -> list[Hold]:
        """Return all holds, released and expired ones too, newest first."""

    def named(self, hold_ids: Iterable[str]) -> list[Hold]:
        """Return those of these ids that there are, released and expired ones too."""

    def live(self, now: Instant) -> list[Hold]:
        """Return the holds in force, newest first."""

    def live_since(self, at: Instant) -> list[Hold]:
        """Return the holds in force at an instant, or placed since, by when they ended."""

    def release(self, hold_id: str, by: str, at: Instant) -> bool:
        """Let a hold go; false when there is no live one of this name."""

    def sweep(self, name: str, before: Instant) -> int:
        """Forget holds whose names begin so and that ended before an instant; return how many."""

    def put_delivery(self, hold_id: str, site: str, facts: dict[str, object], at: Instant) -> None:
        """Record what a site below says of a hold it has got."""

    def deliveries(self, hold_ids: Iterable[str]) -> dict[str, dict[str, dict[str, Any]]]:
        """Return what sites below said of holds, by hold and site."""
