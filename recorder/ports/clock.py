"""Time, as a port."""

from __future__ import annotations

from typing import Protocol

from recorder.model.timebase import Instant


class Clock(Protocol):
    """Time, as this node sees it."""

    def now(self) -> Instant:
        """Return ns since the Unix epoch, UTC."""

    def monotonic(self) -> float:
        """Return seconds that never step."""

    def jitter(self) -> float:
        """Return a number in ``[0, 1)`` to spread retries with."""
