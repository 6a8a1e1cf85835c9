"""Spans: grown by the segments that come, drawn in to what remains of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, and_, bindparam, delete, select, update

from recorder.catalog import schema
from recorder.catalog.database import Database
from recorder.model.timebase import Instant

_EARLIER, _LATER = "excluded.start_ns < span.start_ns", "excluded.end_ns > span.end_ns"
_STRETCHED = {
    name: f"CASE WHEN {when} THEN excluded.{name} ELSE span.{name} END"
    for when, names in (
        (_EARLIER, ("start_ns", "gap_cause")),
        (_LATER, ("end_ns", "camera_offset_ns")),
    )
    for name in names
}


def grow_spans(database: Database, db: Connection, rows: Sequence[Mapping[str, object]]) -> None:
    """Put spans in, or stretch those there are: facts of an end come with that end."""
    database.upsert(db, schema.span, rows, _STRETCHED)


def draw_in(db: Connection, spans: Iterable[tuple[int, Instant, str]]) -> None:
    """Draw spans, named by (stream number, span, writer), in to what remains of them."""
    seg, span = schema.segment, schema.span
    rows = [{"n": number, "s": start, "w": writer} for number, start, writer in spans]
    if not rows:
        return
    own = and_(
        span.c.stream_no == bindparam("n"),
        span.c.span_ns == bindparam("s"),
        span.c.writer == bindparam("w"),
    )
    rest = (  # between the span's old ends: never a look at all of the stream
        seg.c.stream_no == span.c.stream_no,
        seg.c.span_ns == span.c.span_ns,
        seg.c.writer == span.c.writer,
        seg.c.start_ns >= span.c.start_ns,
        seg.c.start_ns <= span.c.end_ns,
    )
    first = select(seg.c.start_ns).where(*rest).order_by(seg.c.start_ns).limit(1)
    last = select(seg.c.end_ns).where(*rest).order_by(seg.c.start_ns.desc()).limit(1)
    db.execute(delete(span).where(own, ~first.correlate(span).exists()), rows)
    db.execute(
        update(span)
        .where(own)
        .values(
            start_ns=first.correlate(span).scalar_subquery(),
            end_ns=last.correlate(span).scalar_subquery(),
        ),
        rows,
    )
