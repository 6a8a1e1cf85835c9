"""Footage: segments, spans, copies and gaps as readers ask for them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select, tuple_

from recorder.catalog import schema
from recorder.catalog.copy_rows import CONFIG, read_copy
from recorder.catalog.database import Database
from recorder.catalog.numbers import StreamNumbers
from recorder.catalog.rows import read_segment, read_span
from recorder.model.keys import StreamId
from recorder.model.media import Copy, Segment
from recorder.model.timebase import Instant, TimeRange
from recorder.model.timeline import Gap, Span


class SqlFootage:
    """A :class:`recorder.ports.Footage`."""

    def __init__(self, database: Database, numbers: StreamNumbers) -> None:
        self._database, self._numbers = database, numbers

    def spans(self, stream: StreamId, asked: TimeRange) -> list[Span]:
        """Return the spans that touch a range, by start."""
        table = schema.span
        with self._database.read() as db:
            number = self._numbers.known(db, stream)
            query = (
                select(table)
                .where(
                    table.c.stream_no == number,
                    table.c.end_ns > asked.start,
                    table.c.start_ns < asked.end,
                )
                .order_by(table.c.start_ns)
            )
            return [read_span(row) for row in db.execute(query)] if number is not None else []

    def next_span(self, stream: StreamId, after: Instant) -> Span | None:
        """Return the first span that starts at or after an instant."""
        table = schema.span
        with self._database.read() as db:
            number = self._numbers.known(db, stream)
            if number is None:
                return None
            query = (
                select(table)
                .where(table.c.stream_no == number, table.c.start_ns >= after)
                .order_by(table.c.start_ns)
                .limit(1)
            )
            row = db.execute(query).first()
            return read_span(row) if row is not None else None

    def segments(self, stream: StreamId, asked: TimeRange) -> list[Segment]:
        """Return the segments that touch a range, by start."""
        with self._database.read() as db:
            return segments_in(db, self._numbers.known(db, stream), stream, asked)

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
        table = schema.gap
        with self._database.read() as db:
            number = self._numbers.known(db, stream)
            query = (
                select(table)
                .where(
                    table.c.stream_no == number,
                    table.c.end_ns > asked.start,
                    table.c.start_ns < asked.end,
                )
                .order_by(table.c.start_ns)
            )
            return [Gap(row.start_ns, row.end_ns, row.cause) for row in db.execute(query)]

    def streams(self) -> list[StreamId]:
        """Return every stream that has, or had, footage."""
        table = schema.stream
        query = select(table).order_by(table.c.site, table.c.camera, table.c.stream)
        with self._database.read() as db:
            return [StreamId(row.site, row.camera, row.stream) for row in db.execute(query)]


def segments_in(
    db: Connection, number: int | None, stream: StreamId, asked: TimeRange
) -> list[Segment]:
    """Return the segments of a stream, by its number, that touch a range, by start."""
    if number is None:
        return []
    table = schema.segment
    longest = db.execute(
        select(schema.stream.c.longest_ns).where(schema.stream.c.stream_no == number)
    ).scalar_one()
    query = (
        select(table, *CONFIG)
        .join(schema.config, schema.config.c.config_no == table.c.config_no)
        .where(
            table.c.stream_no == number,
            table.c.start_ns > asked.start - int(longest) - 1,
            table.c.start_ns < asked.end,
            table.c.end_ns > asked.start,
        )
        .order_by(table.c.start_ns, table.c.writer)
    )
    return [read_segment(stream, row) for row in db.execute(query)]
