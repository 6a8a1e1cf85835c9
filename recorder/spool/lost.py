"""Who loses copies tells the nodes: what one of them keeps in its spool may be the last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from recorder.errors import CatalogUnavailable
from recorder.model.timebase import Instant
from recorder.ports import Clock, Progress

NAME = "copies lost"
HEAR_S = 30.0
"""So often a node asks whether any were."""


class TellingCatalog(Protocol):
    """The part of the catalog by which it is told."""

    @property
    def progress(self) -> Progress:
        """How far long jobs are."""


def tell_lost(catalog: TellingCatalog, now: Instant) -> None:
    """Have every node look at once whether its spool has what was lost elsewhere."""
    catalog.progress.put(NAME, {"at": now}, now)


class LostCopies:
    """Hears whether copies were lost; what was lost before the node began is no news."""

    def __init__(self, catalog: TellingCatalog, clock: Clock) -> None:
        self._catalog, self._clock = catalog, clock
        self._asked_s = float("-inf")
        self._known: Mapping[str, object] | None = None

    def is_news(self) -> bool:
        """Tell whether some were since this was asked last."""
        now_s = self._clock.monotonic()
        if now_s - self._asked_s < HEAR_S:
            return False
        self._asked_s = now_s
        try:
            found = self._catalog.progress.of(NAME)
        except CatalogUnavailable:  # it is asked again
            return False
        before, self._known = self._known, found
        return before is not None and found != before
