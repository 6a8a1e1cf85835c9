"""When what failed is tried again: an hour later, then after twice as long each time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from recorder.ports import Clock

FIRST_S, LONGEST_S = 3600.0, 86_400.0
MOST = 100_000
"""Names of about 20 MB; beyond them the oldest are found out, and said, again."""


class Again:
    """What failed lately, by name; in memory: a new process tries once more."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failed: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def may(self, name: Hashable) -> bool:
        """Tell whether it is time to try this."""
        until, _ = self._failed.get(name, (0.0, 0.0))
        return self._clock.monotonic() >= until

    def failed(self, name: Hashable) -> None:
        """Let this rest: longer than the last time."""
        _, waited = self._failed.pop(name, (0.0, 0.0))
        wait = min(max(2 * waited, FIRST_S), LONGEST_S)
        self._failed[name] = (self._clock.monotonic() + wait, wait)
        if len(self._failed) > MOST:
            self._failed.popitem(last=False)

    def worked(self, name: Hashable) -> None:
        """Forget that this failed."""
        self._failed.pop(name, None)
