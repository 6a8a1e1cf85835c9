"""Letting go: what is planned from, marked, taken out of the store, and forgotten."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    case,
    delete,
    func,
    or_,
    select,
    tuple_,
    update,
)

from policies.facts import Lane
from recorder.catalog import schema
from recorder.catalog.footage import CONFIG, SEGMENT_KEY, Footage, read_copy
from recorder.catalog.gaps import open_gap
from recorder.catalog.rows import audit_row, read_segment
from recorder.model.holds import Hold, held_ranges
from recorder.model.keys import StreamId
from recorder.model.media import THIN, Copy, Segment
from recorder.model.places import PARENT, beginning
from recorder.model.timebase import Instant, TimeRange
from recorder.ports import AuditEntry

PAGE = 10_000
MOST_NUMBERS = 500
"""So many streams are asked for at once: a statement takes so many parameters."""
Named = tuple[StreamId, Instant, str]


class Letting(Footage):
    """The queries of the janitor; :class:`recorder.catalog.sql.SqlCatalog` has them too."""

    def note_down(self, db: Connection, number: int, keys: Iterable[tuple[Instant, str]]) -> None:
        """Note that copies changed, for the site below that the stream is known through."""

    # -- facts ---------------------------------------------------------------------------

    def lanes(
        self, place: str, above: bool = False, before: Instant | None = None,
        after: Instant | None = None,
    ) -> list[Lane]:  # fmt: skip
        """Return all living copies at a place as columns, one lane a stream.

        ``above``: mark the copies that live, or lived, at levels above too.
        ``before``, ``after``: only footage that began before this, or after.
        """
        copy, seg = schema.copy, schema.segment
        query = (
            select(copy.c.stream_no, copy.c.start_ns, seg.c.end_ns, seg.c.size_bytes, copy.c.writer)
            .join(seg, and_(*(seg.c[key] == copy.c[key] for key in SEGMENT_KEY)))
            .where(copy.c.place == place, copy.c.condemned_ns.is_(None))
            .order_by(copy.c.stream_no, copy.c.start_ns, copy.c.writer)
            .execution_options(yield_per=PAGE)
        )
        if before is not None:
            query = query.where(copy.c.start_ns < before)
        if after is not None:
            query = query.where(copy.c.start_ns > after)
        lanes: dict[int, Lane] = {}
        with self.database.read() as db:
            names = {
                row.stream_no: StreamId(row.site, row.camera, row.stream)
                for row in db.execute(select(schema.stream))
            }
            for part in db.execute(query).partitions():
                for number, start, end, size, writer in part:
                    lane = lanes.get(number)
                    if lane is None:
                        lane = lanes[number] = Lane(names[number])
                    lane.add(start, end, size, writer)
            if above:
                self._mark_copied(db, lanes)
        return list(lanes.values())

    def _mark_copied(self, db: Connection, lanes: dict[int, Lane]) -> None:
        """Mark what of lanes is above; looks at their streams and times only, by the key."""
        if not lanes:
            return
        copy = schema.copy
        query = select(copy.c.stream_no, copy.c.start_ns, copy.c.writer, copy.c.condemned_ns).where(
            copy.c.stream_no.in_(bindparam("numbers", expanding=True)),
            copy.c.start_ns >= min(lane.starts[0] for lane in lanes.values()),
            copy.c.start_ns <= max(lane.starts[-1] for lane in lanes.values()),
            copy.c.place.startswith(beginning(PARENT), autoescape=True),
        )  # fmt: skip
        there: dict[int, set[tuple[int, str]]] = {}
        was: dict[int, set[tuple[int, str]]] = {}
        streams = list(lanes)
        for i in range(0, len(streams), MOST_NUMBERS):
            some = {"numbers": streams[i : i + MOST_NUMBERS]}
            for number, start, writer, condemned in db.execute(query, some):
                known = there if condemned is None else was
                known.setdefault(number, set()).add((start, writer))
        for number in there.keys() | was.keys():
            _mark(lanes[number], there.get(number, set()), was.get(number, set()))

    def named(self, place: str, names: Sequence[Named]) -> list[Copy]:
        """Return the copies at a place that (stream, start, writer) name."""
        table, seg = schema.copy, schema.segment
        found = []
        with self.database.read() as db:
            for i in range(0, len(names), 200):
                by_id = {
                    (self._known_no(db, stream), start, writer): stream
                    for stream, start, writer in names[i : i + 200]
                }
                columns = tuple_(table.c.stream_no, table.c.start_ns, table.c.writer)
                query = (
                    select(table, seg, *CONFIG)
                    .join(seg, and_(*(seg.c[key] == table.c[key] for key in SEGMENT_KEY)))
                    .join(schema.config, schema.config.c.config_no == seg.c.config_no)
                    .where(table.c.place == place, columns.in_(list(by_id)))
                )
                for row in db.execute(query):
                    stream = by_id[(row.stream_no, row.start_ns, row.writer)]
                    found.append(read_copy(read_segment(stream, row), row))
        return found

    def condemned_bytes(self, place: str, since: Instant) -> tuple[int, int]:
        """Return the bytes marked at a place and not yet freed: all, and those since."""
        table, seg = schema.copy, schema.segment
        lately = case((table.c.condemned_ns > since, seg.c.size_bytes), else_=0)
        query = (
            select(func.sum(seg.c.size_bytes), func.sum(lately))
            .join(seg, and_(*(seg.c[key] == table.c[key] for key in SEGMENT_KEY)))
            .where(table.c.place == place, table.c.condemned_ns.is_not(None))
        )
        with self.database.read() as db:
            total, late = db.execute(query).one()
            return int(total or 0), int(late or 0)

    # -- acts ----------------------------------------------------------------------------

    def condemn(self, copies: Sequence[Copy], at: Instant, audit: Sequence[AuditEntry]) -> int:
        """Mark the copies for deletion and write the audit of those marked, in one transaction.

        A copy that a live hold covers by now is left alone (law L5), whatever was planned, and so
        is one that is marked already.  Returns how many were marked.
        """
        said = {entry.key: entry for entry in audit}
        with self.database.write() as db:
            free = self._not_held(db, copies, at)
            marked = [copy for copy in free if self._mark_condemned(db, copy, at)]
            entries = [
                audit_row(said[copy.segment.key]) for copy in marked if copy.segment.key in said
            ]
            if entries:
                db.execute(schema.audit.insert(), entries)
            self._note_copies(db, marked, at)
        return len(marked)

    def _mark_condemned(self, db: Connection, copy: Copy, at: Instant) -> bool:
        """Mark one copy; false when it is marked, or gone."""
        table = schema.copy
        query = update(table).where(*self._one(db, copy), table.c.condemned_ns.is_(None))
        return db.execute(query.values(condemned_ns=at)).rowcount > 0

    def _note_copies(self, db: Connection, copies: Iterable[Copy], at: Instant) -> None:
        for copy in copies:
            number = self._known_no(db, copy.segment.stream)
            self.note(db, "segment", number, [(copy.segment.start, at, copy.segment.writer)], at)
            if number is not None and copy.at.own_store:
                self.note_down(db, number, [(copy.segment.start, copy.segment.writer)])

    def take_due(self, place: str, before: Instant, at: Instant, limit: int) -> list[Copy]:
        """Begin the deletion of copies condemned by ``before``; return them.

        From here on no hold can save them.  Those begun earlier and not forgotten, by a
        janitor that died, come first.
        """
        table, seg, stream = schema.copy, schema.segment, schema.stream
        due = or_(
            table.c.deleting_ns.is_not(None),
            and_(table.c.condemned_ns.is_not(None), table.c.condemned_ns <= before),
        )
        query = (
            select(
                table, seg, *CONFIG, stream.c.site, stream.c.camera,
                stream.c.stream.label("stream_name"),
            )
            .join(seg, and_(*(seg.c[key] == table.c[key] for key in SEGMENT_KEY)))
            .join(stream, stream.c.stream_no == table.c.stream_no)
            .join(schema.config, schema.config.c.config_no == seg.c.config_no)
            .where(table.c.place == place, due, table.c.locked == 0)
            .order_by(table.c.deleting_ns.is_(None), table.c.condemned_ns, table.c.start_ns)
            .limit(limit)
        )  # fmt: skip
        with self.database.write() as db:
            rows = db.execute(query).all()
            copies = [
                read_copy(read_segment(StreamId(row.site, row.camera, row.stream_name), row), row)
                for row in rows
            ]
            begun = [copy for copy, row in zip(copies, rows, strict=True) if row.deleting_ns]
            fresh = [copy for copy, row in zip(copies, rows, strict=True) if not row.deleting_ns]
            taken = begun + self._not_held(db, fresh, at)
            for copy in taken:
                db.execute(
                    update(table)
                    .where(*self._one(db, copy), table.c.deleting_ns.is_(None))
                    .values(deleting_ns=at)
                )
        return taken

    def _not_held(self, db: Connection, copies: Iterable[Copy], at: Instant) -> list[Copy]:
        held = held_ranges(live_holds(db, at), at)

        def free(segment: Segment) -> bool:
            ranges: Sequence[TimeRange] = held.get(segment.stream.camera, ())
            return not any(one.overlaps(segment.range) for one in ranges)

        return [copy for copy in copies if free(copy.segment)]

    def _one(self, db: Connection, copy: Copy) -> list[ColumnElement[bool]]:
        table = schema.copy
        return [
            table.c.stream_no == self._known_no(db, copy.segment.stream),
            table.c.start_ns == copy.segment.start,
            table.c.writer == copy.segment.writer,
            table.c.place == copy.place,
        ]

    def forget(self, copies: Sequence[Copy], cause: str) -> None:
        """Drop copies whose bytes are gone; a segment's last one leaves a gap of ``cause``."""
        with self.database.write() as db:
            for copy in copies:
                table, seg = schema.copy, schema.segment
                number = self._known_no(db, copy.segment.stream)
                db.execute(delete(table).where(*self._one(db, copy)))
                self._note_copies(db, [copy], copy.segment.end)
                own = (copy.segment.start, copy.segment.writer)
                left = db.execute(
                    select(func.count())
                    .select_from(table)
                    .where(
                        table.c.stream_no == number,
                        table.c.start_ns == own[0],
                        table.c.writer == own[1],
                    )
                ).scalar_one()
                gone = delete(seg).where(
                    seg.c.stream_no == number, seg.c.start_ns == own[0], seg.c.writer == own[1]
                )
                if not left and db.execute(gone).rowcount:
                    self._shrink(db, int(number or 0), copy.segment, cause)

    def _shrink(self, db: Connection, number: int, segment: Segment, cause: str) -> None:
        """Record the gap a segment leaves, and draw its span in to what remains."""
        for gap in open_gap(self.database, db, number, segment.range, cause):
            self.note(db, "gap", number, [(gap.start, gap.end, "")], gap.end)
        self.draw_in(db, [(number, segment.span_start, segment.writer)])

    @staticmethod
    def draw_in(db: Connection, spans: Iterable[tuple[int, Instant, str]]) -> None:
        """Draw spans, named by (stream number, span, writer), in to what remains of them."""
        seg, span = schema.segment, schema.span
        rows = [{"n": number, "s": start, "w": writer} for number, start, writer in spans]
        if not rows:
            return
        own = and_(span.c.stream_no == bindparam("n"), span.c.span_ns == bindparam("s"),
                   span.c.writer == bindparam("w"))  # fmt: skip
        rest = (  # between the span's old ends: never a look at all of the stream
            seg.c.stream_no == span.c.stream_no, seg.c.span_ns == span.c.span_ns,
            seg.c.writer == span.c.writer, seg.c.start_ns >= span.c.start_ns,
            seg.c.start_ns <= span.c.end_ns,
        )  # fmt: skip
        first = select(seg.c.start_ns).where(*rest).order_by(seg.c.start_ns).limit(1)
        last = select(seg.c.end_ns).where(*rest).order_by(seg.c.start_ns.desc()).limit(1)
        db.execute(delete(span).where(own, ~first.correlate(span).exists()), rows)
        db.execute(
            update(span).where(own).values(
                start_ns=first.correlate(span).scalar_subquery(),
                end_ns=last.correlate(span).scalar_subquery(),
            ), rows,
        )  # fmt: skip


def _mark(lane: Lane, there: set[tuple[int, str]], was: set[tuple[int, str]]) -> None:
    """Mark what of a lane lives above, or did until a level above let it go."""
    for i, (start, writer) in enumerate(zip(lane.starts, lane.writers, strict=True)):
        whole = (start, writer.removesuffix(THIN))
        if (start, writer) in there or whole in there:
            lane.copied.add(i)
        elif (start, writer + THIN) in there:
            lane.thinned.add(i)
        elif (start, writer) in was or whole in was:
            lane.let_go.add(i)


def live_holds(db: Connection, now: Instant) -> list[Hold]:
    """Return the holds in force, inside a transaction that acts on them."""
    table = schema.hold
    query = select(table).where(
        and_(table.c.released_ns.is_(None), or_(table.c.expires_ns.is_(None),
                                                table.c.expires_ns > now))
    )  # fmt: skip
    return [read_hold(row) for row in db.execute(query)]


def read_hold(row: Any) -> Hold:
    """Read a row of ``hold``."""
    return Hold(
        row.hold_id, tuple(row.cameras), TimeRange(row.start_ns, row.end_ns), row.case_name,
        row.reason, row.owner, row.created_ns, row.expires_ns, row.released_ns, row.released_by,
    )  # fmt: skip
