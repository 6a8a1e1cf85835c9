"""Commits: the transactions that make copies real, and take back those whose bytes are gone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, delete, func, literal, not_, select, update

from recorder.catalog import schema
from recorder.catalog.chain import SqlChain
from recorder.catalog.changes import Changes
from recorder.catalog.copy_rows import let_go_above, this_copy, this_segment
from recorder.catalog.database import Database
from recorder.catalog.gaps import close_gaps, dark_before, open_gap
from recorder.catalog.numbers import StreamNumbers
from recorder.catalog.readable import facts_of
from recorder.catalog.rows import segment_row
from recorder.catalog.same_object import SameObject
from recorder.catalog.spans import draw_in, grow_spans
from recorder.model.causes import Cause
from recorder.model.media import THIN, Copy, Segment, SegmentId
from recorder.model.timebase import DAY, Instant, TimeRange
from recorder.ports.progress import PROVEN


class SqlCommits:
    """A :class:`recorder.ports.Commits`."""

    def __init__(
        self, database: Database, numbers: StreamNumbers, changes: Changes, chain: SqlChain
    ) -> None:
        self._database, self._numbers, self._changes = database, numbers, changes
        self._chain = chain
        self.same = SameObject(database, changes)

    def add_segment(self, segment: Segment, place: str, etag: str, at: Instant) -> None:
        """Record a segment, its span, its holes and one copy; twice is the same as once.

        One of a site below gets its link here: its bytes have come.  What was damaged is whole.
        """
        table = schema.copy
        with self._database.write(quiet=True) as db:
            self.add_one(db, segment, place, etag, at)
            own = this_copy(self._numbers.known(db, segment.stream), Copy(segment, place))
            damaged = update(table).where(*own, table.c.damaged_ns.is_not(None))
            if db.execute(damaged.values(damaged_ns=None)).rowcount:
                note_copies(self._numbers, self._changes, db, [Copy(segment, place)], at)
            self._chain.receive(db, segment)

    def add_segments(self, segments: Sequence[Segment], place: str, at: Instant) -> None:
        """Record segments just sealed: their spans, holes, links and a copy each.

        In one transaction.  A machine that lost its clock commits after the last sweep all the
        same: whatever its footage says, it is no older than that.  Of what came from a site below
        that site says when it was committed: it may have been on its way for days.
        """
        with self._database.write(quiet=True) as db:
            committed = max(at, _proven(db))
            for segment in segments:
                own = self._chain.is_own(segment)
                self.add_one(db, segment, place, "", at, committed=committed if own else None)
            self._chain.seal(db, segments)

    def date_anew(self, since: Instant, at: Instant) -> int:
        """Take what was committed since, and says that it is old by now, as committed ``at``.

        Its clock was wrong, and nobody knows when that was.  Returns how many segments.
        """
        seg = schema.segment
        wrong = (seg.c.committed_ns >= since, seg.c.committed_ns < at, seg.c.end_ns < at - DAY)
        query = select(seg.c.stream_no, seg.c.start_ns, literal(at), seg.c.writer).where(*wrong)
        with self._database.write() as db:
            found = [tuple(row) for row in db.execute(query)]
            self._changes.note_all(db, "segment", found, at)
            db.execute(update(seg).where(*wrong).values(committed_ns=at))
        return len(found)

    def date_now(self, names: Sequence[SegmentId], at: Instant) -> None:
        """Take segments as committed ``at``: a clock that was ahead said later."""
        seg = schema.segment
        with self._database.write() as db:
            for stream, start, writer in names:
                number = self._numbers.known(db, stream)
                own = (seg.c.stream_no == number, seg.c.start_ns == start)
                later = (*own, seg.c.writer == writer, seg.c.committed_ns > at)
                if db.execute(update(seg).where(*later).values(committed_ns=at)).rowcount:
                    self._changes.note(db, "segment", number, [(start, at, writer)], at)

    def add_one(
        self,
        db: Connection,
        segment: Segment,
        place: str,
        etag: str,
        at: Instant,
        committed: Instant | None = None,
    ) -> None:
        """Record one segment and one copy of it, inside a transaction.

        What was made of its object while nobody said what it is gives way to it.
        """
        stream_no = self._numbers.made(db, segment.stream)
        self.same.give_way(db, stream_no, segment, at, place)
        config = {
            "decoder_digest": segment.decoder_digest,
            "codecs": segment.codecs,
            "width": segment.width,
            "height": segment.height,
        }
        config_no = self._database.number(db, schema.config, config, "config_no")
        if committed is None and segment.is_thin:
            committed = _committed_whole(db, stream_no, segment)
        # updated to what it is: who forgets its other copy at this moment waits, or was waited for
        row = segment_row(segment, stream_no, config_no, committed)
        self._database.upsert(db, schema.segment, row, ("writer",))
        length, table = segment.end - segment.start, schema.stream
        db.execute(
            update(table)
            .where(table.c.stream_no == stream_no, table.c.longest_ns < length)
            .values(longest_ns=length)
        )
        self._grow_span(db, stream_no, segment)
        copy = {
            "stream_no": stream_no,
            "start_ns": segment.start,
            "writer": segment.writer,
            "place": place,
            "etag": etag,
            "verified_ns": at,
            "condemned_ns": None,
        }
        self._database.upsert(db, schema.copy, copy, ("etag", "verified_ns"))
        self._changes.note(db, "segment", stream_no, [(segment.start, at, segment.writer)], at)
        changed = close_gaps(
            self._database, db, stream_no, (segment.range, segment.writer), segment.holes
        )
        self._changes.note(db, "gap", stream_no, [(gap.start, gap.end, "") for gap in changed], at)

    def add_found(
        self,
        db: Connection,
        found: Segment,
        place: str,
        etag: str,
        at: Instant,
        committed: Instant | None = None,
    ) -> None:
        """Record a segment found at a place; of one not known there, sites below are told.

        What the catalog said before, an old backup, may have had them forget it.
        """
        number = self._numbers.made(db, found.stream)
        known = select(schema.copy.c.place).where(*this_copy(number, Copy(found, place)))
        new = db.execute(known).first() is None
        self.add_one(db, found, place, etag, at, committed)
        if new:
            self._changes.note_below(db, number, [(found.start, found.writer)])

    def _grow_span(self, db: Connection, stream_no: int, segment: Segment) -> None:
        row = {
            "stream_no": stream_no,
            "span_ns": segment.span_start,
            "writer": segment.writer,
            "start_ns": segment.start,
            "end_ns": segment.end,
            "codecs": segment.codecs,
            "gap_cause": segment.gap_cause,
            "camera_offset_ns": segment.camera_offset_ns,
        }
        grow_spans(self._database, db, [row])

    def forget(self, copies: Sequence[Copy], cause: str) -> None:
        """Drop copies whose bytes are gone; a segment's last one leaves a gap of ``cause``."""
        with self._database.write() as db:
            for copy in copies:
                self.forget_one(db, copy, cause)

    def forget_one(self, db: Connection, copy: Copy, cause: str) -> None:
        """Drop one copy, inside a transaction."""
        table, seg, segment = schema.copy, schema.segment, copy.segment
        number = self._numbers.known(db, segment.stream)
        mine = (
            seg.c.stream_no == number,
            seg.c.start_ns == segment.start,
            seg.c.writer == segment.writer,
        )
        db.execute(select(seg.c.writer).where(*mine).with_for_update())  # one at a time
        db.execute(delete(table).where(*this_copy(number, copy)))
        lost = cause == Cause.LOST
        note_copies(self._numbers, self._changes, db, [copy], segment.end, lost=lost)
        all_ = this_segment(number, segment)
        left = select(func.count()).select_from(table).where(*all_, not_(let_go_above()))
        if db.execute(left).scalar_one():
            return
        db.execute(delete(table).where(*all_))
        if db.execute(delete(seg).where(*mine)).rowcount:
            self._shrink(db, int(number or 0), segment, cause)
            self._chain.forget(db, int(number or 0), segment)

    def open_gaps(
        self, db: Connection, number: int, ranges: Sequence[TimeRange], cause: str, at: Instant
    ) -> None:
        """Record gaps, inside a transaction."""
        for range_ in ranges:
            for gap in open_gap(self._database, db, number, range_, cause):
                self._changes.note(db, "gap", number, [(gap.start, gap.end, "")], at)

    def _shrink(self, db: Connection, number: int, segment: Segment, cause: str) -> None:
        """Record the gap a segment leaves, and draw its span in to what remains."""
        found = open_gap(self._database, db, number, segment.range, cause)
        before = dark_before(db, number, segment.start) if segment.gap_cause else None
        if before is not None:  # why it was dark there only this segment says
            found += open_gap(self._database, db, number, before, segment.gap_cause)
        for gap in found:
            self._changes.note(db, "gap", number, [(gap.start, gap.end, "")], gap.end)
        draw_in(db, [(number, segment.span_start, segment.writer)])


def _committed_whole(db: Connection, number: int, thin: Segment) -> Instant | None:
    """Return when that was committed whose clean points a thin segment is: it is as old."""
    seg = schema.segment
    own = (seg.c.stream_no == number, seg.c.start_ns == thin.start)
    whole = thin.writer.removesuffix(THIN)
    return db.execute(select(seg.c.committed_ns).where(*own, seg.c.writer == whole)).scalar()


def _proven(db: Connection) -> Instant:
    """Return the time that was proven last; 0 where none was."""
    query = select(schema.progress.c.facts).where(schema.progress.c.name == PROVEN)
    wall = facts_of(db.execute(query).scalar()).get("wall")
    return wall if isinstance(wall, int) else 0


def note_copies(
    numbers: StreamNumbers,
    changes: Changes,
    db: Connection,
    copies: Iterable[Copy],
    at: Instant,
    *,
    lost: bool = False,
) -> None:
    """Note that copies changed: upward, and to the site below that the stream comes from.

    ``lost``: no policy let them go.  Of a stream that this catalog does not know, for it was lost
    since the copies were read, there is nothing that anybody was told of.
    """
    for copy in copies:
        number, segment = numbers.known(db, copy.segment.stream), copy.segment
        if number is None:
            continue
        changes.note(db, "segment", number, [(segment.start, at, segment.writer)], at)
        if copy.at.own_store:
            changes.note_below(db, number, [(segment.start, segment.writer)], lost=lost)
