"""The audit log: what was done to which copy, by which rule; it outlives the footage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import SimpleNamespace

from sqlalchemy import select

from recorder.catalog import schema
from recorder.catalog.audit_left import LeftEntry, SqlAuditLeft
from recorder.catalog.audit_tiles import copies_about, copies_asked
from recorder.catalog.database import Database
from recorder.catalog.rows import audit_row, read_audit
from recorder.model.keys import CameraId
from recorder.model.timebase import TimeRange
from recorder.ports import AuditEntry

_OF_COPIES = schema.audit.c.key != ""
"""Of the log's entries those that say what was done to a copy."""


class SqlAudit:
    """A :class:`recorder.ports.Audit`."""

    def __init__(
        self, database: Database, left: SqlAuditLeft, site: str = "", node: str = ""
    ) -> None:
        """``left``: entries without a row; ``site``, ``node``: whose log it is, and who writes."""
        self._database, self._left, self._own = database, left, (site, node)

    def write(self, entries: Sequence[AuditEntry]) -> None:
        """Write audit entries that no transaction of ours writes by itself."""
        with self._database.write() as db:
            db.execute(schema.audit.insert(), [audit_row(one, *self._own) for one in entries])

    def newest(self, limit: int, before: int | None = None) -> list[AuditEntry]:
        """Return the newest audit entries, or the newest of those before one's number."""
        table = schema.audit
        query = select(table).where(_OF_COPIES).order_by(table.c.audit_no.desc()).limit(limit)
        if before is not None:
            query = query.where(table.c.audit_no < before)
        with self._database.read() as db:
            found = {row.audit_no: read_audit(row) for row in db.execute(query)}

        def choose(one: LeftEntry) -> AuditEntry | None:
            fits = one.row["key"] != "" and (before is None or one.number < before)
            return _entry(one) if fits else None

        return self._left.fill(found, limit, copies_asked(before), choose)

    def about(self, camera: CameraId, asked: TimeRange, limit: int = 1000) -> list[AuditEntry]:
        """Return the audit entries on a camera's footage that touch a range, by start."""
        table = schema.audit
        query = (
            select(table)
            .where(
                _OF_COPIES,
                table.c.site == camera.site,
                table.c.camera == camera.camera,
                table.c.start_ns < asked.end,
                table.c.end_ns > asked.start,
            )
            .order_by(table.c.start_ns, table.c.audit_no)
            .limit(limit)
        )
        with self._database.read() as db:
            found = {row.audit_no: read_audit(row) for row in db.execute(query)}
        for one in self._left.each(copies_about(camera.camera, asked)):
            row = one.row
            if row["key"] == "" or (row["site"], row["camera"]) != (camera.site, camera.camera):
                continue
            if row["start_ns"] < asked.end and row["end_ns"] > asked.start:
                found[one.number] = _entry(one)
                if len(found) > 2 * limit:
                    found = {entry.number: entry for entry in _first(found.values(), limit)}
        return _first(found.values(), limit)


def _first(entries: Iterable[AuditEntry], limit: int) -> list[AuditEntry]:
    return sorted(entries, key=lambda one: (one.range.start, one.number))[:limit]


def _entry(one: LeftEntry) -> AuditEntry:
    return read_audit(SimpleNamespace(**one.row, audit_no=one.number))
