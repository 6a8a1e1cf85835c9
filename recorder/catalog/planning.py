"""What plans are made from: all living copies as columns, and copies by what names them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    case,
    func,
    literal,
    not_,
    or_,
    select,
    tuple_,
)

from recorder.catalog import schema
from recorder.catalog.copy_rows import (
    CONFIG,
    DOUBTED,
    ON_SEGMENT,
    SEGMENT_KEY,
    not_begun,
    read_copy,
    read_joined,
    select_copies,
)
from recorder.catalog.database import Database
from recorder.catalog.numbers import StreamNumbers
from recorder.catalog.rows import read_segment
from recorder.catalog.told import CLOCKS_DIFFER
from recorder.model.copies import CopyColumns
from recorder.model.keys import StreamId
from recorder.model.media import Copy, SegmentId
from recorder.model.places import PARENT, beginning
from recorder.model.timebase import Instant
from recorder.ports import Stored, StreamStored

PAGE = 10_000
MOST_NUMBERS = 500
"""So many streams are asked for at once: a statement takes so many parameters."""


_NOBODYS = StreamId("", "", "")
"""Of copies whose stream is not known any more: no rule is of them, and ``check`` names them."""


class SqlPlanning:
    """A :class:`recorder.ports.Planning`."""

    def __init__(self, database: Database, numbers: StreamNumbers) -> None:
        self._database, self._numbers = database, numbers

    def copy_columns(
        self,
        place: str,
        above: bool = False,
        before: Instant | None = None,
        after: Instant | None = None,
        condemned: bool = False,
        elsewhere: Mapping[str, Instant] | None = None,
    ) -> list[CopyColumns]:
        """Return all living copies at a place as columns, one set a stream.

        ``above``: mark the copies that live, or lived, at levels above too.
        ``before``, ``after``: only footage that began before this, or after.
        ``condemned``: also the copies whose deletion has not begun, of any time.
        ``elsewhere``: mark the copies that live, and are not known to be damaged, in these stores,
        where they were verified since.
        """
        lanes: dict[int, CopyColumns] = {}
        with self._database.read() as db:
            names = {
                row.stream_no: StreamId(row.site, row.camera, row.stream)
                for row in db.execute(select(schema.stream))
            }
            query = _columns(place, before, after, condemned).execution_options(yield_per=PAGE)
            for part in db.execute(query).partitions():
                for number, start, end, size, writer, committed, *marks, key in part:
                    lane = lanes.get(number)
                    if lane is None:
                        lane = lanes[number] = CopyColumns(names.get(number, _NOBODYS))
                    if committed is not None and abs(committed - end) > CLOCKS_DIFFER:
                        lane.since[len(lane)] = max(committed, end)
                    known = (lane.condemned, lane.refused, lane.damaged)
                    for places, mark in zip(known, marks, strict=True):
                        if mark is not None:
                            places.add(len(lane))
                    if key is not None and not key.startswith(f"{lane.stream}/"):
                        lane.named_otherwise.add(len(lane))
                    lane.add(start, end, size, writer)
            if above:
                _mark_copied(db, lanes)
            for store, since in (elsewhere or {}).items():
                _mark_elsewhere(db, lanes, store, since)
        return [lane for number, lane in lanes.items() if number in names]

    def copies_by_id(self, place: str, names: Sequence[SegmentId]) -> list[Copy]:
        """Return the copies at a place that (stream, start, writer) name."""
        table, seg = schema.copy, schema.segment
        found = []
        with self._database.read() as db:
            for i in range(0, len(names), 200):
                by_id = {
                    (self._numbers.known(db, stream), start, writer): stream
                    for stream, start, writer in names[i : i + 200]
                }
                columns = tuple_(table.c.stream_no, table.c.start_ns, table.c.writer)
                query = (
                    select(table, seg, *CONFIG)
                    .join(seg, ON_SEGMENT)
                    .join(schema.config, schema.config.c.config_no == seg.c.config_no)
                    .where(table.c.place == place, columns.in_(list(by_id)))
                )
                for row in db.execute(query):
                    stream = by_id[(row.stream_no, row.start_ns, row.writer)]
                    found.append(read_copy(read_segment(stream, row), row))
        return found

    def copies_at(
        self, place: str, after: SegmentId | None, limit: int, condemned: bool = False
    ) -> list[Copy]:
        """Page through the copies at a place, stream by stream, by start.

        ``after``: stream, start and writer of the last one seen.
        """
        columns = [schema.copy.c[name] for name in SEGMENT_KEY]
        query = select_copies(place).order_by(*columns).limit(limit)
        if condemned:
            query = query.where(schema.copy.c.condemned_ns.is_not(None))
        with self._database.read() as db:
            if after is not None:
                number = self._numbers.known(db, after[0])
                query = query.where(tuple_(*columns) > tuple_(*map(literal, (number, *after[1:]))))
            return [read_joined(row) for row in db.execute(query)]

    def going_bytes(self, place: str, since: Instant, now: Instant) -> tuple[int, int]:
        """Return the bytes of which the deletion has begun, and those condemned ``since``.

        The second counts what is deleted by now, too, and leaves out what was taken back, and what
        was condemned later than ``now``: by a clock that was ahead.
        """
        table, seg, log = schema.copy, schema.segment, schema.audit
        begun = (
            select(func.sum(seg.c.size_bytes))
            .select_from(table)
            .join(seg, ON_SEGMENT)
            .where(table.c.place == place, table.c.condemned_ns.is_not(None))
            .where(not_(not_begun()))
        )
        sign = case((log.c.action == "condemn", 1), (log.c.action == "spare", -1), else_=0)
        lately = select(func.sum(sign * log.c.size_bytes)).where(
            log.c.place == place, log.c.at_ns > since, log.c.at_ns <= now
        )
        with self._database.read() as db:
            return int(db.execute(begun).scalar() or 0), int(db.execute(lately).scalar() or 0)

    def stored(self, place: str, since: Instant, lately: Instant, now: Instant) -> Stored:
        """Add up all copies at a place: not to be asked each second.

        ``since``, ``lately``: from when on footage counts as recent, and as of late; what begins
        after ``now`` is neither.
        """
        copy, size = schema.copy, schema.segment.c.size_bytes
        come = copy.c.start_ns <= now
        recent, late = and_(come, copy.c.start_ns > since), and_(come, copy.c.start_ns > lately)
        query = (
            select(
                func.sum(size),
                func.sum(case((recent, size), else_=0)),
                func.sum(case((late, size), else_=0)),
                func.min(case((recent, copy.c.start_ns))),
            )
            .select_from(copy)
            .join(schema.segment, ON_SEGMENT)
            .where(copy.c.place == place)
        )
        with self._database.read() as db:
            total, some, few, oldest = db.execute(query).one()
            return Stored(int(total or 0), int(some or 0), int(few or 0), oldest)

    def by_stream(self, place: str) -> list[StreamStored]:
        """Add up all copies at a place, stream by stream: reads every row of it."""
        table, seg, stream = schema.copy, schema.segment, schema.stream
        marked = case((table.c.condemned_ns.is_not(None), seg.c.size_bytes), else_=0)
        names = (stream.c.site, stream.c.camera, stream.c.stream)
        sums = (
            func.count(),
            func.sum(seg.c.size_bytes),
            func.sum(marked),
            func.min(seg.c.start_ns),
            func.max(seg.c.end_ns),
        )
        query = (
            select(*names, *sums)
            .select_from(table)
            .join(seg, ON_SEGMENT)
            .join(stream, stream.c.stream_no == table.c.stream_no)
            .where(table.c.place == place)
            .group_by(*names)
            .order_by(*names)
        )
        with self._database.read() as db:
            return [
                StreamStored(StreamId(*row[:3]), row[3], int(row[4]), int(row[5]), row[6], row[7])
                for row in db.execute(query)
            ]

    def newest(self) -> Instant | None:
        """Return when the newest footage of this site and those below began."""
        seg, stream = schema.segment, schema.stream
        last = select(func.max(seg.c.start_ns)).where(seg.c.stream_no == stream.c.stream_no)
        query = select(last.correlate(stream).scalar_subquery()).select_from(stream)
        with self._database.read() as db:
            return max(
                (one for one in db.execute(query).scalars() if one is not None), default=None
            )


def _columns(
    place: str, before: Instant | None, after: Instant | None, condemned: bool
) -> Select[Any]:
    copy, seg = schema.copy, schema.segment
    living: list[ColumnElement[bool]] = [copy.c.condemned_ns.is_(None)]
    if before is not None:
        living.append(copy.c.start_ns < before)
    if after is not None:
        living.append(copy.c.start_ns > after)
    wanted: ColumnElement[bool] = and_(*living)
    if condemned:
        marked = and_(copy.c.condemned_ns.is_not(None), not_begun())
        wanted = or_(wanted, marked)
    columns = (seg.c.end_ns, seg.c.size_bytes, copy.c.writer, seg.c.committed_ns)
    marks = (copy.c.condemned_ns, copy.c.deleting_ns, copy.c.damaged_ns)
    return (
        select(copy.c.stream_no, copy.c.start_ns, *columns, *marks, seg.c.key)
        .join(seg, ON_SEGMENT)
        .where(copy.c.place == place, wanted, seg.c.end_ns >= copy.c.start_ns)  # else not judged
        .order_by(copy.c.stream_no, copy.c.start_ns, copy.c.writer)
    )


def _mark_copied(db: Connection, lanes: dict[int, CopyColumns]) -> None:
    """Mark what of lanes is above; looks at their streams and times only, by the key."""
    there: dict[int, set[tuple[int, str]]] = {}
    was: dict[int, set[tuple[int, str]]] = {}
    above = and_(
        schema.copy.c.place.startswith(beginning(PARENT), autoescape=True),
        schema.copy.c.verified_ns > DOUBTED,
    )
    for number, start, writer, condemned, _ in _others(db, lanes, above):
        known = there if condemned is None else was
        known.setdefault(number, set()).add((start, writer))
    for number in there.keys() | was.keys():
        lanes[number].mark_above(there.get(number, set()), was.get(number, set()))


def _mark_elsewhere(
    db: Connection, lanes: dict[int, CopyColumns], store: str, since: Instant
) -> None:
    """Mark what of lanes lives in another store of this site, as far as is known whole."""
    there: dict[int, set[tuple[int, str]]] = {}
    proven = and_(schema.copy.c.place == store, schema.copy.c.verified_ns > since)
    for number, start, writer, condemned, damaged in _others(db, lanes, proven):
        if condemned is None and damaged is None:
            there.setdefault(number, set()).add((start, writer))
    for number, known in there.items():
        lane = lanes[number]
        named = enumerate(zip(lane.starts, lane.writers, strict=True))
        lane.elsewhere[store] = {i for i, name in named if name in known}


def _others(
    db: Connection, lanes: dict[int, CopyColumns], where: ColumnElement[bool]
) -> Iterator[Any]:
    """Yield stream, start, writer and marks of copies at other places, of lanes' footage."""
    if not lanes:
        return
    copy = schema.copy
    columns = (copy.c.stream_no, copy.c.start_ns, copy.c.writer)
    query = select(*columns, copy.c.condemned_ns, copy.c.damaged_ns).where(
        copy.c.stream_no.in_(bindparam("numbers", expanding=True)),
        copy.c.start_ns >= min(lane.starts[0] for lane in lanes.values()),
        copy.c.start_ns <= max(lane.starts[-1] for lane in lanes.values()),
        where,
    )
    streams = list(lanes)
    for i in range(0, len(streams), MOST_NUMBERS):
        yield from db.execute(query, {"numbers": streams[i : i + MOST_NUMBERS]})
