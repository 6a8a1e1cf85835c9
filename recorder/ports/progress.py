"""How far long jobs are."""

from __future__ import annotations

from typing import Any, Protocol

from recorder.model.timebase import Instant

PROVEN = "clock"
"""What the time that was proven last is kept under: ``wall``, ns."""


class Progress(Protocol):
    """How far long jobs are, by name."""

    def of(self, name: str) -> dict[str, Any]:
        """Return how far a long job is; nothing when it never ran."""

    def put(self, name: str, facts: dict[str, Any], at: Instant) -> None:
        """Record how far a long job is."""
