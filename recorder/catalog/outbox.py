"""The outbox: what changed here, for the parent.

It notes *what* changed; that is told *as it is* when it is told.  So telling is idempotent,
two changes of one thing may be told once, and nothing is lost by telling twice.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, insert, or_, select

from recorder.catalog import schema
from recorder.catalog.anew import ANEW, note_all, tell_anew
from recorder.catalog.database import Database
from recorder.catalog.said import rows_to_say, segment_said
from recorder.catalog.told import COLUMNS, Message, grouped
from recorder.model.keys import ANY_SITE, CameraId, StreamId, read_camera_id
from recorder.model.places import PARENT, parse_place
from recorder.model.timebase import MINUTE, Instant

PUT_OFF = 10 * MINUTE
"""So much later what the parent could not take in yet is told again."""


class SqlOutbox:
    """A :class:`recorder.ports.Outbox`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def fill(self, at: Instant) -> int:
        """Note everything there is: the first time a site has a parent."""
        with self._database.write() as db:
            return note_all(db, at)

    def begin_anew(self, at: Instant, left: str = "", joined: str = "") -> int:
        """Note everything there is, and believe no more that what is here lies above, too.

        ``left``, ``joined``: the parent that was and the one that is, where that is another site.
        """
        with self._database.write() as db:
            return tell_anew(db, at, left, joined)

    def depth(self) -> tuple[int, Instant | None]:
        """Return how many changes are not told yet, and when the oldest was noted."""
        query = select(func.count(), func.min(schema.outbox.c.at_ns))
        with self._database.read() as db:
            count, oldest = db.execute(query).one()
            return int(count), oldest

    def take(self, limit: int, at: Instant) -> tuple[list[int], list[Message]]:
        """Return the oldest changes, by number, and what is to be told of them at an instant.

        ``{"k": "anew", "what": "begin"}``, or ``"end"``, stands before and after all that is told
        anew.  Of a stream that there is none of, nothing is: it would hold up all behind it.
        """
        table = schema.outbox
        # noted for a later that is near: put off; for one that is far: by a clock that was wrong
        due = or_(table.c.at_ns <= at, table.c.at_ns > at + 2 * PUT_OFF)
        query = select(table).where(due).order_by(table.c.seq).limit(limit)
        with self._database.read() as db:
            rows = db.execute(query).all()
            names = {
                row.stream_no: StreamId(row.site, row.camera, row.stream)
                for row in db.execute(select(schema.stream))
            }
            said = self._cameras_said(db, {r.name for r in rows if r.kind == "camera"})
            known = [r for r in rows if r.stream_no in names]
            said += self._segments_said(
                db, names, {(r.stream_no, r.start_ns, r.name) for r in known if r.kind == "segment"}
            )
            for row in {(r.stream_no, r.start_ns, r.end_ns) for r in known if r.kind == "gap"}:
                said.append(self._gaps_said(db, names[row[0]], *row))
            said += self._events_said(db, {r.name for r in rows if r.kind == "event"})
            said += [{"k": ANEW, "what": r.name} for r in rows if r.kind == ANEW]
            return [row.seq for row in rows], said

    def drop(
        self, numbers: Sequence[int], again: Sequence[Mapping[str, object]] = (), at: Instant = 0
    ) -> None:
        """Forget changes that were told.

        ``again``: those of what was told that are to be told once more, some minutes after ``at``.
        """
        table = schema.outbox
        with self._database.write() as db:
            for i in range(0, len(numbers), 500):
                db.execute(delete(table).where(table.c.seq.in_(numbers[i : i + 500])))
            rows = [self._noted(db, one, at + PUT_OFF) for one in again]
            if rows:
                db.execute(insert(table), rows)

    @staticmethod
    def _noted(db: Connection, said: Mapping[str, Any], at: Instant) -> Message:
        """Return the row that notes what a message told."""
        row = {"kind": said["k"], "start_ns": 0, "end_ns": 0, "name": "", "at_ns": at}
        if said["k"] in ("event", "camera"):  # of a camera's name, all that have it
            return row | {"stream_no": None, "name": said.get("id") or said["name"]}
        stream, names = schema.stream, said["stream"].split("/")
        columns = (stream.c.site, stream.c.camera, stream.c.stream)
        query = select(stream.c.stream_no).where(
            *(column == name for column, name in zip(columns, names, strict=True))
        )
        row["stream_no"] = db.execute(query).scalar_one()
        if said["k"] == "gap":
            return row | {"start_ns": said["range"][0], "end_ns": said["range"][1]}
        told = dict(zip(COLUMNS, said.get("row", ()), strict=False)) or said
        start, writer = told.get("start_ns", told.get("start")), told["writer"]
        return row | {"kind": "segment", "start_ns": start, "name": writer}

    def _cameras_said(self, db: Connection, names: set[str]) -> list[Message]:
        """Say groups, of each site's camera by itself."""
        wanted = {read_camera_id(name) for name in names}
        if not wanted:
            return []
        table = schema.member
        query = select(table).where(table.c.camera.in_({one.camera for one in wanted}))
        rows = db.execute(query).all()
        groups = {CameraId(row.site, row.camera): row.group_name for row in rows}
        about = {CameraId(row.site, row.camera): row.about for row in rows if row.about}
        sites = _sites_of(db, [one.camera for one in groups if one in wanted and not one.site])
        said: dict[CameraId, str] = {}
        for one, group in groups.items():
            if one not in wanted and CameraId(ANY_SITE, one.camera) not in wanted:
                continue
            for site in [one.site] if one.site else sites.get(one.camera, [ANY_SITE]):
                meant = CameraId(site, one.camera)
                said[meant] = groups.get(meant, group)
        return [_camera_said(one, group, about.get(one)) for one, group in said.items()]

    def _segments_said(
        self, db: Connection, names: dict[int, StreamId], keys: set[tuple[int, int, str]]
    ) -> list[Message]:
        copy, said = schema.copy, list[Message]()
        for (number, writer), starts in grouped(keys).items():
            stream = str(names[number])
            copies, damaged = dict[int, list[list[object]]](), dict[int, list[str]]()
            columns = [
                copy.c.start_ns,
                copy.c.place,
                copy.c.etag,
                copy.c.verified_ns,
                copy.c.condemned_ns,
                copy.c.damaged_ns,
            ]
            for start, *values, found in db.execute(
                select(*columns).where(
                    copy.c.stream_no == number, copy.c.writer == writer, copy.c.start_ns.in_(starts)
                )
            ):
                at = parse_place(values[0])
                if not at.above and not at.former:  # what lies above is known there
                    copies.setdefault(start, []).append(values)
                    if found is not None:
                        damaged.setdefault(start, []).append(values[0])
            for row in rows_to_say(db, number, writer, [one for one in starts if one in copies]):
                said.append(segment_said(row, stream, copies[row[0]], damaged.get(row[0])))
            said += [
                {"k": "gone", "stream": stream, "start": start, "writer": writer}
                for start in starts
                if start not in copies
            ]
        return said

    def _gaps_said(
        self, db: Connection, stream: StreamId, number: int, start: int, end: int
    ) -> Message:
        gap = schema.gap
        rows = db.execute(
            select(gap).where(
                gap.c.stream_no == number, gap.c.start_ns <= end, gap.c.end_ns >= start
            )
        ).all()
        hull = [min([start, *(r.start_ns for r in rows)]), max([end, *(r.end_ns for r in rows)])]
        found = [[row.start_ns, row.end_ns, row.cause] for row in rows]
        return {"k": "gap", "stream": str(stream), "range": hull, "gaps": found}

    def _events_said(self, db: Connection, names: set[str]) -> list[Message]:
        event, touch = schema.event, schema.touch
        if not names:
            return []
        found = db.execute(select(event).where(event.c.event_id.in_(names))).all()
        parent = select(schema.site.c.facts).where(schema.site.c.name == PARENT)
        above = (db.execute(parent).scalar() or {}).get("site")  # knows its own events better
        touched: dict[str, list[int]] = {}
        anywhere: dict[str, list[str]] = {}
        for row in db.execute(select(touch).where(touch.c.event_id.in_(names))):
            touched[row.event_id] = [row.start_ns, row.end_ns]
            if row.site == ANY_SITE:
                anywhere.setdefault(row.event_id, []).append(row.camera)
        sites = _sites_of(db, [name for names in anywhere.values() for name in names])
        return [
            {
                "k": "event",
                "id": row.event_id,
                "site": row.site,
                "kind": row.kind,
                "source": row.source,
                "cameras": [
                    *row.cameras,
                    *(
                        f"{site}/{name}"
                        for name in anywhere.get(row.event_id, ())
                        for site in sites.get(name, ())
                        if site != row.site
                    ),
                ],
                "attributes": row.attributes,
                "range": [row.start_ns, row.end_ns],
                "received": row.received_ns,
                "touched": touched.get(row.event_id, [row.start_ns, row.end_ns]),
                "version": row.version,
                "removed": row.removed_ns is not None,
                "image": base64.b64encode(row.image).decode() if row.image else None,
            }
            for row in found
            if row.site != above
        ]


def _camera_said(camera: CameraId, group: str, about: Message | None) -> Message:
    """Say a camera's group and what people call it; without a site it is the teller's own."""
    said: Message = {"k": "camera", "name": camera.camera, "group": group}
    if about:
        said["about"] = {key: value for key, value in about.items() if value is not None}
    return {**said, "site": camera.site} if camera.site else said


def _sites_of(db: Connection, cameras: Collection[str]) -> dict[str, list[str]]:
    """Return the sites that have footage of cameras of a name: what an old row may have meant."""
    table, names, found = schema.stream, sorted(set(cameras)), dict[str, list[str]]()
    for i in range(0, len(names), 500):
        query = select(table.c.site, table.c.camera).where(table.c.camera.in_(names[i : i + 500]))
        for site, camera in db.execute(query.distinct().order_by(table.c.site)):
            found.setdefault(camera, []).append(site)
    return found
