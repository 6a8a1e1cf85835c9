"""Places of entries in the tree of the audit log, given in one transaction to many."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, func, select, text, update

from recorder.audit.entry import write_entry
from recorder.audit.tiles import WIDTH
from recorder.catalog import schema
from recorder.catalog.alone import ROWS, one_at_a_time
from recorder.catalog.audit_left import SqlAuditLeft
from recorder.catalog.audit_rows import row_of
from recorder.catalog.database import Database
from recorder.catalog.rows import copy_entry, read_audit
from recorder.errors import StateError
from recorder.model.timebase import Instant
from recorder.ports import LogState

ASSIGN = text(
    "UPDATE audit SET log_no = :log, leaf_no = :first + next.place - 1 FROM ("
    "SELECT audit_no AS waits, row_number() OVER (ORDER BY audit_no) AS place "
    "FROM audit WHERE leaf_no IS NULL ORDER BY audit_no LIMIT :most"
    ") AS next WHERE audit.audit_no = next.waits"
)


def bytes_of(row: Any, site: str) -> bytes:
    """Return an entry's bytes; of one from before they were kept, as they would have been."""
    if row.entry is not None:
        return bytes(row.entry)
    return write_entry(copy_entry(read_audit(row), ""), site, "")


class SqlAuditTree:
    """A :class:`recorder.ports.AuditTree`."""

    def __init__(self, database: Database, left: SqlAuditLeft, site: str = "") -> None:
        """``left``: the entries that have no row any more."""
        self._database, self._left, self._site = database, left, site

    def logs(self) -> list[LogState]:
        """Return the site's logs; the last is the one that is written."""
        query = select(schema.audit_log).order_by(schema.audit_log.c.log_no)
        with self._database.read() as db:
            return [_read(row) for row in db.execute(query)]

    def begin(self, state: LogState, leaves: Sequence[bytes] = ()) -> LogState:
        """Begin a log with its first entries, or take one up; return it with its number.

        Raises: ``StateError`` when another node has begun one since.
        """
        table = schema.audit_log
        with self._database.write() as db:
            one_at_a_time(db, ROWS)
            last = int(db.execute(select(func.max(table.c.log_no))).scalar() or 0)
            if last != state.number:
                raise StateError("the audit log: another node has begun one")
            db.execute(table.insert().values(**_row(state), log_no=last + 1))
            for place, raw in enumerate(leaves):
                row = {**row_of(raw), "log_no": last + 1, "leaf_no": place}
                db.execute(schema.audit.insert().values(**row))
            return _read(db.execute(select(table).where(table.c.log_no == last + 1)).one())

    def assign(self, log: int, limit: int) -> int:
        """Give entries that wait their places, so many at most; return how many."""
        logs = schema.audit_log
        with self._database.write() as db:
            one_at_a_time(db, ROWS)
            newest = select(logs.c.log_no, logs.c.assigned).order_by(logs.c.log_no.desc()).limit(1)
            number, first = db.execute(newest).one()
            if number != log:
                raise StateError("the audit log: another node has begun one")
            self._write_old(db, limit)
            given = db.execute(ASSIGN, {"most": limit, "log": log, "first": first}).rowcount
            if given:
                db.execute(update(logs).where(logs.c.log_no == log).values(assigned=first + given))
            return given

    def _write_old(self, db: Connection, limit: int) -> None:
        """Write the bytes of entries that are from before they were kept."""
        table = schema.audit
        query = select(table).where(table.c.leaf_no.is_(None), table.c.entry.is_(None))
        for row in db.execute(query.order_by(table.c.audit_no).limit(limit)).all():
            here = update(table).where(table.c.audit_no == row.audit_no)
            db.execute(here.values(entry=bytes_of(row, self._site)))

    def leaves(self, log: int, start: int, end: int) -> list[bytes]:
        """Return the entries at ``[start, end)`` of a log; fewer, where some are not known."""
        table = schema.audit
        query = (
            select(table.c.entry, table.c.leaf_no)
            .where(table.c.log_no == log, table.c.leaf_no >= start, table.c.leaf_no < end)
            .order_by(table.c.leaf_no)
        )
        with self._database.read() as db:
            found = {row.leaf_no: bytes(row.entry) for row in db.execute(query)}
        if len(found) < end - start:
            found |= self._left.leaves(log, start, end)
        places = itertools.takewhile(found.__contains__, range(start, end))
        return [found[place] for place in places]

    def put(self, state: LogState, was: int) -> bool:
        """Note what was signed; false when it is not of size ``was`` any more."""
        table = schema.audit_log
        signed = ("size", "edge", "checkpoint", "signed_ns")
        values = {key: value for key, value in _row(state).items() if key in signed}
        query = update(table).where(table.c.log_no == state.number, table.c.size == was)
        with self._database.write() as db:
            return db.execute(query.values(**values)).rowcount > 0

    def take_in(self, log: int, start: int, leaves: Sequence[bytes]) -> int:
        """Put in entries of a log that the catalog has lost, from a place on; return how many.

        One that waits here with the same bytes gets that place.
        """
        table = schema.audit
        with self._database.write() as db:
            one_at_a_time(db, ROWS)
            known = select(table.c.leaf_no).where(
                table.c.log_no == log,
                table.c.leaf_no >= start,
                table.c.leaf_no < start + len(leaves),
            )
            there = set(db.execute(known).scalars()) | self._gone(db, log, start, len(leaves))
            waiting = self._waiting(db)
            rows = []
            for place, raw in enumerate(leaves, start):
                if place in there:
                    continue
                number = waiting.pop(sha256(raw).digest(), None)
                if number is None:
                    rows.append({**row_of(raw), "log_no": log, "leaf_no": place})
                else:
                    here = update(table).where(table.c.audit_no == number)
                    db.execute(here.values(log_no=log, leaf_no=place))
            if rows:
                db.execute(table.insert(), rows)
            return sum(place not in there for place in range(start, start + len(leaves)))

    @staticmethod
    def _gone(db: Connection, log: int, start: int, count: int) -> set[int]:
        """Return the places of ``count`` from ``start`` on whose rows have left."""
        column, first, end = schema.audit_tile.c, start // WIDTH, start + count
        of = (column.log_no == log, column.tile_no >= first, column.tile_no * WIDTH < end)
        tiles = db.execute(select(column.tile_no).where(*of)).scalars()
        return {place for tile in tiles for place in range(tile * WIDTH, tile * WIDTH + WIDTH)}

    def _waiting(self, db: Connection) -> dict[bytes, int]:
        table = schema.audit
        query = select(table.c.audit_no, table.c.entry).where(
            table.c.leaf_no.is_(None), table.c.entry.is_not(None)
        )
        return {sha256(row.entry).digest(): row.audit_no for row in db.execute(query)}

    def waiting(self) -> tuple[int, Instant | None]:
        """Return how many entries wait for their places, and the time of the oldest."""
        table = schema.audit
        query = select(func.count(), func.min(table.c.at_ns)).where(table.c.leaf_no.is_(None))
        with self._database.read() as db:
            count, oldest = db.execute(query).one()
        return int(count), oldest


def _row(state: LogState) -> dict[str, object]:
    return {
        "origin": state.origin,
        "key": state.key,
        "begun_ns": state.begun,
        "assigned": state.assigned,
        "size": state.size,
        "edge": state.edge,
        "checkpoint": state.checkpoint,
        "signed_ns": state.signed,
    }


def _read(row: Any) -> LogState:
    return LogState(
        row.origin,
        row.key,
        row.begun_ns,
        row.log_no,
        row.assigned,
        row.size,
        bytes(row.edge),
        row.checkpoint,
        row.signed_ns,
    )
