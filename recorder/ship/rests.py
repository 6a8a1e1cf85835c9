"""Who failed by itself rests, longer each time, and keeps no other waiting.  Pure."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

BACKOFF_S = (1, 2, 4, 8, 15, 30, 60)
"""Where it may be somebody else's fault: of a store that is away, of a site that says no."""
REST_S = (2, 8, 30, 60, 120, 300, 600, 1200, 3600)
"""Of one thing.  In the end an hour: a try may send all of it, and 40 minutes of tries failed."""


def spread(jitter: float) -> float:
    """Return by what a time to wait is multiplied; ``jitter`` is in ``[0, 1)``."""
    return 0.75 + 0.5 * jitter


class Rests(Generic[Key]):
    """How often each key has failed, and until when it rests.

    Units: ``now`` is in seconds that never step.
    """

    def __init__(self, steps_s: Sequence[float] = REST_S) -> None:
        self._steps_s = steps_s
        self._count: dict[Key, int] = {}
        self._until: dict[Key, float] = {}

    def __contains__(self, key: Key) -> bool:
        """Whether a key has failed, and has not been forgotten since."""
        return key in self._until

    def begin(self, key: Key, now: float, jitter: float, *, longer: bool = True) -> float:
        """Let a key rest; return until when.  ``longer``: the next rest is a longer one."""
        count = self._count.get(key, 0)
        self._count[key] = count + longer
        step_s = self._steps_s[min(count, len(self._steps_s) - 1)]
        self._until[key] = now + step_s * spread(jitter)
        return self._until[key]

    def resting(self, key: Key, now: float) -> bool:
        """Tell whether a key is not to be tried yet."""
        return now < self._until.get(key, now)

    def forget(self, key: Key) -> None:
        """It went well, or is not wanted any more."""
        self._count.pop(key, None)
        self._until.pop(key, None)
