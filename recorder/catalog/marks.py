"""Marks on the timeline: holds, events, and the points that raise them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, and_, delete, select, update

from recorder.catalog import schema
from recorder.catalog.footage import SEGMENT_KEY
from recorder.catalog.letting import Letting, read_hold
from recorder.model.events import Event, Point, parse_point, show_point
from recorder.model.holds import Hold
from recorder.model.timebase import Instant, TimeRange


class Marks(Letting):
    """The queries on holds and events; :class:`recorder.catalog.sql.SqlCatalog` has them too."""

    # -- holds ---------------------------------------------------------------------------

    def add_hold(self, hold: Hold) -> Hold:
        """Record a hold and take back every condemnation it covers; twice is once."""
        with self.database.write() as db:
            self.database.upsert(db, schema.hold, _hold_row(hold))
            self._spare_held(db, hold)
            row = db.execute(select(schema.hold).where(schema.hold.c.hold_id == hold.hold_id)).one()
            return read_hold(row)

    def hold(self, hold_id: str) -> Hold | None:
        """Return one hold."""
        with self.database.read() as db:
            row = db.execute(select(schema.hold).where(schema.hold.c.hold_id == hold_id)).first()
            return read_hold(row) if row is not None else None

    def holds(self) -> list[Hold]:
        """Return all holds, released and expired ones too, newest first."""
        query = select(schema.hold).order_by(schema.hold.c.created_ns.desc(), schema.hold.c.hold_id)
        with self.database.read() as db:
            return [read_hold(row) for row in db.execute(query)]

    def release_hold(self, hold_id: str, by: str, at: Instant) -> bool:
        """Let a hold go; false when there is no live one of this name."""
        table = schema.hold
        with self.database.write() as db:
            done = db.execute(
                update(table)
                .where(table.c.hold_id == hold_id, table.c.released_ns.is_(None))
                .values(released_ns=at, released_by=by)
            )
            return done.rowcount > 0

    def _spare_held(self, db: Connection, hold: Hold) -> None:
        """Take back the condemnation of held copies whose deletion has not begun."""
        copy, seg, stream = schema.copy, schema.segment, schema.stream
        held = (
            select(copy.c.stream_no, copy.c.start_ns, copy.c.writer)
            .join(seg, and_(*(seg.c[key] == copy.c[key] for key in SEGMENT_KEY)))
            .join(stream, stream.c.stream_no == copy.c.stream_no)
            .where(
                copy.c.condemned_ns.is_not(None), copy.c.deleting_ns.is_(None),
                stream.c.camera.in_(list(hold.cameras)),
                seg.c.start_ns < hold.range.end, seg.c.end_ns > hold.range.start,
            )
        )  # fmt: skip
        for number, start, writer in db.execute(held).all():
            db.execute(
                update(copy)
                .where(
                    copy.c.stream_no == number, copy.c.start_ns == start,
                    copy.c.writer == writer, copy.c.deleting_ns.is_(None),
                )
                .values(condemned_ns=None)
            )  # fmt: skip
            self.note(db, "segment", number, [(start, hold.created, writer)], hold.created)
            self.note_down(db, number, [(start, writer)])

    # -- points --------------------------------------------------------------------------

    def put_point(self, point: Point) -> Point:
        """Store an alarm point or checkpoint; return it with its new version."""
        table = schema.point
        with self.database.write() as db:
            old = db.execute(select(table.c.version).where(table.c.name == point.name)).scalar()
            stored = replace(point, version=int(old or 0) + 1)
            row = {"name": point.name, "version": stored.version, "body": show_point(stored)}
            self.database.upsert(db, table, row, ("version", "body"))
            return stored

    def points(self) -> list[Point]:
        """Return all points, by name."""
        with self.database.read() as db:
            query = select(schema.point).order_by(schema.point.c.name)
            return [_read_point(row) for row in db.execute(query)]

    def point(self, name: str) -> Point | None:
        """Return one point."""
        with self.database.read() as db:
            row = db.execute(select(schema.point).where(schema.point.c.name == name)).first()
            return _read_point(row) if row is not None else None

    def delete_point(self, name: str) -> bool:
        """Remove a point; its events stay."""
        with self.database.write() as db:
            gone = db.execute(delete(schema.point).where(schema.point.c.name == name))
            return gone.rowcount > 0

    # -- events --------------------------------------------------------------------------

    def add_event(self, event: Event, image: bytes | None) -> bool:
        """Record an event and what it touches; false when it was known already."""
        with self.database.write() as db:
            table = schema.event
            if db.execute(
                select(table.c.event_id).where(table.c.event_id == event.event_id)
            ).first():
                return False
            row = {
                "event_id": event.event_id, "site": event.site, "kind": event.kind,
                "source": event.source, "start_ns": event.range.start,
                "end_ns": event.range.end, "received_ns": event.received,
                "cameras": list(event.cameras), "attributes": dict(event.attributes),
                "image": image,
            }  # fmt: skip
            self.database.upsert(db, table, row)
            self.database.upsert(
                db, schema.touch,
                [
                    {"camera": camera, "start_ns": event.touched.start,
                     "event_id": event.event_id, "end_ns": event.touched.end, "kind": event.kind}
                    for camera in event.cameras
                ],
            )  # fmt: skip
            self.note(db, "event", None, [(0, 0, event.event_id)], event.received)
            return True

    def events(
        self, asked: TimeRange, cameras: Sequence[str] = (), limit: int = 1000
    ) -> list[Event]:
        """Return the events that touch footage of a range, by start; of some cameras or all."""
        touch, event = schema.touch, schema.event
        where = [touch.c.end_ns > asked.start, touch.c.start_ns < asked.end]
        if len(cameras) == 1:  # a list is written into the statement anew each time
            where.append(touch.c.camera == cameras[0])
        elif cameras:
            where.append(touch.c.camera.in_(list(cameras)))
        query = (
            select(
                event.c.event_id, event.c.site, event.c.kind, event.c.source, event.c.start_ns,
                event.c.end_ns, event.c.received_ns, event.c.cameras, event.c.attributes,
                event.c.image.is_not(None).label("has_image"),
                touch.c.start_ns.label("touch_start"), touch.c.end_ns.label("touch_end"),
            )
            .join(touch, touch.c.event_id == event.c.event_id)
            .where(*where)
            .order_by(event.c.start_ns, event.c.event_id)
            .limit(limit * max(1, len(cameras)))
        )  # fmt: skip
        with self.database.read() as db:
            found = {row.event_id: _read_event(row) for row in db.execute(query)}
            return list(found.values())[:limit]

    def event_image(self, event_id: str) -> bytes | None:
        """Return an event's image."""
        with self.database.read() as db:
            query = select(schema.event.c.image).where(schema.event.c.event_id == event_id)
            found = db.execute(query).scalar()
            return bytes(found) if found is not None else None

    def touches(
        self, asked: TimeRange, camera: str | None = None
    ) -> list[tuple[str, TimeRange, str]]:
        """Return (camera, touched range, kind) of what touches a range, by camera and start."""
        table = schema.touch
        where = [table.c.end_ns > asked.start, table.c.start_ns < asked.end]
        if camera is not None:
            where.append(table.c.camera == camera)
        query = select(table).where(*where).order_by(table.c.camera, table.c.start_ns)
        with self.database.read() as db:
            return [
                (row.camera, TimeRange(row.start_ns, row.end_ns), row.kind)
                for row in db.execute(query)
            ]


def _hold_row(hold: Hold) -> dict[str, Any]:
    return {
        "hold_id": hold.hold_id, "cameras": list(hold.cameras), "start_ns": hold.range.start,
        "end_ns": hold.range.end, "case_name": hold.case, "reason": hold.reason,
        "owner": hold.owner, "created_ns": hold.created, "expires_ns": hold.expires,
        "released_ns": hold.released, "released_by": hold.released_by,
    }  # fmt: skip


def _read_point(row: Any) -> Point:
    return replace(parse_point(row.name, row.body), version=row.version)


def _read_event(row: Any) -> Event:
    return Event(
        row.event_id, row.site, row.kind, row.source, tuple(row.cameras),
        TimeRange(row.start_ns, row.end_ns), TimeRange(row.touch_start, row.touch_end),
        row.received_ns, row.attributes, bool(row.has_image),
    )  # fmt: skip
