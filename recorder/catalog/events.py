"""Events, the footage they touch, and the points that raise them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    delete,
    exists,
    func,
    or_,
    select,
)

from recorder.catalog import schema
from recorder.catalog.changes import Changes
from recorder.catalog.database import Database
from recorder.catalog.event_words import by_own_name, is_news, revives
from recorder.catalog.owed import owe
from recorder.catalog.readable import read_each, read_one
from recorder.catalog.touches import touch_rows, touching_any
from recorder.errors import NotFound
from recorder.model.events import Event
from recorder.model.keys import CameraId
from recorder.model.timebase import Instant, TimeRange
from recorder.model.versions import ANY, Expected

KEPT = b""
"""In place of an image: the one there is stays."""
_NAMES = (
    "event_id",
    "site",
    "kind",
    "source",
    "start_ns",
    "end_ns",
    "received_ns",
    "cameras",
    "attributes",
    "version",
    "noted_ns",
    "removed_ns",
)
_COLUMNS = (
    *(schema.event.c[name] for name in _NAMES),
    schema.event.c.image.is_not(None).label("has_image"),
    schema.touch.c.start_ns.label("touch_start"),
    schema.touch.c.end_ns.label("touch_end"),
)
_TOUCHED = schema.touch.c.event_id == schema.event.c.event_id
ALL_EVENTS = select(
    *_COLUMNS[:-2],
    select(func.min(schema.touch.c.start_ns))
    .where(_TOUCHED)
    .scalar_subquery()
    .label("touch_start"),
    select(func.max(schema.touch.c.end_ns)).where(_TOUCHED).scalar_subquery().label("touch_end"),
)
"""Each event once; what it touches is the same time of all its cameras."""
_ONE = ALL_EVENTS.where(schema.event.c.removed_ns.is_(None))
_TOUCHING = (
    select(*_COLUMNS)
    .join(schema.touch, schema.touch.c.event_id == schema.event.c.event_id)
    .where(
        schema.touch.c.end_ns > bindparam("start"),
        schema.touch.c.start_ns < bindparam("end"),
    )
    .order_by(schema.event.c.start_ns, schema.event.c.event_id)
    .limit(bindparam("limit"))
)
_TOUCHING_ONE = _TOUCHING.where(
    schema.touch.c.camera == bindparam("camera"), schema.touch.c.site.in_([bindparam("site"), ""])
)
"""Built once: every timeline asks it."""


class SqlEvents:
    """A :class:`recorder.ports.Events`."""

    def __init__(self, database: Database, changes: Changes) -> None:
        self._database, self._changes = database, changes

    def add(self, event: Event, image: bytes | None) -> bool:
        """Record an event and what it touches; false when it was known already."""
        with self._database.write() as db:
            known = select(schema.event.c.version).where(_is(event.event_id))
            if db.execute(known).first():
                return False
            write_event(self._database, db, replace(event, noted=event.received), image)
            self._note(db, event.event_id, event.received)
            return True

    def take(self, events: Sequence[tuple[Event, bytes | None]], at: Instant | None = None) -> int:
        """Take in events, with their images; they are not told above.

        Of two words of one version, which only a catalog that was set back can have said, the one
        that keeps the event counts.
        """
        taken = 0
        with self._database.write() as db:
            for named, image in events:
                event = by_own_name(db, named)
                if is_news(db, event.event_id, event.site, event.version) or revives(db, event):
                    write_event(
                        self._database,
                        db,
                        replace(event, noted=event.noted if at is None else at),
                        image,
                    )
                    taken += 1
        return taken

    def change(
        self, event_id: str, change: Callable[[Event], Event], expected: Expected = ANY
    ) -> Event:
        """Change an event and what it touches, in one transaction; return it as it is then."""
        with self._database.write() as db:
            found = db.execute(_ONE.where(_is(event_id)).with_for_update(of=schema.event)).first()
            if found is None:
                raise NotFound(f"no event {event_id!r}")
            expected.check(found.version, f"change event {event_id}")
            changed = change(read_event(found))
            write_event(self._database, db, changed, KEPT)
            self._note(db, event_id, changed.noted)
            return changed

    def remove(self, event_id: str, at: Instant, expected: Expected = ANY) -> bool:
        """Remove an event: it touches nothing any more."""
        with self._database.write() as db:
            found = db.execute(_ONE.where(_is(event_id)).with_for_update(of=schema.event)).first()
            expected.check(found.version if found is not None else 0, f"remove event {event_id}")
            if found is None:
                return False
            event = read_event(found)
            gone = replace(event, version=event.version + 1, removed=True, noted=at)
            write_event(self._database, db, gone, None)
            self._note(db, event_id, at)
            return True

    def _note(self, db: Connection, event_id: str, at: Instant) -> None:
        self._changes.note(db, "event", None, [(0, 0, event_id)], at)

    def noted(
        self, since: Instant, limit: int, besides: Collection[str] = (), after: str = ""
    ) -> list[Event]:
        """Return the events taken in or changed after an instant, by when that was, then by id."""
        event = schema.event
        later = event.c.noted_ns > since
        if after:
            later = or_(later, and_(event.c.noted_ns == since, event.c.event_id > after))
        query = ALL_EVENTS.where(later).order_by(event.c.noted_ns, event.c.event_id).limit(limit)
        if besides:
            query = query.where(event.c.site.not_in(besides))
        with self._database.read() as db:
            return read_each("event", db.execute(query), read_event)

    def touching(
        self, asked: TimeRange, cameras: Sequence[CameraId] = (), limit: int = 1000
    ) -> list[Event]:
        """Return the events that touch footage of a range, by start; of some cameras or all."""
        most = limit * max(1, len(cameras))
        values: dict[str, object] = {"start": asked.start, "end": asked.end, "limit": most}
        query = _TOUCHING
        if len(cameras) == 1 and cameras[0].site:  # others are written into it anew each time
            query = _TOUCHING_ONE
            values |= cameras[0]._asdict()
        elif cameras:
            query = query.where(or_(*touching_any(cameras)))
        with self._database.read() as db:
            rows = {row.event_id: row for row in db.execute(query, values)}
            return read_each("event", rows.values(), read_event)[:limit]

    def page(
        self,
        asked: TimeRange,
        cameras: Sequence[CameraId],
        kind: str | None,
        after: tuple[Instant, str] | None,
        limit: int,
    ) -> list[Event]:
        """Return the events that touch a range, each once, by start and id, from ``after`` on."""
        event, touch = schema.event, schema.touch
        hit = [touch.c.event_id == event.c.event_id, touch.c.end_ns > asked.start]
        hit += [touch.c.start_ns < asked.end, *([or_(*touching_any(cameras))] if cameras else [])]
        query = _ONE.where(exists().where(*hit))
        if kind is not None:
            query = query.where(event.c.kind == kind)
        if after is not None:
            start, event_id = after
            later = and_(event.c.start_ns == start, event.c.event_id > event_id)
            query = query.where(or_(event.c.start_ns > start, later))
        query = query.order_by(event.c.start_ns, event.c.event_id).limit(limit)
        with self._database.read() as db:
            return read_each("event", db.execute(query), read_event)

    def get(self, event_id: str) -> Event | None:
        """Return an event."""
        with self._database.read() as db:
            row = db.execute(_ONE.where(_is(event_id))).first()
            return read_one("event", row, read_event) if row is not None else None

    def image(self, event_id: str) -> bytes | None:
        """Return an event's image."""
        with self._database.read() as db:
            query = select(schema.event.c.image).where(schema.event.c.event_id == event_id)
            found = db.execute(query).scalar()
            return bytes(found) if found is not None else None

    def windows(
        self, asked: TimeRange, camera: CameraId | None = None
    ) -> list[tuple[CameraId, TimeRange, str]]:
        """Return (camera, touched range, kind) of what touches a range, by camera and start.

        ``camera``: of that one alone.
        """
        table = schema.touch
        where = [table.c.end_ns > asked.start, table.c.start_ns < asked.end]
        where += touching_any([camera]) if camera is not None else []
        order = (table.c.site, table.c.camera, table.c.start_ns)
        with self._database.read() as db:
            return [
                (CameraId(row.site, row.camera), TimeRange(row.start_ns, row.end_ns), row.kind)
                for row in db.execute(select(table).where(*where).order_by(*order))
            ]


def _is(event_id: str) -> ColumnElement[bool]:
    return schema.event.c.event_id == event_id


def write_event(database: Database, db: Connection, event: Event, image: bytes | None) -> None:
    """Write an event as it is now, and what it touches; ``KEPT`` leaves its image."""
    table = schema.event
    row = {
        "event_id": event.event_id,
        "site": event.site,
        "kind": event.kind,
        "source": event.source,
        "start_ns": event.range.start,
        "end_ns": event.range.end,
        "received_ns": event.received,
        "cameras": list(event.cameras),
        "attributes": dict(event.attributes),
        "version": event.version,
        "noted_ns": event.noted,
        "removed_ns": event.noted if event.removed else None,
        **({"image": image} if image != KEPT else {}),
    }
    database.upsert(db, table, row, tuple(name for name in row if name != "event_id"))
    owe(db, event.event_id)
    db.execute(delete(schema.touch).where(schema.touch.c.event_id == event.event_id))
    if not event.removed:
        touched = touch_rows(event.event_id, event.site, event.kind, event.touched, event.cameras)
        database.upsert(db, schema.touch, touched)


def read_event(row: Any) -> Event:
    """Read a row of :data:`ALL_EVENTS`."""
    ends = (row.touch_start, row.touch_end)  # one that was removed touches nothing
    return Event(
        row.event_id,
        row.site,
        row.kind,
        row.source,
        tuple(row.cameras),
        TimeRange(row.start_ns, row.end_ns),
        TimeRange(*(ends if row.removed_ns is None else (row.start_ns, row.end_ns))),
        row.received_ns,
        dict(row.attributes),
        bool(row.has_image),
        row.version,
        row.removed_ns is not None,
        row.noted_ns,
    )
