"""Events on their way down: a child gets each that touches its cameras, and says which it has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from recorder.janitor.owing import begin_anew, begin_at_once, go_on, note_asked
from recorder.model.event_changes import event_document
from recorder.model.events import Event
from recorder.model.keys import read_camera_id
from recorder.model.places import PARENT
from recorder.model.timebase import MINUTE, Instant
from recorder.ports import Events, OwedEvents, Progress, Sites

BATCH = 2000
ROUNDS = 10
"""So many times as much is looked at in one exchange for what touches a child's cameras."""
TAKEN = "events_taken"
"""Which events a child has taken in of the last answer, in its message: ``[id, version]`` each;
``None`` where it never took any, or believes none of it."""


class OwingCatalog(Protocol):
    """The parts of the catalog that know what is owed to children."""

    owed_events: OwedEvents
    progress: Progress
    sites: Sites


def hear_taken(catalog: OwingCatalog, child: str, body: Mapping[str, object], now: Instant) -> None:
    """Owe a child no more what it says it has; all, where it says that it has none.

    A child of an older release says nothing of it: it goes by time.
    """
    if TAKEN not in body:
        return
    taken = body[TAKEN]
    if not isinstance(taken, list):
        begin_anew(catalog, _target(child), now)
        return
    go_on(catalog, _target(child), now)
    pairs = [one for one in taken if isinstance(one, list) and len(one) == 2]
    catalog.owed_events.settle(
        _target(child), [(i, v) for i, v in pairs if isinstance(i, str) and isinstance(v, int)]
    )


def hear_all(progress: Progress, child: str, now: Instant) -> None:
    """Let a child whose name another catalog has taken over be told all events at once."""
    begin_at_once(progress, _target(child), now)


def named(document: Mapping[str, object]) -> list[tuple[str, int]]:
    """Return the id and version that an event's document names, if it does."""
    name, version = document.get("event_id"), document.get("version", 1)
    return [(name, version)] if isinstance(name, str) and isinstance(version, int) else []


def events_owed(
    catalog: OwingCatalog, child: str, through: set[str], now: Instant
) -> list[dict[str, object]]:
    """Return events of this site, or from above it, that touch cameras ``through`` a child.

    Never more than it takes at once; the others it is owed still.
    """
    note_asked(catalog, _target(child), now)
    below = {beat.name for beat in catalog.sites.all() if beat.name != PARENT}
    wanted: list[Event] = []
    for _ in range(ROUNDS):
        found = catalog.owed_events.due(_target(child), BATCH)
        wanted, others = [], list[Event]()
        for one in found:
            mine = one.site not in below and _touches(one, through)
            (wanted if mine else others).append(one)
        catalog.owed_events.settle(_target(child), [(one.event_id, one.version) for one in others])
        if wanted or not others:
            break
    return [event_document(one) for one in wanted]


def events_since(
    events: Events, sites: Sites, through: set[str], heard: Instant
) -> list[dict[str, object]]:
    """Return the same for a child of an older release, which says until when it has heard.

    Those of the last minute are told again: some are committed later than others that came after.
    """
    below = {beat.name for beat in sites.all() if beat.name != PARENT}
    found = events.noted(heard - MINUTE, BATCH, below)
    return [event_document(one) for one in found if _touches(one, through)]


def _touches(event: Event, sites: set[str]) -> bool:
    return any(read_camera_id(name, event.site).site in sites for name in event.cameras)


def _target(child: str) -> str:
    """Say what a child is called among those who are owed events."""
    return f"child {child}"
