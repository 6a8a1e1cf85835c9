"""Making room in the spool: which files go when it is too full.  Pure.

First what is safe in a store, oldest first; then what came from a site below, which keeps
its copy and sends it again: parts of transfers given up before whole segments.  Only then what is
nowhere else: oldest footage of the least important streams, never what is held.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from recorder.model.timebase import Instant

REASONS = {
    "here": "in a store, and the spool needs room",
    "begun": "a part of a transfer given up, and the spool needs room",
    "below": "at the site it came from, and the spool needs room",
}
"""Why what is safe may go, in that order."""
_ORDER = {safe: place for place, safe in enumerate(REASONS)}


@dataclass(frozen=True, slots=True)
class SpoolItem:
    """One file in the spool.

    ``safe``: ``here`` in a store of this site, ``below`` at the site it came from, ``begun`` there,
    and here a part of it by its file's name; or empty.  ``fresh``: sealed moments ago.
    """

    key: str
    size_bytes: int
    start: Instant
    importance: int
    safe: str = ""
    held: bool = False
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Eviction:
    """One file that goes; ``shed`` means that its footage is lost with it."""

    item: SpoolItem
    shed: bool
    reason: str


def make_room(items: Iterable[SpoolItem], needed_bytes: int, shed: str) -> list[Eviction]:
    """Choose files until ``needed_bytes`` are free.

    ``shed``: ``oldest-least-important`` lets un-shipped footage go when nothing else is
    left, ``never`` keeps it (and lets new footage find the disk full).
    """
    chosen: list[Eviction] = []
    freed = 0
    pool = list(items)
    safe = sorted(
        (item for item in pool if item.safe), key=lambda item: (_ORDER[item.safe], item.start)
    )
    unsafe = sorted(
        (item for item in pool if not (item.safe or item.held or item.fresh)),
        key=lambda item: (item.importance, item.start),
    )
    for item in safe:
        if freed >= needed_bytes:
            return chosen
        chosen.append(Eviction(item, False, REASONS[item.safe]))
        freed += item.size_bytes
    if shed == "never":
        return chosen
    for item in unsafe:
        if freed >= needed_bytes:
            break
        chosen.append(Eviction(item, True, "spool full, not yet in a store"))
        freed += item.size_bytes
    return chosen
