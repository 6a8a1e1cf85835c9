"""Recorded gaps: opened where footage goes, closed where other footage turns out to be.

A gap is only what no segment of the stream covers: another node's, another site's, or a
thinned one.  Every function works inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, Row, and_, delete, select

from recorder.catalog import schema
from recorder.catalog.database import Database
from recorder.model.causes import Cause
from recorder.model.timebase import Instant, TimeRange, subtract

NEAREST = 16
"""Spans that overlap, of nodes that record one stream at once, are fewer."""


def touching(db: Connection, number: int, range_: TimeRange) -> list[tuple[int, int, str]]:
    """Return (start, end, writer) of a stream's segments that touch a range, by start."""
    seg, stream = schema.segment, schema.stream
    longest = db.execute(
        select(stream.c.longest_ns).where(stream.c.stream_no == number)
    ).scalar_one()
    query = (
        select(seg.c.start_ns, seg.c.end_ns, seg.c.writer)
        .where(
            seg.c.stream_no == number,
            seg.c.start_ns > range_.start - int(longest) - 1,
            seg.c.start_ns < range_.end,
            seg.c.end_ns > range_.start,
        )
        .order_by(seg.c.start_ns)
    )
    return [(row.start_ns, row.end_ns, row.writer) for row in db.execute(query)]


def uncovered(
    db: Connection, number: int, range_: TimeRange, but: tuple[Instant, str] | None = None
) -> list[TimeRange]:
    """Return what of a range no segment covers; ``but``: (start, writer) of one left out."""
    rows = touching(db, number, range_)
    known = [TimeRange(start, end) for start, end, writer in rows if (start, writer) != but]
    return subtract(range_, known)


def recorded_gaps(db: Connection, number: int, range_: TimeRange) -> list[TimeRange]:
    """Return the recorded gaps that touch a range."""
    return [TimeRange(row.start_ns, row.end_ns) for row in _rows(db, number, range_)]


def dark_before(db: Connection, number: int, start: Instant) -> TimeRange | None:
    """Return the stretch right before an instant that no span covers and no gap is recorded of."""
    ends: list[Instant] = []
    for table in (schema.span, schema.gap):
        before = select(table.c.end_ns).where(table.c.stream_no == number, table.c.start_ns < start)
        # what began last, not all that ever was: a camera may come and go each minute for years
        query = before.order_by(table.c.start_ns.desc()).limit(NEAREST)
        ends += db.execute(query).scalars()
    last = max(ends, default=start)
    return TimeRange(last, start) if last < start else None


def close_gaps(
    database: Database,
    db: Connection,
    number: int,
    segment: tuple[TimeRange, str],
    holes: Sequence[TimeRange] | None,
) -> list[TimeRange]:
    """Take in that a segment is there: it ends gaps, and its holes are gaps unless covered.

    ``segment``: its range and writer; ``holes``: ``None`` where not known, then gaps called
    ``source`` stay.  Returns the ranges in which gaps changed.
    """
    table, (range_, writer) = schema.gap, segment
    covered = subtract(range_, holes or ())
    changed: list[TimeRange] = []
    for row in _rows(db, number, range_):
        gap = TimeRange(row.start_ns, row.end_ns)
        left = subtract(gap, covered)
        if left == [gap] or (holes is None and row.cause == Cause.SOURCE):
            continue
        changed.append(gap)
        db.execute(
            delete(table).where(
                table.c.stream_no == number,
                table.c.start_ns == row.start_ns,
                table.c.cause == row.cause,
            )
        )
        _insert(database, db, number, left, row.cause)
    for hole in holes or ():
        pieces = uncovered(db, number, hole, (range_.start, writer))
        _insert(database, db, number, pieces, Cause.SOURCE)
        changed += pieces
    return changed


def open_gap(
    database: Database, db: Connection, number: int, range_: TimeRange, cause: str
) -> list[TimeRange]:
    """Record that footage went; joins gaps of the same cause.  Returns what is recorded."""
    table = schema.gap
    recorded = []
    for piece in uncovered(db, number, range_):
        start, end = piece.start, piece.end
        near = and_(
            table.c.stream_no == number,
            table.c.cause == cause,
            table.c.end_ns >= start,
            table.c.start_ns <= end,
        )
        for row in db.execute(select(table).where(near)).all():
            start, end = min(start, row.start_ns), max(end, row.end_ns)
        db.execute(delete(table).where(near))
        _insert(database, db, number, [TimeRange(start, end)], cause)
        recorded.append(TimeRange(start, end))
    return recorded


def _rows(db: Connection, number: int, range_: TimeRange) -> Sequence[Row[object]]:
    table = schema.gap
    return db.execute(
        select(table).where(
            table.c.stream_no == number,
            table.c.end_ns > range_.start,
            table.c.start_ns < range_.end,
        )
    ).all()


def _insert(
    database: Database, db: Connection, number: int, ranges: Iterable[TimeRange], cause: str
) -> None:
    rows = [
        {"stream_no": number, "start_ns": one.start, "end_ns": one.end, "cause": cause}
        for one in ranges
    ]
    database.upsert(db, schema.gap, rows, ("end_ns",))
