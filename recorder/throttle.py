"""A throttle: the one place where something is kept from being done faster than it may be.

Bytes shipped, bytes sent up, bytes read by the janitor, objects deleted: each has one, shared
by all threads that take from it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from recorder.ports import Clock


class Throttle:
    """Lets ``per_second`` units through, 0: no limit; nothing is saved up while nobody asks.

    ``wait`` sleeps so many seconds, and returns true at once when all is to end.
    """

    def __init__(
        self, clock: Clock, per_second: float, wait: Callable[[float], bool | None]
    ) -> None:
        self._clock, self._per_second, self._wait = clock, per_second, wait
        self._lock = threading.Lock()
        self._next = 0.0

    def take(self, units: float) -> bool:
        """Wait for a turn, and make the next wait for as long as so many units may take.

        Returns false when all is to end instead.
        """
        return not self._wait(self.charge(units))

    def charge(self, units: float) -> float:
        """As :meth:`take`, without waiting: return for how many seconds that would have been."""
        if self._per_second <= 0:
            return 0.0
        with self._lock:
            now = self._clock.monotonic()
            begin = max(now, self._next)
            self._next = begin + units / self._per_second
            return begin - now

    @property
    def wait_s(self) -> float:
        """For how many seconds nobody's turn comes; below zero: it is now."""
        with self._lock:
            return self._next - self._clock.monotonic() if self._per_second > 0 else 0.0
