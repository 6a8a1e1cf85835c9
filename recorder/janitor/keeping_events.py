"""Keeping events in the stores: what policy keeps because of them must outlive the catalog.

Each minute what was taken in or changed is written as one object more, and none is ever changed:
``spanstore.events/SITE/DAY/DIGEST.jsonl``, a line for each event, its image in base64.  Where
lines tell of one event, the highest version counts.  What a store has not yet is noted with each
change, not found by a clock.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from recorder.errors import (
    BadDocument,
    CopyMissing,
    RequestError,
    StoreRefused,
    StoreUnavailable,
)
from recorder.janitor.owing import note_asked
from recorder.model.checks import read_json
from recorder.model.event_changes import event_document, read_event_document
from recorder.model.events import Event
from recorder.model.media import ObjectInfo
from recorder.model.timebase import MINUTE, Instant, format_instant
from recorder.ports import Events, ObjectStore, OwedEvents, Progress
from recorder.store.kept import EVENTS
from recorder.store.verify import check_answers

AT_ONCE = 500
"""Events of one object."""
MOST_OBJECTS = 20
"""So many objects are written to a store at a time; the rest comes a minute later."""
_TYPE = "application/jsonl"


class EventCatalog(Protocol):
    """The parts of the catalog that keeping uses."""

    @property
    def events(self) -> Events:
        """The events."""

    @property
    def owed_events(self) -> OwedEvents:
        """Which of them a store has not."""

    @property
    def progress(self) -> Progress:
        """Until when they were kept, and when a store was last written to."""


@dataclass(slots=True)
class EventsBack:
    """What was taken back of events; ``damaged``: objects that are not what was written."""

    events: int = 0
    damaged: list[str] = field(default_factory=list)


class EventKeeper:
    """Writes a site's events into its stores, and reads them again."""

    def __init__(self, catalog: EventCatalog, site: str) -> None:
        self._catalog, self._site = catalog, site

    def keep(self, store: ObjectStore, now: Instant) -> int:
        """Write what a store has not yet; return how many events.

        A death before the catalog is told leaves an object that is written again.
        """
        count, owed = 0, self._catalog.owed_events
        note_asked(self._catalog, target_of(store.name), now)
        for _ in range(MOST_OBJECTS):
            found = owed.due(target_of(store.name), AT_ONCE, self._kept_until(store) - MINUTE)
            if not found:
                break
            self._write(store, found, now)
            owed.settle(target_of(store.name), [(one.event_id, one.version) for one in found])
            count += len(found)
            if len(found) < AT_ONCE:
                break
        return count

    def take_back(self, stores: Iterable[ObjectStore]) -> EventsBack:
        """Take back what the catalog does not know, or only as it was before."""
        done = EventsBack()
        for store in stores:
            there: dict[str, int] = {}
            for events in self._read(store, done):
                for one, _ in events:
                    there[one.event_id] = max(one.version, there.get(one.event_id, 0))
                done.events += self._catalog.events.take(events)
            self._catalog.owed_events.begin(target_of(store.name))
            self._catalog.owed_events.settle(target_of(store.name), list(there.items()))
        return done

    def _kept_until(self, store: ObjectStore) -> Instant:
        """Return until when an earlier release kept them, which went by time."""
        return int(self._catalog.progress.of(f"kept events {store.name}").get("at", 0))

    def _write(self, store: ObjectStore, events: list[Event], now: Instant) -> None:
        body = b"".join(self._line(one) for one in events)
        key = f"{EVENTS}{self._site}/{format_instant(now)[:10]}/{_digest(body)}.jsonl"
        store.put(key, body, _TYPE, {})

    def _line(self, event: Event) -> bytes:
        said: dict[str, object] = event_document(event)
        image = self._catalog.events.image(event.event_id) if event.has_image else None
        if image:
            said["image"] = base64.b64encode(image).decode()
        return json.dumps(said, separators=(",", ":")).encode() + b"\n"

    def _read(
        self, store: ObjectStore, done: EventsBack
    ) -> Iterator[list[tuple[Event, bytes | None]]]:
        """Yield what each object has, of those that are whole."""
        for info in store.list(f"{EVENTS}{self._site}/"):
            try:
                events = read_events(store, info)
            except BadDocument as exc:
                done.damaged.append(str(exc))
            else:
                yield events


def read_events(store: ObjectStore, info: ObjectInfo) -> list[tuple[Event, bytes | None]]:
    """Read one object: events, each with its image.

    Raises: ``BadDocument`` when it is gone, not given, or not what was written;
    ``StoreUnavailable``, ``StoreRefused``, where it is the store.
    """
    try:
        body = _body(store, info)
        if not info.key.endswith(f"/{_digest(body)}.jsonl"):
            raise ValueError("is not what was written")
        return [_read_line(line) for line in body.splitlines()]
    except (CopyMissing, RequestError, ValueError, LookupError, TypeError) as exc:
        raise BadDocument(f"{info.key}: {exc}") from exc


def _body(store: ObjectStore, info: ObjectInfo) -> bytes:
    try:
        return b"".join(store.read(info.key, 0, info.size))
    except (StoreUnavailable, StoreRefused) as exc:
        check_answers(store, exc)
        raise ValueError(str(exc)) from exc


def target_of(store: str) -> str:
    """Say what a store is called among those who are owed events."""
    return f"store {store}"


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _read_line(line: bytes) -> tuple[Event, bytes | None]:
    said = read_json(line, "event")
    if not isinstance(said, dict):
        raise TypeError("an event is an object")
    image = said.get("image")
    return read_event_document(said), base64.b64decode(image) if image else None
