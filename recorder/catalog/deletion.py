"""Deletion in two steps: copies are condemned, and after the grace taken out of their store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, and_, case, func, not_, or_, select, update

from recorder.catalog import schema
from recorder.catalog.changes import Changes
from recorder.catalog.commits import note_copies
from recorder.catalog.copy_rows import (
    not_begun,
    not_held,
    read_joined,
    select_copies,
    this_copy,
)
from recorder.catalog.database import Database
from recorder.catalog.numbers import StreamNumbers
from recorder.catalog.rows import audit_row
from recorder.catalog.touches import untouched_since
from recorder.model.media import Copy
from recorder.model.timebase import DAY, MINUTE, Instant
from recorder.ports import AuditEntry

LONGEST_REST = DAY
"""No deletion is put off for so long: one that is was put off by a clock that was ahead."""

JUST_NOTED = 5 * MINUTE
"""What was noted so long before a judgement may not have been known to it: clocks differ."""


class SqlDeletion:
    """A :class:`recorder.ports.Deletion`."""

    def __init__(
        self,
        database: Database,
        numbers: StreamNumbers,
        changes: Changes,
        site: str = "",
        node: str = "",
    ) -> None:
        """``site``, ``node``: whose log the entries are of, and who deletes."""
        self._database, self._numbers, self._changes = database, numbers, changes
        self._own = site, node

    def condemn(self, copies: Sequence[Copy], at: Instant, audit: Sequence[AuditEntry]) -> int:
        """Mark the copies for deletion and write the audit of those marked, in one transaction.

        A copy that a live hold covers by now is left alone (law L5), whatever was planned, and so
        is one that is marked already.  Returns how many were marked.
        """
        said = {entry.key: entry for entry in audit}
        with self._database.write() as db:
            free = not_held(db, copies, at)
            marked = [copy for copy in free if self._mark_condemned(db, copy, at)]
            self._write_audit(db, marked, said)
            note_copies(self._numbers, self._changes, db, marked, at)
        return len(marked)

    def _mark_condemned(self, db: Connection, copy: Copy, at: Instant) -> bool:
        """Mark one copy; false when it is marked, or gone."""
        table, number = schema.copy, self._numbers.known(db, copy.segment.stream)
        query = update(table).where(*this_copy(number, copy), table.c.condemned_ns.is_(None))
        return db.execute(query.values(condemned_ns=at)).rowcount > 0

    def spare(self, copies: Sequence[Copy], at: Instant, audit: Sequence[AuditEntry]) -> int:
        """Take back marks whose reason is gone, and write the audit, in one transaction.

        Not where the deletion has begun.  Returns how many were taken back.
        """
        said, table = {entry.key: entry for entry in audit}, schema.copy
        marked = (table.c.condemned_ns.is_not(None), not_begun())
        with self._database.write() as db:
            spared = []
            for copy in copies:
                own = this_copy(self._numbers.known(db, copy.segment.stream), copy)
                none = {"condemned_ns": None, "deleting_ns": None}
                back = update(table).where(*own, *marked).values(none)
                if db.execute(back).rowcount:
                    spared.append(copy)
            self._write_audit(db, spared, said)
            note_copies(self._numbers, self._changes, db, spared, at)
        return len(spared)

    def _write_audit(
        self, db: Connection, copies: Sequence[Copy], said: Mapping[str, AuditEntry]
    ) -> None:
        keys = [copy.segment.key for copy in copies if copy.segment.key in said]
        rows = [audit_row(said[key], *self._own) for key in keys]
        if rows:
            db.execute(schema.audit.insert(), rows)

    def begun(self, place: str) -> list[Copy]:
        """Return copies whose deletion was begun and has not ended: they may be gone, or not."""
        query = select_copies(place).where(schema.copy.c.deleting_ns >= 0)
        with self._database.read() as db:
            return [read_joined(row) for row in db.execute(query)]

    def take_due(self, place: str, before: Instant, at: Instant, limit: int) -> list[Copy]:
        """Begin the deletion of copies condemned by ``before``; return them.

        From here on no hold can save them.  Those begun earlier and not forgotten, by a
        janitor that died, come first.  What rests since its store refused to delete it is not due.
        What was marked by a clock that was ahead counts as marked
        now: it would wait, and all that is to come find no room, until that time has come.
        What an event touches that was noted since it was judged, ``at``, is judged again first.
        """
        table, rests = schema.copy, schema.copy.c.deleting_ns
        rested = or_(rests.is_(None), rests >= -at, rests < -at - LONGEST_REST)
        due = or_(not_(not_begun()), and_(table.c.condemned_ns <= before, rested))
        query = (
            select_copies(place)
            .where(due, table.c.locked == 0)
            .order_by(case((not_begun(), 1), else_=0), table.c.condemned_ns, table.c.start_ns)
            .limit(limit)
        )
        ahead = (table.c.place == place, table.c.condemned_ns > at, not_begun())
        with self._database.write() as db:
            db.execute(update(table).where(*ahead).values(condemned_ns=at))
            rows = db.execute(query).all()
            copies = [read_joined(row) for row in rows]
            marks = [(row.deleting_ns or -1) >= 0 for row in rows]
            begun = [copy for copy, begun in zip(copies, marks, strict=True) if begun]
            fresh = [copy for copy, begun in zip(copies, marks, strict=True) if not begun]
            free = untouched_since(db, not_held(db, fresh, at), at - JUST_NOTED)
            taken = begun + free
            for copy in taken:
                db.execute(
                    update(table)
                    .where(
                        *this_copy(self._numbers.known(db, copy.segment.stream), copy),
                        not_begun(),
                    )
                    .values(deleting_ns=at)
                )
        return taken

    def resting(self, place: str) -> int:
        """Count the copies that rest, for their store refused to delete them."""
        table = schema.copy
        rests = and_(table.c.condemned_ns.is_not(None), table.c.deleting_ns < 0)
        query = select(func.count()).where(table.c.place == place, rests)
        with self._database.read() as db:
            return int(db.execute(query).scalar_one())

    def withdraw(self, copies: Sequence[Copy]) -> None:
        """Take back that the deletion of copies has begun: they are there, and judged anew."""
        with self._database.write() as db:
            for copy in copies:
                own = this_copy(self._numbers.known(db, copy.segment.stream), copy)
                db.execute(update(schema.copy).where(*own).values(deleting_ns=None))

    def postpone(self, copies: Sequence[Copy], until: Instant) -> None:
        """Let copies rest until an instant, for their store refused to delete them.

        They are there: until they are taken again their mark may be taken back, as others'.
        """
        with self._database.write() as db:
            for copy in copies:
                own = this_copy(self._numbers.known(db, copy.segment.stream), copy)
                db.execute(update(schema.copy).where(*own).values(deleting_ns=-until))
