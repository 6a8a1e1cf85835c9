"""Stores that were put back to an older state: a snapshot of a disk, a backup of a bucket.

What was stored since is not there, and a scrub takes weeks to find that, while spools let go what
they take for stored.  The documents that a store keeps are counted: one that shows fewer than were
written there was put back.  Then its events are owed anew, and its footage is looked for.
"""

from __future__ import annotations

import logging
from typing import Any, Protocol

from recorder import telemetry
from recorder.janitor.keeping_events import target_of
from recorder.model.timebase import Instant, format_instant
from recorder.ports import OwedEvents, Progress

log = logging.getLogger("recorder.janitor")


class PutBackCatalog(Protocol):
    """The parts of the catalog that note it."""

    @property
    def progress(self) -> Progress:
        """How far the look is."""

    @property
    def owed_events(self) -> OwedEvents:
        """Which events a store has not."""


def note_put_back(catalog: PutBackCatalog, store: str, since: Instant, now: Instant) -> None:
    """Owe a store all events, and have it looked through; ``since``: as of when it was put back.

    Durable before anything is written over what tells of it.
    """
    catalog.owed_events.begin(target_of(store))
    before = look_of(catalog.progress, store)
    since = min(since, before["since"]) if before else since
    note_look(catalog.progress, store, {"since": since, "after": None}, now)
    telemetry.PUT_BACK.labels(store).inc()
    as_of = format_instant(since, 0) if since else "nothing"
    log.error("store put back to an older state", extra={"store": store, "as_of": as_of})


def look_of(progress: Progress, store: str) -> dict[str, Any]:
    """Return which copies are looked for: proven ``since``, ``after`` the last one looked for.

    Nothing where the store was not put back, or all were.
    """
    return progress.of(f"put back {store}")


def note_look(progress: Progress, store: str, facts: dict[str, Any], now: Instant) -> None:
    """Note how far the look is."""
    progress.put(f"put back {store}", facts, now)
