"""Chains: a segment gets its link in the transaction that takes it into the catalog.

This site's own when they were sealed; those of sites below when their bytes came here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, Row, Select, delete, select, tuple_, update

from recorder.catalog import schema
from recorder.catalog.database import Database
from recorder.catalog.numbers import StreamNumbers
from recorder.catalog.rows import key_of
from recorder.evidence.chain import GENESIS, Link, head_of, read_link, write_link
from recorder.model.keys import StreamId
from recorder.model.media import Segment, SegmentId
from recorder.model.timebase import HOUR, Instant
from recorder.ports import ChainLink

WAITED = 6 * HOUR
"""So long footage waits to be cataloged, mostly: as long as a catalog is away."""
AT_ONCE = 300
"""Segments named in one statement: SQLite takes 32,766 values, of older builds 999."""


class SqlChain:
    """A :class:`recorder.ports.Chain`."""

    def __init__(self, database: Database, numbers: StreamNumbers, site: str) -> None:
        """``site``: whose own segments are chained as they are sealed."""
        self._database, self._numbers, self._site = database, numbers, site

    def is_own(self, segment: Segment) -> bool:
        """Tell whether a segment is of this site's own streams."""
        return segment.stream.site == self._site

    def seal(self, db: Connection, segments: Sequence[Segment]) -> None:
        """Give segments sealed here their links, inside the transaction; twice is once."""
        self._add(db, filter(self.is_own, segments))

    def receive(self, db: Connection, segment: Segment) -> None:
        """Give a segment of a site below its link, once its bytes are here; twice is once."""
        if not self.is_own(segment):
            self._add(db, [segment])

    def _add(self, db: Connection, segments: Iterable[Segment]) -> None:
        """Link segments.

        Streams are taken in the order of their numbers, so that two nodes never wait for each
        other.
        """
        by_number: dict[int, dict[tuple[Instant, str], Segment]] = {}
        for one in segments:
            if not one.is_thin and one.digest:
                number = self._numbers.made(db, one.stream)
                by_number.setdefault(number, {})[one.start, one.writer] = one
        for number in sorted(by_number):
            self._add_to(db, number, by_number[number])

    def _add_to(
        self, db: Connection, stream_no: int, segments: dict[tuple[Instant, str], Segment]
    ) -> None:
        chain, link = schema.chain, schema.link
        self._database.upsert(db, chain, {"stream_no": stream_no, "number": 0, "head": GENESIS})
        query = select(chain).where(chain.c.stream_no == stream_no).with_for_update()
        state = db.execute(query).one()
        known = select(link.c.start_ns, link.c.writer).where(
            link.c.stream_no == stream_no,
            tuple_(link.c.start_ns, link.c.writer).in_(list(segments)),
        )
        for row in db.execute(known):
            del segments[row.start_ns, row.writer]
        number, head, rows = state.number, state.head, []
        for (start, writer), segment in segments.items():
            line = write_link(segment, number, head)
            rows.append(
                {
                    "stream_no": stream_no,
                    "start_ns": start,
                    "writer": writer,
                    "number": number,
                    "line": line,
                }
            )
            number, head = number + 1, head_of(line)
        if rows:
            db.execute(link.insert(), rows)
            own = update(chain).where(chain.c.stream_no == stream_no)
            db.execute(own.values(number=number, head=head))

    def take_back(self, lines: Sequence[bytes], batch: bytes, at: Instant) -> int:
        """Take logged links back whose segments are cataloged and have none.

        Returns how many; ``batch`` is empty where they are to be logged anew.
        """
        by_stream: dict[StreamId, list[tuple[bytes, Link]]] = {}
        for line in lines:
            link = read_link(line)
            by_stream.setdefault(link.stream, []).append((line, link))
        with self._database.write() as db:
            rows = [
                {**row, "batch": batch or None, "batch_ns": at if batch else None}
                for stream in sorted(by_stream)
                for part in _parts(by_stream[stream])
                for row in self._cataloged(db, stream, part)
            ]
            if rows:
                db.execute(schema.link.insert(), rows)
        return len(rows)

    def _cataloged(
        self, db: Connection, stream: StreamId, links: Sequence[tuple[bytes, Link]]
    ) -> list[dict[str, object]]:
        """Return the rows of links whose segments are here and have none.

        Also of those whose bytes are others now: that is for ``check`` to find.
        """
        seg, link, number = schema.segment, schema.link, self._numbers.known(db, stream)
        starts = [one.range.start for _, one in links]
        mine = select(link.c.start_ns, link.c.writer).where(
            link.c.stream_no == number, link.c.start_ns.in_(starts)
        )
        linked = {(row.start_ns, row.writer) for row in db.execute(mine)}
        columns = (seg.c.start_ns, seg.c.writer, seg.c.counter, seg.c.key)
        here = select(*columns).where(seg.c.stream_no == number, seg.c.start_ns.in_(starts))
        writers = {key_of(stream, row): row.writer for row in db.execute(here)}
        found: dict[tuple[Instant, str], dict[str, object]] = {}
        for line, one in links:
            writer = writers.get(one.key)
            own = (one.range.start, writer or "")
            if writer is not None and own not in linked:
                row = {"stream_no": number, "start_ns": own[0], "writer": writer}
                found[own] = {**row, "number": one.number, "line": line}
        return list(found.values())

    def go_on(self, heads: Mapping[StreamId, tuple[int, bytes]]) -> None:
        """Let chains go on from heads that were logged: (next number, head), where behind them."""
        chain = schema.chain
        with self._database.write() as db:
            numbered = {self._numbers.made(db, one): heads[one] for one in sorted(heads)}
            for stream_no, (number, head) in sorted(numbered.items()):
                own = {"stream_no": stream_no, "number": 0, "head": GENESIS}
                self._database.upsert(db, chain, own)
                behind = update(chain).where(
                    chain.c.stream_no == stream_no, chain.c.number < number
                )
                db.execute(behind.values(number=number, head=head))

    @staticmethod
    def forget(db: Connection, stream_no: int, segment: Segment) -> None:
        """Let go of the link of a segment that is gone, once it stands in the log."""
        link = schema.link
        db.execute(
            delete(link).where(
                link.c.stream_no == stream_no,
                link.c.start_ns == segment.start,
                link.c.writer == segment.writer,
                link.c.batch.is_not(None),
            )
        )

    def waiting(self, limit: int) -> list[ChainLink]:
        """Return links that stand in no batch yet, by stream and number."""
        link = schema.link
        query = _joined().where(link.c.batch.is_(None)).order_by(link.c.stream_no, link.c.number)
        with self._database.read() as db:
            return [_read(row) for row in db.execute(query.limit(limit))]

    def batch(self, root: bytes, at: Instant) -> list[ChainLink]:
        """Return the links that are here of a batch logged at an instant, in its order.

        By stream and time, which have an index: footage that waited longer is not found.
        """
        link, all_ = schema.link, select(schema.stream.c.stream_no)
        near = link.c.start_ns.between(at - WAITED, at + WAITED)
        query = (
            _joined()
            .where(link.c.stream_no.in_(all_), near, link.c.batch == root)
            .order_by(link.c.stream_no, link.c.number)
        )
        with self._database.read() as db:
            return [_read(row) for row in db.execute(query)]

    def log(self, links: Sequence[ChainLink], batch: bytes, at: Instant) -> None:
        """Note that links were logged in a batch; those whose segments went meanwhile go now."""
        link, seg = schema.link, schema.segment
        here = select(seg.c.writer).where(
            seg.c.stream_no == link.c.stream_no,
            seg.c.start_ns == link.c.start_ns,
            seg.c.writer == link.c.writer,
        )
        with self._database.write() as db:
            for numbered in self._numbered(db, links):
                own = tuple_(link.c.stream_no, link.c.start_ns, link.c.writer).in_(numbered)
                waiting = update(link).where(own, link.c.batch.is_(None))
                db.execute(waiting.values(batch=batch, batch_ns=at))
                db.execute(delete(link).where(own, ~here.exists()))

    def _numbered(
        self, db: Connection, links: Sequence[ChainLink]
    ) -> list[list[tuple[int | None, Instant, str]]]:
        found = [
            (self._numbers.known(db, one.id.stream), one.id.start, one.id.writer) for one in links
        ]
        return [found[at : at + AT_ONCE] for at in range(0, len(found), AT_ONCE)]

    def of(self, segments: Sequence[SegmentId]) -> list[ChainLink]:
        """Return the links of segments, by stream and number; of some there may be none."""
        link, found = schema.link, list[ChainLink]()
        with self._database.read() as db:
            for at in range(0, len(segments), AT_ONCE):
                named = [
                    (self._numbers.known(db, one.stream), one.start, one.writer)
                    for one in segments[at : at + AT_ONCE]
                ]
                own = tuple_(link.c.stream_no, link.c.start_ns, link.c.writer).in_(named)
                found += [_read(row) for row in db.execute(_joined().where(own))]
        return sorted(found, key=lambda one: (one.id.stream, one.number))


def _parts(links: Sequence[tuple[bytes, Link]]) -> list[Sequence[tuple[bytes, Link]]]:
    return [links[at : at + AT_ONCE] for at in range(0, len(links), AT_ONCE)]


def _joined() -> Select[object]:
    link, stream = schema.link, schema.stream
    columns = (stream.c.site, stream.c.camera, stream.c.stream)
    return select(link, *columns).join(stream, stream.c.stream_no == link.c.stream_no)


def _read(row: Row[object]) -> ChainLink:
    stream = StreamId(row.site, row.camera, row.stream)
    id_ = SegmentId(stream, row.start_ns, row.writer)
    return ChainLink(id_, row.number, row.line, row.batch or b"", row.batch_ns or 0)
