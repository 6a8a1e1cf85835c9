"""Which copies their stores protect, which they should, which they need no more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sqlalchemy import func, select

from recorder.catalog import schema
from recorder.catalog.copy_rows import (
    ON_SEGMENT,
    covered,
    not_begun,
    not_held,
    read_joined,
    select_copies,
)
from recorder.catalog.database import Database
from recorder.catalog.integrity import set_copies
from recorder.catalog.numbers import StreamNumbers
from recorder.model.holds import Hold
from recorder.model.media import Copy
from recorder.model.places import ELSEWHERE_LIKE, SPOOLS_LIKE
from recorder.model.timebase import Instant, TimeRange


class SqlObjectLocks:
    """A :class:`recorder.ports.ObjectLocks`."""

    def __init__(self, database: Database, numbers: StreamNumbers) -> None:
        self._database, self._numbers = database, numbers

    def to_lock(self, place: str, hold: Hold, after: Instant, limit: int) -> list[Copy]:
        """Return copies at a place that a hold covers and their store does not protect yet.

        Only what reaches beyond ``after``.
        """
        copy = schema.copy
        later = replace(hold, range=TimeRange(max(hold.range.start, after), hold.range.end))
        query = (
            select_copies(place)
            .where(copy.c.locked == 0, not_begun(), *covered(later))
            .limit(limit)
        )
        with self._database.read() as db:
            return [read_joined(row) for row in db.execute(query)]

    def to_unlock(self, place: str, now: Instant, limit: int) -> list[Copy]:
        """Return copies at a place that its store protects and no live hold covers."""
        query = select_copies(place).where(schema.copy.c.locked == 1)
        with self._database.read() as db:
            locked = [read_joined(row) for row in db.execute(query)]
            return not_held(db, locked, now)[:limit]

    def set_locked(self, copies: Iterable[Copy], locked: bool) -> None:
        """Record whether copies are protected by their store."""
        with self._database.write() as db:
            set_copies(db, self._numbers, copies, locked=int(locked))

    def locks_of(self, hold: Hold) -> dict[str, tuple[int, int]]:
        """Return, per place of this site, how many copies a hold covers, and how many are locked.

        Spools are left out: what lies only there will be locked in its store.
        """
        seg, stream, copy = schema.segment, schema.stream, schema.copy
        query = (
            select(copy.c.place, func.count(), func.sum(copy.c.locked))
            .join(seg, ON_SEGMENT)
            .join(stream, stream.c.stream_no == copy.c.stream_no)
            .where(
                *covered(hold),
                copy.c.place.not_like(ELSEWHERE_LIKE),
                copy.c.place.not_like(SPOOLS_LIKE),
            )
            .group_by(copy.c.place)
        )
        with self._database.read() as db:
            return {row[0]: (int(row[1]), int(row[2] or 0)) for row in db.execute(query)}
