"""Holds, and what sites below said of those that reached them."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from sqlalchemy import Connection, Executable, delete, or_, select, update

from recorder.catalog import schema
from recorder.catalog.changes import Changes
from recorder.catalog.copy_rows import (
    NEWEST_HOLDS,
    covered,
    live_holds,
    not_begun,
    read_holds,
    read_joined,
    select_copies,
)
from recorder.catalog.database import Database
from recorder.catalog.readable import facts_of
from recorder.catalog.rows import audit_row
from recorder.catalog.some import some_of
from recorder.model.holds import Hold
from recorder.model.media import Copy
from recorder.model.places import ELSEWHERE_LIKE
from recorder.model.timebase import Instant
from recorder.ports import AuditEntry

WRITTEN = "holds written"
"""What it is kept under, among how far long jobs are, that holds are others."""


class SqlHolds:
    """A :class:`recorder.ports.Holds`."""

    def __init__(
        self, database: Database, changes: Changes, site: str = "", node: str = ""
    ) -> None:
        """``site``, ``node``: whose log it stands in that a mark was taken back, and who did it."""
        self._database, self._changes = database, changes
        self._own = site, node

    def add(self, hold: Hold) -> Hold:
        """Record a hold and take back every condemnation it covers; twice is once."""
        with self._database.write() as db:
            self.add_one(db, hold)
            return read_holds(db, _one(hold.hold_id))[0]

    def add_one(self, db: Connection, hold: Hold) -> bool:
        """Record one hold, inside a transaction; false when it was known."""
        known = select(schema.hold.c.hold_id).where(schema.hold.c.hold_id == hold.hold_id)
        new = db.execute(known).first() is None
        self._database.upsert(db, schema.hold, hold_row(hold))
        self._written(db, hold.created)
        self._spare_held(db, hold)
        return new

    def get(self, hold_id: str) -> Hold | None:
        """Return one hold."""
        with self._database.read() as db:
            return next(iter(read_holds(db, _one(hold_id))), None)

    def all(self) -> list[Hold]:
        """Return all holds, released and expired ones too, newest first."""
        query = select(schema.hold).order_by(*NEWEST_HOLDS)
        with self._database.read() as db:
            return read_holds(db, query)

    def named(self, hold_ids: Iterable[str]) -> list[Hold]:
        """Return those of these ids that there are, released and expired ones too."""
        with self._database.read() as db:
            return [
                hold
                for some in some_of(hold_ids)
                for hold in read_holds(
                    db, select(schema.hold).where(schema.hold.c.hold_id.in_(some))
                )
            ]

    def live(self, now: Instant) -> list[Hold]:
        """Return the holds in force."""
        with self._database.read() as db:
            return live_holds(db, now)

    def live_since(self, at: Instant) -> list[Hold]:
        """Return the holds in force at an instant, or placed since, by when they ended."""
        with self._database.read() as db:
            return live_holds(db, at, released_too=True)

    def release(self, hold_id: str, by: str, at: Instant) -> bool:
        """Let a hold go; false when there is no live one of this name."""
        table = schema.hold
        with self._database.write() as db:
            done = db.execute(
                update(table)
                .where(table.c.hold_id == hold_id, table.c.released_ns.is_(None))
                .values(released_ns=at, released_by=by)
            )
            self._written(db, at)
            return done.rowcount > 0

    def sweep(self, name: str, before: Instant) -> int:
        """Forget holds whose names begin so and that ended before an instant; return how many."""
        table, below = schema.hold, schema.hold_delivery
        ended = or_(table.c.released_ns < before, table.c.expires_ns < before)
        query = select(table.c.hold_id).where(table.c.hold_id.startswith(name), ended)
        with self._database.write() as db:
            gone = list(db.execute(query).scalars())
            for some in some_of(gone):
                db.execute(delete(below).where(below.c.hold_id.in_(some)))
                db.execute(delete(table).where(table.c.hold_id.in_(some)))
            if gone:
                self._written(db, before)
        return len(gone)

    def put_delivery(self, hold_id: str, site: str, facts: dict[str, object], at: Instant) -> None:
        """Record what a site below says of a hold it has got."""
        row = {"hold_id": hold_id, "site": site, "at_ns": at, "facts": facts}
        with self._database.write() as db:
            self._database.upsert(db, schema.hold_delivery, row, ("at_ns", "facts"))

    def deliveries(self, hold_ids: Iterable[str]) -> dict[str, dict[str, dict[str, object]]]:
        """Return what sites below said of holds, by hold and site."""
        table, found = schema.hold_delivery, dict[str, dict[str, dict[str, object]]]()
        with self._database.read() as db:
            for some in some_of(hold_ids):
                query = select(table).where(table.c.hold_id.in_(some)).order_by(table.c.site)
                for row in db.execute(query):
                    found.setdefault(row.hold_id, {})[row.site] = row.facts
        return found

    def version(self) -> object:
        """Return what is another once a hold was written, by whomever."""
        table = schema.progress
        with self._database.read() as db:
            query = select(table.c.facts).where(table.c.name == WRITTEN)
            return facts_of(db.execute(query).scalar()).get("version", "")

    def _written(self, db: Connection, at: Instant) -> None:
        """Say that holds are others; a number that is counted could be one for two at once."""
        row = {"name": WRITTEN, "at_ns": at, "facts": {"version": secrets.token_hex(8)}}
        self._database.upsert(db, schema.progress, row, ("at_ns", "facts"))

    def _spare_held(self, db: Connection, hold: Hold) -> None:
        """Take back the condemnation of held copies here whose deletion has not begun.

        Of copies at another site it is that site's word that they are to go, or are gone.
        """
        copy = schema.copy
        marked = (
            copy.c.condemned_ns.is_not(None),
            not_begun(),
            copy.c.place.not_like(ELSEWHERE_LIKE),
        )
        rows = db.execute(select_copies().where(*marked, *covered(hold))).all()
        for row in rows:
            own = (copy.c.stream_no == row.stream_no, copy.c.start_ns == row.start_ns)
            here = update(copy).where(*own, copy.c.writer == row.writer, *marked)
            db.execute(here.values(condemned_ns=None, deleting_ns=None))
            note = (row.start_ns, hold.created, row.writer)
            self._changes.note(db, "segment", row.stream_no, [note], hold.created)
            self._changes.note_below(db, row.stream_no, [(row.start_ns, row.writer)])
        if rows:  # else the log's last word on them would be that they were to go
            said = [_spared(read_joined(row), hold) for row in rows]
            db.execute(schema.audit.insert(), [audit_row(one, *self._own) for one in said])


def _one(hold_id: str) -> Executable:
    return select(schema.hold).where(schema.hold.c.hold_id == hold_id)


def _spared(copy: Copy, hold: Hold) -> AuditEntry:
    one = copy.segment
    why = f"hold {hold.hold_id} keeps it"
    about = (one.stream, one.key, copy.place, one.range, one.size_bytes)
    return AuditEntry(hold.created, "spare", *about, "hold", why, 0)


def hold_row(hold: Hold) -> dict[str, object]:
    """Write a hold as a row."""
    return {
        "hold_id": hold.hold_id,
        "cameras": list(hold.cameras),
        "start_ns": hold.range.start,
        "end_ns": hold.range.end,
        "case_name": hold.case,
        "reason": hold.reason,
        "owner": hold.owner,
        "created_ns": hold.created,
        "expires_ns": hold.expires,
        "released_ns": hold.released,
        "released_by": hold.released_by,
    }
