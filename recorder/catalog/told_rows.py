"""Rows of what a child told: found by few queries, grown into spans, dropped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, bindparam, delete, select

from recorder.catalog import schema
from recorder.catalog.spans import draw_in
from recorder.catalog.told import Key, Message
from recorder.model.events import Event
from recorder.model.places import beginning, parse_place
from recorder.model.timebase import MINUTE, Instant, TimeRange

WINDOW = 10 * MINUTE
AT_ONCE = 10_000
"""Keys that one statement names: PostgreSQL takes 65,535 parameters, SQLite 32,766 and more."""


def read_event(message: Message, at: Instant) -> Event:
    """Read an event as a child tells it."""
    return Event(
        message["id"],
        message["site"],
        message["kind"],
        message["source"],
        tuple(message["cameras"]),
        TimeRange(*message["range"]),
        TimeRange(*message["touched"]),
        message["received"],
        message["attributes"],
        version=message.get("version", 1),
        removed=message.get("removed", False),
        noted=at,
    )


def key_of(row: Mapping[str, Any]) -> Key:
    """Return what names a segment within a stream."""
    return (row["stream_no"], row["start_ns"], row["writer"])


def boxes(rows: Iterable[object], place: Any) -> Iterator[list[Any]]:
    """Gather rows so that few queries find them: by stream or by time, whichever gives fewer.

    ``place`` gives a row's stream number and start.
    """
    by_stream: dict[int, list[object]] = {}
    by_time: dict[int, list[object]] = {}
    for row in rows:
        number, start = place(row)[:2]
        by_stream.setdefault(number, []).append(row)
        by_time.setdefault(start // WINDOW, []).append(row)
    yield from min(by_stream, by_time, key=len).values()


def within(
    db: Connection,
    table: Table,
    keys: Iterable[Key],
    columns: Sequence[str],
    *where: ColumnElement[bool],
    alone: bool = False,
) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of named segments in a table: their key, and some columns.

    ``alone``: nobody else changes them until this transaction ends.
    """
    wanted = [table.c[name] for name in ("stream_no", "start_ns", "writer", *columns)]
    for box in _slices(boxes(keys, lambda key: key)):
        numbers, starts, own = {key[0] for key in box}, {key[1] for key in box}, set(box)
        if len(numbers) == 1:
            place = and_(table.c.stream_no == box[0][0], table.c.start_ns.in_(starts))
        else:
            place = and_(
                table.c.stream_no.in_(numbers), table.c.start_ns.between(min(starts), max(starts))
            )
        query = select(*wanted).where(place, *where)
        for row in db.execute(query.with_for_update() if alone else query).all():
            if tuple(row[:3]) in own:
                yield tuple(row)


def _slices(found: Iterable[list[Key]]) -> Iterator[list[Key]]:
    """Cut a stream's keys into as many as one statement may name: 43,200 are thirty days of it."""
    for box in found:
        alone = len({key[0] for key in box}) == 1
        step = AT_ONCE if alone else len(box)
        yield from (box[first : first + step] for first in range(0, len(box), step))


def told_by(child: str) -> tuple[ColumnElement[bool], ...]:
    """Choose copies at a child's places, of the streams that it speaks of: of a site that is heard
    through another by now it is not heard, and so cannot tell again what it has.
    """
    copy, stream = schema.copy, schema.stream
    heard = select(stream.c.stream_no).where(stream.c.via == child)
    places = copy.c.place.startswith(beginning(child), autoescape=True)
    return places, copy.c.stream_no.in_(heard)


def drop_segments(db: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Drop segments, by key and span, and draw their spans in."""
    seg = schema.segment
    own = (
        seg.c.stream_no == bindparam("n"),
        seg.c.start_ns == bindparam("s"),
        seg.c.writer == bindparam("w"),
    )
    if rows:
        named = [{"n": row[0], "s": row[1], "w": row[2]} for row in rows]
        db.execute(delete(seg).where(*own), named)
        draw_in(db, {(row[0], row[3], row[2]) for row in rows})


def drop_copies(db: Connection, rows: Sequence[Mapping[str, object]]) -> None:
    """Drop copies, by key and place."""
    copy = schema.copy
    own = (
        copy.c.stream_no == bindparam("n"),
        copy.c.start_ns == bindparam("s"),
        copy.c.writer == bindparam("w"),
        copy.c.place == bindparam("p"),
    )
    if rows:
        db.execute(delete(copy).where(*own), list(rows))


def stretch(
    spans: dict[tuple[int, int, str], dict[str, object]],
    number: int,
    row: dict[str, Any],
    codecs: str,
) -> None:
    """Grow a span, within one batch, by a segment."""
    own = (number, row["span_ns"], row["writer"])
    known = spans.get(own)
    if known is None:
        spans[own] = {
            "stream_no": number,
            "span_ns": row["span_ns"],
            "writer": row["writer"],
            "start_ns": row["start_ns"],
            "end_ns": row["end_ns"],
            "codecs": codecs,
            "gap_cause": row["gap_cause"],
            "camera_offset_ns": row["camera_offset_ns"],
        }
        return
    if row["start_ns"] < known["start_ns"]:
        known.update(start_ns=row["start_ns"], gap_cause=row["gap_cause"])
    if row["end_ns"] > known["end_ns"]:
        known.update(end_ns=row["end_ns"], camera_offset_ns=row["camera_offset_ns"])


def drop_bare(
    db: Connection, there: Sequence[tuple[int, int, str, int]], keys: set[Key], child: str = ""
) -> None:
    """Drop those of some segments that have no copy left, and the copies that ``child`` has.

    What was let go above is a memory, and goes with the segment.
    """
    theirs, remembered, others = list[Message](), list[Message](), set[Key]()
    for n, s, w, place, deleted in within(db, schema.copy, keys, ("place", "deleting_ns")):
        at, row = parse_place(place), {"n": n, "s": s, "w": w, "p": place}
        if child and at.next_site == child:
            theirs.append(row)
        elif at.above and deleted is not None:
            remembered.append(row)
        else:
            others.add((n, s, w))
    bare = [one for one in there if one[:3] not in others]
    gone = {one[:3] for one in bare}
    drop_copies(db, theirs + [one for one in remembered if (one["n"], one["s"], one["w"]) in gone])
    drop_segments(db, bare)
