"""A site below that never comes back: what lies at it is given up, and it is known no more.

Stream by stream, so that no statement grows with what was ever stored.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, select, update

from recorder.catalog import schema
from recorder.catalog.changes import Changes
from recorder.catalog.copy_rows import DOUBTED
from recorder.catalog.database import Database
from recorder.catalog.gaps import open_gap
from recorder.catalog.heard import forget_heard
from recorder.catalog.told import Key
from recorder.catalog.told_rows import drop_copies, drop_segments, within
from recorder.model.causes import Cause
from recorder.model.places import beginning
from recorder.model.timebase import Instant, TimeRange
from recorder.ports import OnlyThere

PAGE = 2000
"""Copies that are given up in one transaction."""
Lying = tuple[Key, str, bool]
"""A copy by its segment and place; whether a policy had let it go."""


class SqlDeparting:
    """A :class:`recorder.ports.Departing`."""

    def __init__(self, database: Database, changes: Changes) -> None:
        self._database, self._changes = database, changes

    def only_there(self, child: str) -> OnlyThere | None:
        """Return what lies at a child, or below it, and nowhere else."""
        count, ranges = 0, list[TimeRange]()
        for number in self._streams():
            with self._database.read() as db:
                there = {key for key, _, going in _lying(db, number, child) if not going}
                alone = there - _elsewhere(db, number, child)
                for _, start, _, end in within(db, schema.segment, alone, ("end_ns",)):
                    ranges.append(TimeRange(start, end))
            count += len(alone)
        if not ranges:
            return None
        whole = TimeRange(min(one.start for one in ranges), max(one.end for one in ranges))
        return OnlyThere(count, whole)

    def give_up(self, child: str, at: Instant) -> int:
        """Believe in no copy at a child, or below it; return how many there were."""
        count = 0
        for number in self._streams():
            while True:
                with self._database.write() as db:
                    page = list(_lying(db, number, child, PAGE))
                    self._give_up(db, number, page, at)
                count += len(page)
                if len(page) < PAGE:
                    break
        return count

    def forget_sites(self, sites: Sequence[str]) -> None:
        """Know sites below no more: signs of life, nodes, states of streams."""
        with self._database.write() as db:
            for table in (schema.status, schema.node):
                db.execute(delete(table).where(table.c.site.in_(sites)))
            db.execute(delete(schema.site).where(schema.site.c.name.in_(sites)))

    def forget_child(self, child: str, sites: Sequence[str]) -> None:
        """Tell a child, and the sites below it, nothing more of copies, holds and cameras."""
        stream, told = schema.stream, schema.downward
        with self._database.write() as db:
            db.execute(delete(told).where(told.c.child == child))
            db.execute(update(stream).where(stream.c.via == child).values(via=""))
            ways = select(stream.c.stream_no, stream.c.before).where(stream.c.before != "")
            for number, before in db.execute(ways).all():
                left = "/".join(one for one in before.split("/") if one != child)
                if left != before:
                    mine = stream.c.stream_no == number
                    db.execute(update(stream).where(mine).values(before=left))
            forget_heard(db, child)
            for table in (schema.hold_delivery, schema.camera_below):
                db.execute(delete(table).where(table.c.site.in_(sites)))

    def _streams(self) -> list[int]:
        with self._database.read() as db:
            return list(db.execute(select(schema.stream.c.stream_no)).scalars())

    def _give_up(self, db: Connection, number: int, page: Sequence[Lying], at: Instant) -> None:
        """Drop copies; what had no other becomes gaps, and is told upward."""
        drop_copies(db, [{"n": k[0], "s": k[1], "w": k[2], "p": place} for k, place, _ in page])
        keys = {key for key, _, _ in page}
        kept = {key for key, _, going in page if not going}
        left = {row[:3] for row in within(db, schema.copy, keys, ())}
        rows = within(db, schema.segment, keys - left, ("span_ns", "end_ns"), alone=True)
        gone = sorted(rows)
        drop_segments(db, gone)
        for cause, range_ in _ranges(gone, kept):
            for gap in open_gap(self._database, db, number, range_, cause):
                self._changes.note(db, "gap", number, [(gap.start, gap.end, "")], at)
        noted = [(number, start, at, writer) for _, start, writer in sorted(keys)]
        self._changes.note_all(db, "segment", noted, at)


def _at(child: str) -> ColumnElement[bool]:
    return schema.copy.c.place.startswith(beginning(child), autoescape=True)


def _lying(db: Connection, number: int, child: str, limit: int | None = None) -> Iterator[Lying]:
    """Yield a stream's copies at a child, or below it."""
    copy = schema.copy.c
    query = (
        select(copy.start_ns, copy.writer, copy.place, copy.condemned_ns)
        .where(copy.stream_no == number, _at(child))
        .order_by(copy.start_ns, copy.writer, copy.place)
        .limit(limit)
    )
    for start, writer, place, condemned in db.execute(query):
        yield (number, start, writer), place, condemned is not None


def _elsewhere(db: Connection, number: int, child: str) -> set[Key]:
    """Return which segments of a stream have a whole copy that is not at a child, and stays."""
    copy = schema.copy.c
    staying = [copy.condemned_ns.is_(None), copy.verified_ns > DOUBTED, copy.damaged_ns.is_(None)]
    query = select(copy.start_ns, copy.writer).where(
        copy.stream_no == number, ~_at(child), *staying
    )
    return {(number, start, writer) for start, writer in db.execute(query)}


def _ranges(
    gone: Sequence[tuple[Any, ...]], kept: Collection[Key]
) -> Iterator[tuple[Cause, TimeRange]]:
    """Join what follows one another and went for the same cause: what no policy let go is lost."""
    for cause in (Cause.LOST, Cause.PURGED):
        run: TimeRange | None = None
        for number, start, writer, _, end in gone:
            if ((number, start, writer) in kept) is not (cause is Cause.LOST):
                continue
            if run is not None and start <= run.end:
                run = TimeRange(run.start, max(run.end, end))
                continue
            if run is not None:
                yield cause, run
            run = TimeRange(start, end)
        if run is not None:
            yield cause, run
