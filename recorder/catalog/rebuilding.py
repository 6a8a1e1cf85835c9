"""Rebuilding: what stores were found to hold goes in; what is gone from them goes at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, delete, func, select

from recorder.catalog import schema
from recorder.catalog.commits import SqlCommits
from recorder.catalog.copy_rows import this_copy
from recorder.catalog.database import Database
from recorder.catalog.gaps import recorded_gaps, uncovered
from recorder.catalog.numbers import StreamNumbers
from recorder.catalog.rows import audit_row, key_of
from recorder.catalog.same_object import is_made, others_of
from recorder.model.causes import Cause
from recorder.model.keys import StreamId
from recorder.model.media import Copy, Segment
from recorder.model.timebase import Instant, TimeRange, subtract
from recorder.ports import AuditEntry


class SqlRebuilding:
    """A :class:`recorder.ports.Rebuilding`."""

    def __init__(
        self,
        database: Database,
        numbers: StreamNumbers,
        commits: SqlCommits,
        site: str = "",
        node: str = "",
    ) -> None:
        """``site``, ``node``: whose log the entries are of, and who rebuilds."""
        self._database, self._numbers, self._commits = database, numbers, commits
        self._own = site, node

    def put(
        self, found: Sequence[tuple[Segment, str]], place: str, at: Instant, *, ours: bool = False
    ) -> list[tuple[str, str]]:
        """Record segments found at a place, with their etags, in one transaction.

        What the catalog says already stays as it is: its digest is the only word besides the
        object's own.  ``ours``: they say of themselves what they are.
        Returns (key, why) of those that contradict it: they were not recorded.
        """
        refused = []
        with self._database.write() as db:
            for segment, etag in found:
                why = self._contradicts(db, segment, ours=ours)
                if why:
                    refused.append((segment.key, why))
                else:
                    self._commits.add_found(db, segment, place, etag, at)
        return refused

    def replace(
        self, found: Segment, etag: str, place: str, at: Instant, false: Sequence[Copy]
    ) -> None:
        """Record a segment in place of what the catalog has of it, in one transaction.

        The copies that are ``false`` are known no more; their objects stay.
        """
        table = schema.segment
        with self._database.write() as db:
            number = self._numbers.known(db, found.stream)
            own = (table.c.stream_no == number, table.c.start_ns == found.start)
            mine = (*own, table.c.writer == found.writer)
            committed = db.execute(select(table.c.committed_ns).where(*mine)).scalar()
            db.execute(delete(table).where(*mine))
            self._commits.add_found(db, found, place, etag, at, committed)
            for copy in false:
                self._commits.forget_one(db, copy, Cause.LOST)

    def _contradicts(self, db: Connection, segment: Segment, *, ours: bool) -> str:
        """Say what the catalog knows otherwise of the segment of this stream, time and writer."""
        table, number = schema.segment, self._numbers.known(db, segment.stream)
        row = db.execute(
            select(table).where(
                table.c.stream_no == number,
                table.c.start_ns == segment.start,
                table.c.writer == segment.writer,
            )
        ).first()
        others = others_of(db, number, segment)
        if ours and others and all(is_made(db, one) for one in others):
            return ""
        if row is None:
            said = "the catalog knows what that object was, and it is not that any more"
            return said if others else ""
        key = key_of(segment.stream, row)
        if key != segment.key:
            return f"the catalog has {key} of that stream, instant and writer"
        if row.size_bytes != segment.size_bytes or bytes(row.digest).hex() != segment.digest:
            return "its bytes are not those the catalog knows; the row stays as it is"
        return ""

    def drop(self, copies: Sequence[Copy], since: Instant, audit: Sequence[AuditEntry]) -> int:
        """Drop copies that are gone, unless verified ``since``, in one transaction.

        A segment's last copy leaves a gap ``lost``, or ``purged`` where it was to go.  Of what was
        not to go ``audit`` is written.  Returns how many were dropped.
        """
        table, dropped, lost = schema.copy, 0, list[dict[str, object]]()
        said = {entry.key: entry for entry in audit}
        with self._database.write() as db:
            for copy in copies:
                own = this_copy(self._numbers.known(db, copy.segment.stream), copy)
                old = select(table.c.condemned_ns).where(*own, table.c.verified_ns < since)
                found = db.execute(old).first()
                if found is not None:  # a mark would be taken back one day, of what is not there
                    marked = found.condemned_ns is not None
                    if not marked and copy.segment.key in said:
                        lost.append(audit_row(said[copy.segment.key], *self._own))
                    self._commits.forget_one(db, copy, Cause.PURGED if marked else Cause.LOST)
                    dropped += 1
            if lost:
                db.execute(schema.audit.insert(), lost)
        return dropped

    def holes(self, site: str) -> Mapping[StreamId, Sequence[TimeRange]]:
        """Return what spans of a site's own streams stretch over, and no segment or gap covers.

        A span knows its ends alone; its segments count, so that one is missing shows.
        """
        stream = schema.stream
        with self._database.read() as db:
            rows = db.execute(select(stream).where(stream.c.site == site)).all()
        found: dict[StreamId, Sequence[TimeRange]] = {}
        for row in rows:  # one at a time: a month of a county is sorted nowhere
            if holes := self._holes_of(row.stream_no):
                found[StreamId(row.site, row.camera, row.stream)] = holes
        return found

    def _holes_of(self, number: int) -> list[TimeRange]:
        seg = schema.segment
        lane = (seg.c.span_ns, seg.c.writer)
        after = [
            func.lead(one)
            .over(partition_by=lane, order_by=seg.c.start_ns)
            .label(f"next_{one.name}")
            for one in (seg.c.start_ns, seg.c.counter)
        ]
        own = seg.c.stream_no == number
        pairs = select(seg.c.end_ns, seg.c.counter, *after).where(own).subquery()
        holes = select(pairs.c.end_ns, pairs.c.next_start_ns).where(
            pairs.c.next_counter > pairs.c.counter + 1,
            pairs.c.next_start_ns > pairs.c.end_ns,
        )
        left: list[TimeRange] = []
        with self._database.read() as db:
            for start, end in db.execute(holes).all():
                said = recorded_gaps(db, number, TimeRange(start, end))
                parts = uncovered(db, number, TimeRange(start, end))
                left += [one for part in parts for one in subtract(part, said)]
        return sorted(left, key=lambda one: one.start)

    def open_gaps(
        self, stream: StreamId, ranges: Sequence[TimeRange], cause: str, at: Instant
    ) -> None:
        """Record that footage is missing, in one transaction; what segments cover is left out."""
        with self._database.write() as db:
            self._commits.open_gaps(db, self._numbers.made(db, stream), ranges, cause, at)
