"""What a store can do, asked once: yes, no, or unknown, which is asked again."""

from __future__ import annotations

import time
from collections.abc import Callable

AGAIN_S = 600.0


class Asked:
    """One question; ``ask`` returns ``None`` where the store does not say, and may raise.

    Yes and no are kept, unknown for a while; what raised is asked again the next time.
    """

    def __init__(
        self, ask: Callable[[], bool | None], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask, self._now = ask, now
        self._known: bool | None = None
        self._again_at = float("-inf")

    def answer(self) -> bool | None:
        """Return what is known, asking first if nothing is."""
        if self._known is None and self._now() >= self._again_at:
            self._known = self._ask()
            self._again_at = self._now() + AGAIN_S
        return self._known

    def learn(self, known: bool) -> None:
        """Take what another answer showed, whatever was said before."""
        self._known = known
