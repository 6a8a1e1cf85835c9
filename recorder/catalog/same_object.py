"""One object is one segment: no two of a stream have one key.

What is left of an object of ours whose end is gone no longer says what it was: a rebuild takes it
for another recorder's, that begins at the microsecond in its key.  Once somebody says what the
object was (a sealed file, a footer, the site above) that is believed, and what lies there is
suspected of not being it: scrubbing tells, and mends it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import ColumnElement, Connection, Row, delete, select

from recorder.catalog import schema
from recorder.catalog.changes import Changes
from recorder.catalog.database import Database
from recorder.catalog.rows import key_of
from recorder.catalog.spans import draw_in
from recorder.catalog.told import COLUMNS, Message, read_row
from recorder.catalog.told_rows import boxes
from recorder.model.keys import StreamId, segment_key
from recorder.model.places import beginning, seen_through
from recorder.model.timebase import Instant

MICROSECOND = 1000
"""As far as a key tells when a segment begins."""
_START, _WRITER = COLUMNS.index("start_ns"), COLUMNS.index("writer")
_SEALED = [COLUMNS.index(name) for name in ("activity", "camera_offset_ns")]
"""What sealing says, and nobody else."""
SegmentRow = Row[tuple[object]]
_NAMES = ("stream_no", "start_ns", "writer", "counter", "key", "digest", "span_ns")
_COLUMNS = [schema.segment.c[name] for name in (*_NAMES, "activity", "camera_offset_ns")]


class Named(Protocol):
    """What names a segment, its object, and the bytes of that."""

    @property
    def stream(self) -> StreamId:
        """Whose it is."""

    @property
    def start(self) -> Instant:
        """When it begins."""

    @property
    def writer(self) -> str:
        """Who wrote it."""

    @property
    def key(self) -> str:
        """What its object is called."""

    @property
    def digest(self) -> str:
        """Of the object, in hexadecimal."""


@dataclass(frozen=True, slots=True)
class ToldName:
    """A segment that another site says, by its names."""

    stream: StreamId
    start: Instant
    writer: str
    key: str
    digest: str


def name_told(message: Message) -> ToldName:
    """Name a segment that another site says."""
    row, stream = read_row(message["row"]), StreamId(*message["stream"].split("/"))
    key = row["key"] or segment_key(str(stream), row["start_ns"], row["writer"], row["counter"])
    return ToldName(stream, row["start_ns"], row["writer"], key, row["digest"].hex())


def others_of(db: Connection, number: int | None, one: Named) -> Sequence[SegmentRow]:
    """Return the rows of segments that have the key of one, and are another, or other bytes."""
    seg = schema.segment
    first = one.start - one.start % MICROSECOND
    query = select(*_COLUMNS).where(
        seg.c.stream_no == number,
        seg.c.start_ns.between(first, first + MICROSECOND - 1),
        seg.c.writer == one.writer,
    )
    return [row for row in db.execute(query) if _is_other(row, one)]


def _is_other(row: SegmentRow, one: Named) -> bool:
    """Tell whether a row has the key of a segment, and is another, or other bytes."""
    same = (row.start_ns, bytes(row.digest).hex()) == (one.start, one.digest)
    return not same and key_of(one.stream, row) == one.key


def _rows_near(db: Connection, asked: Collection[tuple[int, int, str]]) -> Iterator[SegmentRow]:
    """Yield the rows that begin in a stream's microsecond, by its writer, in few queries."""
    seg = schema.segment
    for box in boxes(asked, lambda key: (key[0], key[1] * MICROSECOND)):
        numbers, times, own = {key[0] for key in box}, [key[1] for key in box], set(map(tuple, box))
        first, last = min(times) * MICROSECOND, (max(times) + 1) * MICROSECOND
        query = select(*_COLUMNS).where(
            seg.c.stream_no.in_(numbers), seg.c.start_ns >= first, seg.c.start_ns < last
        )
        for row in db.execute(query).all():
            if (row.stream_no, row.start_ns // MICROSECOND, row.writer) in own:
                yield row


def is_made(db: Connection, row: SegmentRow) -> bool:
    """Tell whether a segment was made of what was left of its object, and was not sealed so."""
    if row.activity or row.camera_offset_ns is not None:
        return False
    link = schema.link
    own = (link.c.stream_no == row.stream_no, link.c.start_ns == row.start_ns)
    return (
        db.execute(select(link.c.number).where(*own, link.c.writer == row.writer)).first() is None
    )


class SameObject:
    """Lets a segment take the place of what was made of its object."""

    def __init__(self, database: Database, changes: Changes) -> None:
        self._database, self._changes = database, changes

    def give_way(
        self, db: Connection, number: int, one: Named, at: Instant, place: str = ""
    ) -> None:
        """Make the copies of what was made of an object those of the segment that it is.

        Before that is put in.  All are suspected but the one at a ``place``, where it was found.
        """
        for row in others_of(db, number, one):
            if is_made(db, row):
                self._replace(db, row, one.start, at, place)

    def take_rests(
        self,
        db: Connection,
        child: str,
        said: Sequence[Message],
        numbers: Mapping[str, int],
        at: Instant,
    ) -> list[Message]:
        """Take out of what a child says those segments whose objects it no longer knows whole.

        Their copies there are suspected, and it is told what they were.  Of what lies nowhere else
        the child knows better.
        """
        asked = {
            (numbers[one["stream"]], one["row"][_START] // MICROSECOND, one["row"][_WRITER]): one
            for one in said
            if all(one["row"][column] is None for column in _SEALED)
        }
        known = set[tuple[int, int, str]]()
        for row in _rows_near(db, asked):
            key = (row.stream_no, row.start_ns // MICROSECOND, row.writer)
            one = name_told(asked[key])
            if not _is_other(row, one):
                continue
            if self._elsewhere(db, row, child):
                self._suspect(db, row, child, asked[key], at)
                known.add(key)
            else:
                self._replace(db, row, one.start, at)
        left_out = {id(asked[key]) for key in known}
        return [one for one in said if id(one) not in left_out]

    def give_way_to(
        self,
        db: Connection,
        said: Sequence[Message],
        numbers: Mapping[str, int],
        at: Instant,
    ) -> None:
        """Let what was made here, or told, of objects give way to what a child says they are."""
        asked = {
            (numbers[one["stream"]], one["row"][_START] // MICROSECOND, one["row"][_WRITER]): one
            for one in said
            if any(one["row"][column] is not None for column in _SEALED)
        }
        for row in _rows_near(db, asked):
            one = name_told(asked[row.stream_no, row.start_ns // MICROSECOND, row.writer])
            if _is_other(row, one) and is_made(db, row):
                self._replace(db, row, one.start, at)

    @staticmethod
    def _elsewhere(db: Connection, row: SegmentRow, child: str) -> bool:
        """Tell whether a segment has a copy that is not at a child."""
        copy = schema.copy
        theirs = copy.c.place.startswith(beginning(child), autoescape=True)
        return db.execute(select(copy.c.place).where(*_copies_of(row), ~theirs)).first() is not None

    def _suspect(
        self, db: Connection, row: SegmentRow, child: str, message: Message, at: Instant
    ) -> None:
        rows = [
            {
                "stream_no": row.stream_no,
                "start_ns": row.start_ns,
                "writer": row.writer,
                "place": seen_through(child, place),
                "etag": etag,
                "verified_ns": verified,
                "condemned_ns": None,
                "deleting_ns": None,
                "damaged_ns": at,
            }
            for place, etag, verified, _ in message["copies"]
        ]
        self._database.upsert(db, schema.copy, rows, ("verified_ns", "damaged_ns"))
        self._changes.note_below(db, row.stream_no, [(row.start_ns, row.writer)])

    def _replace(
        self, db: Connection, row: SegmentRow, start: Instant, at: Instant, place: str = ""
    ) -> None:
        seg, copy = schema.segment, schema.copy
        known = db.execute(select(copy).where(*_copies_of(row))).mappings().all()
        db.execute(delete(copy).where(*_copies_of(row)))
        moved = [{**one, "start_ns": start, "damaged_ns": at} for one in known]
        self._database.upsert(db, copy, [one for one in moved if one["place"] != place])
        own = (seg.c.stream_no == row.stream_no, seg.c.start_ns == row.start_ns)
        db.execute(delete(seg).where(*own, seg.c.writer == row.writer))
        draw_in(db, [(row.stream_no, row.span_ns, row.writer)])
        told = [(row.start_ns, at, row.writer), (start, at, row.writer)]
        self._changes.note(db, "segment", row.stream_no, told, at)


def _copies_of(row: SegmentRow) -> tuple[ColumnElement[bool], ...]:
    copy = schema.copy
    names = ("stream_no", "start_ns", "writer")
    return tuple(getattr(copy.c, name) == getattr(row, name) for name in names)
