"""Segments, spans, copies and gaps: the footage half of the catalog."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, and_, delete, literal, select, tuple_, update

from recorder.catalog import schema
from recorder.catalog.database import Database
from recorder.catalog.gaps import close_gaps
from recorder.catalog.rows import read_segment, read_span, segment_row
from recorder.model.keys import StreamId
from recorder.model.media import Copy, Segment
from recorder.model.timebase import Instant, TimeRange
from recorder.model.timeline import Gap, Span

SEGMENT_KEY = ("stream_no", "start_ns", "writer")


class Footage:
    """The queries on footage; :class:`recorder.catalog.sql.SqlCatalog` adds the documents."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.feeding = False
        """Whether changes are noted for a parent site."""
        self._numbers: dict[StreamId, int] = {}

    # -- writing -------------------------------------------------------------------------

    def add_segment(self, segment: Segment, place: str, etag: str, at: Instant) -> None:
        """Record a segment, its span, its holes and one copy; twice is the same as once."""
        with self.database.write() as db:
            self._add(db, segment, place, etag, at)

    def add_segments(self, segments: Sequence[Segment], place: str, at: Instant) -> None:
        """Record segments, their spans, holes and a copy each, in one transaction."""
        with self.database.write() as db:
            for segment in segments:
                self._add(db, segment, place, "", at)

    def _add(
        self, db: Connection, segment: Segment, place: str, etag: str, at: Instant
    ) -> None:  # fmt: skip
        stream_no = self._stream_no(db, segment.stream)
        config = {
            "decoder_digest": segment.decoder_digest, "codecs": segment.codecs,
            "width": segment.width, "height": segment.height,
        }  # fmt: skip
        config_no = self.database.number(db, schema.config, config, "config_no")
        self.database.upsert(db, schema.segment, segment_row(segment, stream_no, config_no))
        length, table = segment.end - segment.start, schema.stream
        db.execute(
            update(table)
            .where(table.c.stream_no == stream_no, table.c.longest_ns < length)
            .values(longest_ns=length)
        )
        self._grow_span(db, stream_no, segment)
        copy = {
            "stream_no": stream_no, "start_ns": segment.start, "writer": segment.writer,
            "place": place, "etag": etag, "verified_ns": at, "condemned_ns": None,
        }  # fmt: skip
        self.database.upsert(db, schema.copy, copy, ("etag", "verified_ns"))
        self.note(db, "segment", stream_no, [(segment.start, at, segment.writer)], at)
        changed = close_gaps(
            self.database, db, stream_no, (segment.range, segment.writer), segment.holes
        )
        self.note(db, "gap", stream_no, [(gap.start, gap.end, "") for gap in changed], at)

    def note(
        self, db: Connection, kind: str, stream_no: int | None,
        rows: Iterable[tuple[Instant, Instant, str]], at: Instant,
    ) -> None:  # fmt: skip
        """Note (start, end, name) of what changed, for the parent; in the same transaction.

        Only what changed is noted, not how: it is told as it is when it is told.
        """
        self.note_all(db, kind, [(stream_no, *row) for row in rows], at)

    def note_all(
        self, db: Connection, kind: str,
        rows: Iterable[tuple[int | None, Instant, Instant, str]], at: Instant,
    ) -> None:  # fmt: skip
        """Note (stream number, start, end, name) of what changed, of many streams together."""
        if not self.feeding:
            return
        noted = [
            {"kind": kind, "stream_no": number, "start_ns": start, "end_ns": end, "name": name,
             "at_ns": at}
            for number, start, end, name in rows
        ]  # fmt: skip
        self.database.upsert(db, schema.outbox, noted)

    def _grow_span(self, db: Connection, stream_no: int, segment: Segment) -> None:
        row = {
            "stream_no": stream_no, "span_ns": segment.span_start, "writer": segment.writer,
            "start_ns": segment.start, "end_ns": segment.end, "codecs": segment.codecs,
            "gap_cause": segment.gap_cause, "camera_offset_ns": segment.camera_offset_ns,
        }  # fmt: skip
        self.grow_spans(db, [row])

    def grow_spans(self, db: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Put spans in, or stretch those there are: facts of an end come with that end."""
        self.database.upsert(db, schema.span, rows, _STRETCHED)

    def _stream_no(self, db: Connection, stream: StreamId) -> int:
        known = self._numbers.get(stream)
        if known is None:
            values = {"site": stream.site, "camera": stream.camera, "stream": stream.stream}
            known = self.database.number(db, schema.stream, values, "stream_no")
        return known

    def _known_no(self, db: Connection, stream: StreamId) -> int | None:
        """Number of a stream that has footage; remembered, for streams are never removed."""
        known = self._numbers.get(stream)
        if known is None:
            table = schema.stream
            found = db.execute(
                select(table.c.stream_no).where(
                    table.c.site == stream.site,
                    table.c.camera == stream.camera,
                    table.c.stream == stream.stream,
                )
            ).scalar()
            if found is None:
                return None
            known = self._numbers[stream] = int(found)
        return known

    # -- reading -------------------------------------------------------------------------

    def spans(self, stream: StreamId, asked: TimeRange) -> list[Span]:
        """Return the spans that touch a range, by start."""
        table = schema.span
        with self.database.read() as db:
            number = self._known_no(db, stream)
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
        with self.database.read() as db:
            number = self._known_no(db, stream)
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
        table = schema.segment
        with self.database.read() as db:
            number = self._known_no(db, stream)
            if number is None:
                return []
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

    def segment_by_key(self, stream: StreamId, start: Instant, key: str) -> Segment | None:
        """Return one segment; ``start`` is the microsecond in the key."""
        near = TimeRange(start, start + 1000)
        return next((found for found in self.segments(stream, near) if found.key == key), None)

    def copies(self, segments: Sequence[Segment]) -> dict[str, list[Copy]]:
        """Return the copies of segments, by key."""
        table = schema.copy
        found: dict[str, list[Copy]] = {segment.key: [] for segment in segments}
        with self.database.read() as db:
            for i in range(0, len(segments), 200):
                batch = segments[i : i + 200]
                by_id = {
                    (self._known_no(db, segment.stream), segment.start, segment.writer): segment
                    for segment in batch
                }
                columns = tuple_(table.c.stream_no, table.c.start_ns, table.c.writer)
                for row in db.execute(select(table).where(columns.in_(list(by_id)))):
                    segment = by_id[(row.stream_no, row.start_ns, row.writer)]
                    found[segment.key].append(read_copy(segment, row))
        return found

    def copies_at(
        self, place: str, after: tuple[StreamId, Instant, str] | None, limit: int,
        condemned: bool = False,
    ) -> list[Copy]:  # fmt: skip
        """Page through the copies at a place, stream by stream, by start.

        ``after``: stream, start and writer of the last one seen.
        """
        table, seg, stream = schema.copy, schema.segment, schema.stream
        columns = [table.c[name] for name in SEGMENT_KEY]
        query = (
            select(
                table, seg, *CONFIG, stream.c.site, stream.c.camera,
                stream.c.stream.label("stream_name"),
            )
            .join(seg, and_(*(seg.c[key] == table.c[key] for key in SEGMENT_KEY)))
            .join(stream, stream.c.stream_no == table.c.stream_no)
            .join(schema.config, schema.config.c.config_no == seg.c.config_no)
            .where(table.c.place == place)
            .order_by(*columns)
            .limit(limit)
        )  # fmt: skip
        if condemned:
            query = query.where(table.c.condemned_ns.is_not(None))
        with self.database.read() as db:
            if after is not None:
                number = self._known_no(db, after[0])
                query = query.where(tuple_(*columns) > tuple_(*map(literal, (number, *after[1:]))))
            return [
                read_copy(read_segment(StreamId(row.site, row.camera, row.stream_name), row), row)
                for row in db.execute(query)
            ]

    def gaps(self, stream: StreamId, asked: TimeRange) -> list[Gap]:
        """Return recorded gaps that touch a range."""
        table = schema.gap
        with self.database.read() as db:
            number = self._known_no(db, stream)
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
        with self.database.read() as db:
            return [StreamId(row.site, row.camera, row.stream) for row in db.execute(query)]

    # -- all of it ------------------------------------------------------------------------

    def clear_footage(self) -> None:
        """Forget segments, spans and copies (documents stay): the start of a rebuild."""
        with self.database.write() as db:
            for table in (schema.copy, schema.segment, schema.span, schema.gap):
                db.execute(delete(table))


_EARLIER, _LATER = "excluded.start_ns < span.start_ns", "excluded.end_ns > span.end_ns"
_STRETCHED = {
    name: f"CASE WHEN {when} THEN excluded.{name} ELSE span.{name} END"
    for when, names in ((_EARLIER, ("start_ns", "gap_cause")),
                        (_LATER, ("end_ns", "camera_offset_ns")))
    for name in names
}  # fmt: skip
CONFIG = [schema.config.c[name] for name in ("decoder_digest", "codecs", "width", "height")]


def read_copy(segment: Segment, row: object) -> Copy:
    """Read a row of ``copy``."""
    values = row._mapping  # type: ignore[attr-defined]
    return Copy(
        segment,
        values["place"],
        values["etag"],
        values["verified_ns"],
        values["condemned_ns"],
        values["damaged_ns"],
    )
