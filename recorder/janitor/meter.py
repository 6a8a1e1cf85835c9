"""How much a store holds, and how fast that comes: measured now and then, for it is a long sum."""

from __future__ import annotations

from policies.facts import Capacity
from recorder.errors import StoreRefused, StoreUnavailable
from recorder.model.timebase import HOUR, MINUTE, Instant
from recorder.ports import Measured, Planning, Stored

ANEW = 10 * MINUTE
MOST_WAITING = 0.2
"""Share of a store that may be condemned and wait for its grace: where more would come in during
the grace, the grace is shortened, for else new footage would find no room."""


class Meter:
    """Measures the room of stores."""

    def __init__(self, planning: Planning) -> None:
        self._planning = planning
        self._sums: dict[str, tuple[Instant, Stored]] = {}

    def capacity(self, store: Measured, now: Instant, grace_ns: int) -> Capacity:
        """Return a store's room at an instant.

        Raises: ``StoreUnavailable``, ``CatalogUnavailable``.
        """
        return self._capacity(store.name, store.free_bytes(), now, grace_ns)

    def known(self, store: Measured, now: Instant, grace_ns: int) -> Capacity:
        """Return what is known of a store's room: while it does not answer, not how large it is.

        Raises: ``CatalogUnavailable``.
        """
        try:
            said = store.free_bytes()
        except (StoreUnavailable, StoreRefused):
            said = None
        return self._capacity(store.name, said, now, grace_ns)

    def _capacity(
        self, place: str, said: tuple[int, int] | None, now: Instant, grace_ns: int
    ) -> Capacity:
        free, total = said or (0, None)
        total = total or None  # a store of no bytes does not know
        begun, condemned = self._planning.going_bytes(place, now - HOUR, now)
        stored = self._stored(place, now, grace_ns)
        comes = _rate(stored, now) * grace_ns // HOUR
        # it is no smaller than what lies there, whatever it says this once
        room = None if total is None else max(total, stored.bytes)
        waiting = comes if room is None else min(comes, int(MOST_WAITING * room))
        return Capacity(
            free_bytes=free,
            total_bytes=total,
            begun_bytes=begun,
            condemned_lately_bytes=condemned,
            arrived_lately_bytes=stored.late_bytes,
            arriving_bytes=waiting,
            stored_bytes=stored.bytes,
            grace_ns=grace_ns * waiting // comes if comes else grace_ns,
        )

    def _stored(self, place: str, now: Instant, grace_ns: int) -> Stored:
        """Add up anew every ten minutes; more often while there is little to go by."""
        at, known = self._sums.get(place, (0, None))
        begun = known.oldest_recent if known is not None else None
        if (
            known is not None
            and begun is not None
            and 0 <= now - at < min(ANEW, (now - begun) // 10)
        ):
            return known
        found = self._planning.stored(place, now - max(grace_ns, HOUR), now - HOUR, now)
        self._sums[place] = (now, found)
        return found


def _rate(stored: Stored, now: Instant) -> int:
    """Return how many bytes come in an hour: by the recent, or by the last, if that is more."""
    if stored.oldest_recent is None:
        return 0
    passed = max(1, now - stored.oldest_recent)
    recent, late = stored.recent_bytes * HOUR // passed, stored.late_bytes * HOUR
    return max(recent, late // min(passed, HOUR))
