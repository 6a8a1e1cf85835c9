"""Let stores protect what is held, where they can (S3 legal hold); lift it when nothing holds.

The catalog's hold is what counts and is there at once; this makes the store keep the bytes
even from somebody who has its keys.  It follows within seconds, and may be done twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from recorder.errors import CopyMissing, StoreRefused, StoreUnavailable
from recorder.model.holds import Hold
from recorder.model.media import Copy
from recorder.model.timebase import HOUR, MINUTE, Instant
from recorder.ports import Holds, LockingStore, ObjectLocks
from recorder.store.verify import check_answers

log = logging.getLogger("recorder.janitor")

BATCH = 500
ALL_AGAIN = 10 * MINUTE
"""How often all that a hold covers is looked at; what began lately is looked at each time."""
REFUSED_AGAIN = HOUR
"""So long after a store refused to protect one object it is asked for that one again."""


class Protector:
    """Brings legal holds of stores in line with the holds; remembers what is settled.

    What it asks the catalog does not grow with what is held, but each time a hold comes or
    goes, and every ten minutes: footage of the held time may arrive late.
    """

    def __init__(self, holds: Holds, locks: ObjectLocks) -> None:
        self._holds, self._locks = holds, locks
        self._locked: dict[tuple[str, str], Instant] = {}
        self._lifted: dict[str, tuple[frozenset[str], Instant]] = {}
        self._rests: dict[str, Instant] = {}
        self._refused: dict[tuple[str, str], Instant] = {}

    def run(
        self, store: LockingStore, now: Instant, keep: Callable[[], str] = str
    ) -> tuple[int, int]:
        """Go on with one store; return how many holds were placed and lifted in it.

        ``keep`` says why none may be lifted, if that is so: it is asked when one would be.
        """
        live = self._holds.live(now)
        self._forget({hold.hold_id for hold in live}, now)
        wanted = list(self._to_lock(store.name, live, now))
        free = self._to_lift(store.name, frozenset(hold.hold_id for hold in live), now)
        if not (wanted or free) or not store.protects:
            return (0, 0)
        placed = self._turn(store, wanted, now, on=True)
        if free and self._rest(store.name, now, keep):
            return placed, 0
        return placed, self._turn(store, free, now, on=False)

    def _forget(self, live: set[str], now: Instant) -> None:
        """Keep nothing of holds that are over, nor of what is due to be asked for again."""
        self._locked = {name: at for name, at in self._locked.items() if name[1] in live}
        refused = self._refused.items()
        self._refused = {name: at for name, at in refused if 0 <= now - at < REFUSED_AGAIN}

    def _rest(self, place: str, now: Instant, keep: Callable[[], str]) -> bool:
        """Tell whether nothing is lifted in a store now; asked once a minute while it is so."""
        if 0 <= now - self._rests.get(place, now - MINUTE) < MINUTE:
            return True
        why = keep()
        if why:
            self._rests[place] = now
            log.warning("legal holds stay", extra={"store": place, "why": why})
        else:
            self._rests.pop(place, None)
        return bool(why)

    def _to_lock(self, place: str, live: list[Hold], now: Instant) -> Iterator[Copy]:
        """Yield what is to be locked, each once; a hold is settled when nothing of it is left."""
        seen: set[str] = set()
        for hold in live:
            whole_at = self._locked.get((place, hold.hold_id))
            whole = whole_at is None or not 0 <= now - whole_at < ALL_AGAIN
            after = hold.range.start if whole else max(hold.range.start, now - HOUR)
            if after >= hold.range.end or len(seen) >= BATCH:
                continue
            found = self._locks.to_lock(place, hold, after, BATCH)
            if whole and not found:
                self._locked[place, hold.hold_id] = now
            for copy in found:
                if copy.segment.key not in seen:
                    seen.add(copy.segment.key)
                    yield copy

    def _to_lift(self, place: str, live: frozenset[str], now: Instant) -> list[Copy]:
        before, at = self._lifted.get(place, (None, 0))
        if live == before and 0 <= now - at < ALL_AGAIN:
            return []
        free = self._locks.to_unlock(place, now, BATCH)
        if not free:
            self._lifted[place] = (live, now)
        return free

    def _turn(self, store: LockingStore, copies: list[Copy], now: Instant, *, on: bool) -> int:
        done: list[Copy] = []
        try:
            done += (copy for copy in copies if self._turn_one(store, copy.segment.key, now, on=on))
        finally:  # what was done before the store went away was done
            if done:
                self._locks.set_locked(done, on)
        return len(done)

    def _turn_one(self, store: LockingStore, key: str, now: Instant, *, on: bool) -> bool:
        """Turn one object's legal hold on or off; one that its store refuses rests."""
        if (store.name, key) in self._refused:  # lately
            return False
        try:
            store.protect(key, on)
        except CopyMissing as exc:  # a scrub will say what became of it
            log.error("cannot protect", extra={"key": key, "reason": str(exc)})
            return not on
        except (StoreUnavailable, StoreRefused) as exc:
            check_answers(store, exc)  # of this one: the others do not wait for it
            log.error("cannot protect", extra={"key": key, "reason": str(exc)})
            self._refused[store.name, key] = now
            return False
        return True
