"""What waits to be shipped: which file is next, and when after a failure.  Pure.

A failure is of one of two kinds.  When the store is away all wait, for a time that grows: every
file would fail.  A file that fails though others go through fails by itself: it rests, longer
each time, and the others do not wait for it.
"""

from __future__ import annotations

import heapq
import itertools

from recorder.model.timebase import Instant
from recorder.ship.rests import BACKOFF_S, Rests, spread


class Queue:
    """Files by their keys, in order; the caller keeps its threads apart.

    Units: ``now`` is in seconds that never step; ``jitter`` is in ``[0, 1)``.
    """

    def __init__(self, newest_first: bool = False) -> None:
        self.newest_first = newest_first
        self._order = itertools.count()
        self._places: dict[str, tuple[int, int]] = {}
        self._next: list[tuple[tuple[int, int], str]] = []
        self._suspects: list[tuple[tuple[int, int], str]] = []
        self._resting: list[tuple[float, str]] = []
        self._sending: set[str] = set()
        self._passed = 0
        self._failures = 0
        self._retry_at = 0.0
        self._failed_at: dict[str, int] = {}
        self._rests = Rests[str]()

    def __len__(self) -> int:
        """How many files wait or are being sent."""
        return len(self._places)

    @property
    def keys(self) -> frozenset[str]:
        """Which files wait or are being sent."""
        return frozenset(self._places)

    @property
    def sending(self) -> frozenset[str]:
        """Which files were taken and have neither passed nor failed."""
        return frozenset(self._sending)

    @property
    def stuck(self) -> bool:
        """Whether nothing but waiting can help what is left."""
        return bool(self._failures) or len(self._resting) == len(self._places) > 0

    def add(self, key: str, start: Instant) -> bool:
        """Queue a file; false when it waits already.  ``start``: of its footage."""
        if key in self._places:
            return False
        place = (-start if self.newest_first else start, next(self._order))
        self._places[key] = place
        heapq.heappush(self._next, (place, key))
        return True

    def take(self, now: float) -> str | None:
        """Return the file to send now, ``None`` when there is none."""
        while self._resting and self._resting[0][0] <= now:
            _, key = heapq.heappop(self._resting)
            heapq.heappush(self._next, (self._places[key], key))
        ready = self._next or self._suspects
        if not ready or now < self._retry_at:
            return None
        _, key = heapq.heappop(ready)
        self._sending.add(key)
        return key

    def wait_s(self, now: float) -> float | None:
        """Return how long to wait for the next file; ``None`` while none waits."""
        if self._next or self._suspects:
            return max(0.0, self._retry_at - now)
        return max(0.0, self._retry_at - now, self._resting[0][0] - now) if self._resting else None

    def passed(self, key: str) -> None:
        """Note that a file is in the store, so that the store is there."""
        self._passed += 1
        self._failures, self._retry_at = 0, 0.0
        for one in self._suspects:
            heapq.heappush(self._next, one)
        self._suspects.clear()
        self.forget(key)

    def forget(self, key: str) -> None:
        """Drop a file that was taken and is not there any more; it says nothing of the store."""
        self._sending.discard(key)
        for known in (self._places, self._failed_at):
            known.pop(key, None)
        self._rests.forget(key)

    def failed(self, key: str, now: float, jitter: float, *, alone: bool) -> bool:
        """Put a file back that could not be sent; true when that is news.

        ``alone``: it is known to be the file's own fault.  So it is, too, from when the file
        fails again although others have passed in between.
        """
        self._sending.discard(key)
        others_passed = self._failed_at.get(key, self._passed) < self._passed
        self._failed_at[key] = self._passed
        known = key in self._rests
        if alone or others_passed or known:
            # a rest grows no longer for a store that is away
            longer = alone or not self._failures
            heapq.heappush(self._resting, (self._rests.begin(key, now, jitter, longer=longer), key))
            return not known
        self._retry_at = now + BACKOFF_S[min(self._failures, len(BACKOFF_S) - 1)] * spread(jitter)
        self._failures += 1
        # others are tried first: if they pass, it was this one
        heapq.heappush(self._suspects, (self._places[key], key))
        return self._failures == 1
