"""The machine's clock and dice: the only place that reads them."""

from __future__ import annotations

import random
import time
import uuid


class SystemClock:
    """A :class:`recorder.ports.Clock` on the real world."""

    def now(self) -> int:
        """Return ns since the Unix epoch, UTC."""
        return time.time_ns()

    def monotonic(self) -> float:
        """Return seconds that never step."""
        return time.monotonic()

    def jitter(self) -> float:
        """Return a number in ``[0, 1)`` to spread retries with."""
        return random.random()  # noqa: S311 - spreads retries, guards nothing


def new_id() -> str:
    """Make an identity that nothing else has."""
    return str(uuid.uuid4())
