"""Stores that were put back to an older state: a snapshot of a disk, a backup of a bucket.

What was stored since is not there, and a scrub takes weeks to find that, while spools let go what
they take for stored.  The documents that a store keeps are counted: one that shows fewer than were
written there was put back.  Then its events are owed anew, and its footage is looked for.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Protocol

from recorder import telemetry
from recorder.janitor.keeping_events import target_of
from recorder.model.keys import StreamId
from recorder.model.media import SegmentId
from recorder.model.timebase import Instant, format_instant
from recorder.ports import OwedEvents, Progress

log = logging.getLogger("recorder.janitor")

BATCHES = "audit batches"
"""What is kept of the log's batches that a store may have lost: the ``day`` to go on with."""


@dataclass(frozen=True, slots=True)
class Look:
    """Which copies are looked for: proven ``since``, ``after`` the last one looked for."""

    since: Instant
    after: SegmentId | None = None


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
    since = min(since, before.since) if before is not None else since
    note_look(catalog.progress, store, Look(since), now)
    batches = catalog.progress.of(BATCHES)
    begin = min(since, int(batches.get("day", since)))
    catalog.progress.put(BATCHES, {"day": begin}, now)
    telemetry.PUT_BACK.labels(store).inc()
    as_of = format_instant(since, 0) if since else "nothing"
    log.error("store put back to an older state", extra={"store": store, "as_of": as_of})


def look_of(progress: Progress, store: str) -> Look | None:
    """Return what is looked for in a store; ``None`` where it was not put back, or all was."""
    facts = progress.of(_name(store))
    if not facts:
        return None
    after = facts["after"]
    last = SegmentId(StreamId(*after[:3]), *after[3:]) if after else None
    return Look(int(facts["since"]), last)


def note_look(progress: Progress, store: str, look: Look | None, now: Instant) -> None:
    """Note how far the look is; ``None`` where it is over."""
    facts: dict[str, object] = {}
    if look is not None:
        last = look.after
        names = (last.stream.site, last.stream.camera, last.stream.stream) if last else ()
        after = [*names, last.start, last.writer] if last else None
        facts = {"since": look.since, "after": after}
    progress.put(_name(store), facts, now)


def _name(store: str) -> str:
    return f"put back {store}"
