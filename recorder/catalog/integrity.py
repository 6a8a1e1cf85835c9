"""Copies read again: which are whole, which are damaged."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, func, literal, or_, select, tuple_, update

from recorder.catalog import schema
from recorder.catalog.changes import Changes
from recorder.catalog.commits import note_copies
from recorder.catalog.copy_rows import SEGMENT_KEY, read_joined, select_copies, this_copy
from recorder.catalog.database import Database
from recorder.catalog.numbers import StreamNumbers
from recorder.model.media import Copy
from recorder.model.timebase import DAY, Instant


class SqlIntegrity:
    """A :class:`recorder.ports.Integrity`."""

    def __init__(self, database: Database, numbers: StreamNumbers, changes: Changes) -> None:
        self._database, self._numbers, self._changes = database, numbers, changes

    def mark_verified(self, copies: Iterable[Copy], at: Instant) -> None:
        """Record that copies were read whole and match their digests."""
        copies = list(copies)
        mended = [one for one in copies if one.damaged_at is not None]
        with self._database.write() as db:
            set_copies(db, self._numbers, copies, verified_ns=at, damaged_ns=None)
            note_copies(self._numbers, self._changes, db, mended, at)

    def mark_damaged(self, copies: Iterable[Copy], at: Instant) -> None:
        """Record that copies do not match their digests and could not be repaired.

        Sites below hear of it: nothing is to go there because of these.
        """
        copies = list(copies)
        with self._database.write() as db:
            set_copies(db, self._numbers, copies, damaged_ns=at)
            note_copies(self._numbers, self._changes, db, copies, at)

    def damaged(self, place: str) -> int:
        """Count the copies at a place that are known to be damaged, or not to be found."""
        table = schema.copy
        query = select(func.count()).where(table.c.place == place, table.c.damaged_ns.is_not(None))
        with self._database.read() as db:
            return int(db.execute(query).scalar_one())

    def suspects(
        self, place: str, before: Instant, limit: int, after: Copy | None = None
    ) -> list[Copy]:
        """Page through copies at a place found damaged, or not found, by ``before``; longest first.

        Those found so long after that it was by a clock that was ahead, too.
        ``after``: the last one seen.
        """
        table = schema.copy
        columns = [table.c.damaged_ns, *(table.c[name] for name in SEGMENT_KEY)]
        by_then = or_(table.c.damaged_ns <= before, table.c.damaged_ns > before + DAY)
        found = (table.c.damaged_ns.is_not(None), by_then)
        query = select_copies(place).where(*found, table.c.condemned_ns.is_(None))
        with self._database.read() as db:
            if after is not None:
                _, start, writer = after.segment.id
                number = self._numbers.known(db, after.segment.stream)
                seen = (after.damaged_at, number, start, writer)
                query = query.where(tuple_(*columns) > tuple_(*map(literal, seen)))
            return [read_joined(row) for row in db.execute(query.order_by(*columns).limit(limit))]


def set_copies(
    db: Connection, numbers: StreamNumbers, copies: Iterable[Copy], **values: object
) -> None:
    """Set columns of copies, inside a transaction."""
    for copy in copies:
        row = this_copy(numbers.known(db, copy.segment.stream), copy)
        db.execute(update(schema.copy).where(*row).values(**values))
