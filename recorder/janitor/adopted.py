"""Stores that a person took for ours anew: another disk perhaps, with nothing on it, or a part.

What the catalog says of copies there is no reason to let another go, until they are read again.
"""

from __future__ import annotations

from recorder.model.timebase import Instant
from recorder.ports import Progress


def note_adopted(progress: Progress, store: str, now: Instant) -> None:
    """Believe of a store only what is proven from now on."""
    progress.put(f"adopted {store}", {"at": now}, now)


def adopted_at(progress: Progress, store: str) -> Instant:
    """Return since when copies in a store must have been verified to count."""
    return int(progress.of(f"adopted {store}").get("at", -1))
