"""Footage: segments, spans, copies and gaps as readers ask for them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, Select, Table, bindparam, func, select, tuple_

from recorder.catalog import schema
from recorder.catalog.copy_rows import CONFIG, read_copy
from recorder.catalog.database import Database
from recorder.catalog.numbers import StreamNumbers
from recorder.catalog.rows import read_segment, read_span
from recorder.model.keys import StreamId
from recorder.model.media import Copy, Segment
from recorder.model.timebase import Instant, TimeRange
from recorder.model.timeline import Gap, Span
from recorder.ports import Around

# What every timeline asks is built once: building a statement costs four times what asking does.


def _touching(table: Table) -> Select[object]:
    """Rows of a stream that touch a range, by start."""
    columns = table.c
    return (
        select(table)
        .where(
            columns.stream_no == bindparam("stream"),
            columns.end_ns > bindparam("start"),
            columns.start_ns < bindparam("end"),
        )
        .order_by(columns.start_ns)
    )


_SPANS, _GAPS = _touching(schema.span), _touching(schema.gap)
_NEXT_SPAN = (
    select(schema.span)
    .where(
        schema.span.c.stream_no == bindparam("stream"),
        schema.span.c.start_ns >= bindparam("start"),
    )
    .order_by(schema.span.c.start_ns)
    .limit(1)
)
_STREAMS = select(schema.stream).order_by(
    schema.stream.c.site, schema.stream.c.camera, schema.stream.c.stream
)
_STREAMS_OF = _STREAMS.where(schema.stream.c.camera == bindparam("camera"))


class SqlFootage:
    """A :class:`recorder.ports.Footage`."""

    def __init__(self, database: Database, numbers: StreamNumbers) -> None:
        self._database, self._numbers = database, numbers

    def spans(self, stream: StreamId, asked: TimeRange) -> list[Span]:
        """Return the spans that touch a range, by start."""
        with self._database.read() as db:
            return _spans_in(db, self._numbers.known(db, stream), asked)

    def next_span(self, stream: StreamId, after: Instant) -> Span | None:
        """Return the first span that starts at or after an instant."""
        with self._database.read() as db:
            return _next_span(db, self._numbers.known(db, stream), after)

    def around(self, stream: StreamId, asked: TimeRange, *, after: bool) -> Around:
        """Return what a timeline of a range is made of, all as of one moment."""
        with self._database.read() as db:  # a third of what a question takes is its transaction
            number = self._numbers.known(db, stream)
            spans = _spans_in(db, number, asked)
            first = _next_span(db, number, 0) if not spans else None
            later = _next_span(db, number, asked.end) if after else None
            return Around(spans, _gaps_in(db, number, asked), first, later)

    def segments(self, stream: StreamId, asked: TimeRange) -> list[Segment]:
        """Return the segments that touch a range, by start."""
        with self._database.read() as db:
            return segments_in(db, self._numbers.known(db, stream), stream, asked)

    def amount(self, stream: StreamId, asked: TimeRange) -> tuple[int, int]:
        """Return how many segments touch a range, and their bytes, without reading each."""
        seg = schema.segment.c
        with self._database.read() as db:
            number = self._numbers.known(db, stream)
            if number is None:
                return 0, 0
            query = select(func.count(), func.sum(seg.size_bytes))
            count, size = db.execute(query.where(*_segments_touch(db, number, asked))).one()
            return int(count), int(size or 0)

    def segment_by_key(self, stream: StreamId, start: Instant, key: str) -> Segment | None:
        """Return one segment; ``start`` is the microsecond in the key."""
        near = TimeRange(start, start + 1000)
        return next((found for found in self.segments(stream, near) if found.key == key), None)

    def copies(self, segments: Sequence[Segment]) -> dict[str, list[Copy]]:
        """Return the copies of segments, by key."""
        table = schema.copy
        found: dict[str, list[Copy]] = {segment.key: [] for segment in segments}
        with self._database.read() as db:
            for i in range(0, len(segments), 200):
                batch = segments[i : i + 200]
                by_id = {
                    (
                        self._numbers.known(db, segment.stream),
                        segment.start,
                        segment.writer,
                    ): segment
                    for segment in batch
                }
                columns = tuple_(table.c.stream_no, table.c.start_ns, table.c.writer)
                for row in db.execute(select(table).where(columns.in_(list(by_id)))):
                    segment = by_id[(row.stream_no, row.start_ns, row.writer)]
                    found[segment.key].append(read_copy(segment, row))
        return found

    def gaps(self, stream: StreamId, asked: TimeRange) -> list[Gap]:
        """Return recorded gaps that touch a range."""
        with self._database.read() as db:
            return _gaps_in(db, self._numbers.known(db, stream), asked)

    def streams(self, camera: str = "") -> list[StreamId]:
        """Return every stream that has, or had, footage; those of cameras of a name, or all."""
        query = _STREAMS_OF if camera else _STREAMS
        with self._database.read() as db:
            rows = db.execute(query, {"camera": camera} if camera else None)
            return [StreamId(row.site, row.camera, row.stream) for row in rows]


def _spans_in(db: Connection, number: int | None, asked: TimeRange) -> list[Span]:
    if number is None:
        return []
    values = {"stream": number, "start": asked.start, "end": asked.end}
    return [read_span(row) for row in db.execute(_SPANS, values)]


def _gaps_in(db: Connection, number: int | None, asked: TimeRange) -> list[Gap]:
    if number is None:
        return []
    values = {"stream": number, "start": asked.start, "end": asked.end}
    return [Gap(row.start_ns, row.end_ns, row.cause) for row in db.execute(_GAPS, values)]


def _next_span(db: Connection, number: int | None, after: Instant) -> Span | None:
    if number is None:
        return None
    row = db.execute(_NEXT_SPAN, {"stream": number, "start": after}).first()
    return read_span(row) if row is not None else None


def segments_in(
    db: Connection, number: int | None, stream: StreamId, asked: TimeRange
) -> list[Segment]:
    """Return the segments of a stream, by its number, that touch a range, by start."""
    if number is None:
        return []
    query = (
        select(schema.segment, *CONFIG)
        .join(schema.config, schema.config.c.config_no == schema.segment.c.config_no)
        .where(*_segments_touch(db, number, asked))
        .order_by(schema.segment.c.start_ns, schema.segment.c.writer)
    )
    return [read_segment(stream, row) for row in db.execute(query)]


def _segments_touch(db: Connection, number: int, asked: TimeRange) -> list[ColumnElement[bool]]:
    """Return what segments of a stream that touch a range have in common."""
    seg, stream = schema.segment.c, schema.stream.c
    longest = db.execute(select(stream.longest_ns).where(stream.stream_no == number)).scalar_one()
    return [
        seg.stream_no == number,
        seg.start_ns > asked.start - int(longest) - 1,
        seg.start_ns < asked.end,
        seg.end_ns > asked.start,
    ]
