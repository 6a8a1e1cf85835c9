"""Let stores protect what is held, where they can (S3 legal hold); lift it when nothing holds.

The catalog's hold is what counts and is there at once; this makes the store keep the bytes
even from somebody who has its keys.  It follows within seconds, and may be done twice.
"""

from __future__ import annotations

import logging

from recorder.errors import CopyMissing
from recorder.model.media import Copy
from recorder.model.timebase import Instant
from recorder.ports import LockingStore, ObjectLocks

log = logging.getLogger("recorder.janitor")

BATCH = 500


def protect_held(locks: ObjectLocks, store: LockingStore, now: Instant) -> tuple[int, int]:
    """Bring a store's legal holds in line with the holds; return how many placed and lifted."""
    wanted = locks.to_lock(store.name, now, BATCH)
    free = locks.to_unlock(store.name, now, BATCH)
    if not (wanted or free) or not store.protects:
        return (0, 0)
    return _turn(locks, store, wanted, on=True), _turn(locks, store, free, on=False)


def _turn(locks: ObjectLocks, store: LockingStore, copies: list[Copy], *, on: bool) -> int:
    done = []
    for copy in copies:
        try:
            store.protect(copy.segment.key, on)
        except CopyMissing as exc:  # a scrub will say what became of it
            log.error("cannot protect", extra={"key": copy.segment.key, "reason": str(exc)})
            if on:
                continue
        done.append(copy)
    if done:
        locks.set_locked(done, on)
    return len(done)
