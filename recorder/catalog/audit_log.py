"""Entries of the audit log as rows, and what was vouched for of other sites' logs."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, or_, select

from recorder.audit.entry import Entry
from recorder.catalog import schema
from recorder.catalog.audit_left import LeftEntry, SqlAuditLeft
from recorder.catalog.audit_rows import is_asked
from recorder.catalog.audit_tiles import tiles_asked
from recorder.catalog.audit_tree import bytes_of
from recorder.catalog.database import Database
from recorder.catalog.rows import entry_row
from recorder.model.keys import ANY_SITE, CameraId
from recorder.ports import AskedEntries, LoggedEntry, WitnessedLog


class SqlAuditLog:
    """A :class:`recorder.ports.AuditLog`."""

    def __init__(
        self, database: Database, left: SqlAuditLeft, site: str = "", node: str = ""
    ) -> None:
        """``left``: entries without a row; ``site``, ``node``: whose log it is, and who writes."""
        self._database, self._left, self._own = database, left, (site, node)

    def write(self, entries: Sequence[Entry]) -> None:
        """Write entries, all or none."""
        rows = [entry_row(one, *self._own) for one in entries]
        if not rows:
            return
        # past what SQLAlchemy does with each row: half of what a row costs
        sign = "?" if self._database.is_sqlite else "%s"
        names = ", ".join(rows[0])
        insert = f"INSERT INTO audit ({names}) VALUES ({', '.join([sign] * len(rows[0]))})"  # noqa: S608
        with self._database.write() as db:
            db.exec_driver_sql(insert, [tuple(row.values()) for row in rows])

    def search(self, asked: AskedEntries, limit: int) -> list[LoggedEntry]:
        """Return the entries that are asked for: the newest first, with ``after`` the oldest."""
        table = schema.audit
        order = table.c.audit_no.asc() if asked.after is not None else table.c.audit_no.desc()
        query = select(table).where(*_where(asked)).order_by(order).limit(limit)
        site = self._own[0]
        with self._database.read() as db:
            found = {
                row.audit_no: LoggedEntry(
                    row.audit_no, bytes_of(row, site), row.log_no, row.leaf_no
                )
                for row in db.execute(query)
            }

        def choose(one: LeftEntry) -> LoggedEntry | None:
            if not is_asked(asked, one.number, one.row):
                return None
            return LoggedEntry(one.number, one.row["entry"], one.log, one.leaf)

        oldest = asked.after is not None
        return self._left.fill(found, limit, tiles_asked(asked), choose, oldest=oldest)


def _where(asked: AskedEntries) -> list[ColumnElement[bool]]:
    column, found = schema.audit.c, _of_camera(asked.camera)
    if asked.when is not None:
        found += [column.at_ns >= asked.when.start, column.at_ns < asked.when.end]
    if asked.footage is not None:
        found += [column.start_ns < asked.footage.end, column.end_ns > asked.footage.start]
    if asked.action:
        found.append(_is_action(asked.action))
    for value, same in ((asked.caller, column.caller), (asked.result, column.result)):
        if value:
            found.append(same == value)
    if asked.before is not None:
        found.append(column.audit_no < asked.before)
    if asked.after is not None:
        found.append(column.audit_no > asked.after)
    return found


def _of_camera(camera: CameraId | None) -> list[ColumnElement[bool]]:
    column = schema.audit.c
    if camera is None:
        return []
    found = [column.camera == camera.camera]
    return found if camera.site == ANY_SITE else [*found, column.site == camera.site]


def _is_action(asked: str) -> ColumnElement[bool]:
    """Match an action, or a noun alone; what was done to copies has no noun in its column."""
    column = schema.audit.c
    noun, _, verb = asked.partition(".")
    if noun == "copy":
        return and_(column.key != "", column.action == verb) if verb else column.key != ""
    return or_(column.action == asked, column.action.startswith(f"{asked}."))


class SqlWitnessed:
    """A :class:`recorder.ports.Witnessed`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, site: str) -> list[WitnessedLog]:
        """Return a site's logs, the one that was vouched for last at the end."""
        table = schema.audit_witness
        query = select(table).where(table.c.site == site).order_by(table.c.at_ns, table.c.origin)
        with self._database.read() as db:
            return [
                WitnessedLog(row.site, row.origin, row.key, row.checkpoint, row.at_ns)
                for row in db.execute(query)
            ]

    def put(self, log: WitnessedLog) -> None:
        """Note what was vouched for."""
        row = {
            "site": log.site,
            "origin": log.origin,
            "key": log.key,
            "checkpoint": log.checkpoint,
            "at_ns": log.at,
        }
        with self._database.write() as db:
            self._database.upsert(db, schema.audit_witness, row, ("key", "checkpoint", "at_ns"))
