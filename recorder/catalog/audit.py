"""The audit log: what was done to which copy, by which rule; it outlives the footage."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from recorder.catalog import schema
from recorder.catalog.database import Database
from recorder.catalog.rows import audit_row, read_audit
from recorder.model.keys import CameraId
from recorder.model.timebase import TimeRange
from recorder.ports import AuditEntry

_OF_COPIES = schema.audit.c.key != ""
"""Of the log's entries those that say what was done to a copy."""


class SqlAudit:
    """A :class:`recorder.ports.Audit`."""

    def __init__(self, database: Database, site: str = "", node: str = "") -> None:
        """``site``, ``node``: whose log the entries are of, and who wrote them."""
        self._database, self._own = database, (site, node)

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
            return [read_audit(row) for row in db.execute(query)]

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
            return [read_audit(row) for row in db.execute(query)]
