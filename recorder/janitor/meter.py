"""How much a store holds, and how fast that comes: measured now and then, for it is a long sum."""

from __future__ import annotations

from dataclasses import dataclass

from policies.facts import Capacity
from recorder.model.timebase import HOUR, MINUTE, Instant
from recorder.ports import ObjectStore, Planning

ANEW = 10 * MINUTE


@dataclass(frozen=True, slots=True)
class _Sum:
    at: Instant
    grace_ns: int
    stored: int
    arrived: int
    lately: int


class Meter:
    """Measures the room of stores."""

    def __init__(self, planning: Planning) -> None:
        self._planning = planning
        self._sums: dict[str, _Sum] = {}

    def capacity(self, store: ObjectStore, now: Instant, grace_ns: int) -> Capacity:
        """Return a store's room at an instant.

        Raises: ``StoreUnavailable``, ``CatalogUnavailable``.
        """
        free, total = store.free_bytes() or (0, None)
        begun, condemned = self._planning.going_bytes(store.name, now - HOUR)
        known = self._sums.get(store.name)
        if known is None or known.grace_ns != grace_ns or not 0 <= now - known.at < ANEW:
            sums = self._planning.stored_bytes(store.name, (now - grace_ns, now - HOUR))
            known = self._sums[store.name] = _Sum(now, grace_ns, *sums)
        return Capacity(free, total, begun, condemned, known.lately, known.arrived, known.stored)
