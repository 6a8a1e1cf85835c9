"""Gaps as sites below tell them, and what of those that are known is covered by what they tell."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, select

from recorder.catalog import schema
from recorder.catalog.database import Database
from recorder.catalog.gaps import close_gaps, uncovered
from recorder.catalog.told import Message
from recorder.catalog.told_rows import boxes
from recorder.model.causes import Cause
from recorder.model.timebase import TimeRange


def close_covered(database: Database, db: Connection, segments: Sequence[Message]) -> None:
    """End recorded gaps that what was heard of covers; there hardly ever are any."""
    gap = schema.gap
    for rows in boxes(segments, lambda row: (row["stream_no"], row["start_ns"])):
        numbers = {row["stream_no"] for row in rows}
        first = min(row["start_ns"] for row in rows)
        last = max(row["end_ns"] for row in rows)
        query = select(gap.c.stream_no, gap.c.start_ns, gap.c.end_ns).where(
            gap.c.stream_no.in_(numbers),
            gap.c.end_ns > first,
            gap.c.start_ns < last,
            gap.c.cause != Cause.SOURCE,
        )
        gaps: dict[int, list[TimeRange]] = {}
        for number, start, end in db.execute(query):
            gaps.setdefault(number, []).append(TimeRange(start, end))
        for row in rows if gaps else ():
            range_ = TimeRange(row["start_ns"], row["end_ns"])
            if any(one.overlaps(range_) for one in gaps.get(row["stream_no"], ())):
                own = (range_, row["writer"])
                close_gaps(database, db, row["stream_no"], own, None)


def hear_gaps(database: Database, db: Connection, message: Message, number: int) -> None:
    """Take in the gaps that a child says a stretch of a stream has, instead of those known."""
    gap = schema.gap
    start, end = message["range"]
    db.execute(
        delete(gap).where(gap.c.stream_no == number, gap.c.start_ns >= start, gap.c.end_ns <= end)
    )
    rows = [
        {"stream_no": number, "start_ns": low, "end_ns": high, "cause": cause}
        for begin, stop, cause in message["gaps"]
        for low, high in _missing(db, number, begin, stop, cause)
    ]
    database.upsert(db, gap, rows, ("end_ns",))


def _missing(
    db: Connection, number: int, start: int, end: int, cause: str
) -> list[tuple[int, int]]:
    """Return what of a gap below is a gap here too: not what this site has copies of."""
    if cause == Cause.SOURCE:  # a hole inside a segment
        return [(start, end)]
    return [(one.start, one.end) for one in uncovered(db, number, TimeRange(start, end))]
