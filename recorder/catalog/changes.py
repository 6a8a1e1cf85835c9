"""What changed is noted in the transaction that changes it: for the parent, and for sites below.

Only what changed is noted, not how: it is told as it is when it is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlalchemy import Connection, insert, select

from recorder.catalog import schema
from recorder.catalog.database import Database
from recorder.model.places import ELSEWHERE_LIKE, parse_place
from recorder.model.timebase import Instant


class Changes:
    """Notes for the outbox (upward, where there is a parent) and notices (downward)."""

    def __init__(self, database: Database, *, upward: bool) -> None:
        self._database, self._upward = database, upward

    def note(
        self,
        db: Connection,
        kind: str,
        stream_no: int | None,
        rows: Iterable[tuple[Instant, Instant, str]],
        at: Instant,
    ) -> None:
        """Note (start, end, name) of what changed, for the parent."""
        self.note_all(db, kind, [(stream_no, *row) for row in rows], at)

    def note_all(
        self,
        db: Connection,
        kind: str,
        rows: Iterable[tuple[int | None, Instant, Instant, str]],
        at: Instant,
    ) -> None:
        """Note (stream number, start, end, name) of what changed, of many streams together."""
        if not self._upward:
            return
        noted = [
            {
                "kind": kind,
                "stream_no": number,
                "start_ns": start,
                "end_ns": end,
                "name": name,
                "at_ns": at,
            }
            for number, start, end, name in rows
        ]
        self._database.upsert(db, schema.outbox, noted)

    def note_below(
        self,
        db: Connection,
        number: int,
        keys: Iterable[tuple[Instant, str]],
        *,
        lost: bool = False,
    ) -> None:
        """Note that copies changed: for the child that the stream is known through, if any, for
        those that it was known through before, and for all that have a copy, too.

        No clock says that one of them is gone for good: a person does (:mod:`.departing`).
        ``lost``: no policy let them go.
        """
        stream = schema.stream.c
        query = select(stream.via, stream.before).where(stream.stream_no == number)
        via, before = db.execute(query).one_or_none() or ("", "")
        if not via:
            return
        told = {via, *before.split("/")} - {""}
        rows = [
            {
                "child": child,
                "stream_no": number,
                "start_ns": start,
                "writer": writer,
                "lost": lost,
            }
            for start, writer in keys
            for child in sorted(told.union(_children_with(db, number, start, writer)))
        ]
        if rows:
            db.execute(insert(schema.downward), rows)


def ways(before: str, via: str, child: str) -> str:
    """Return which children a stream was known through before, now that it is through ``child``.

    >>> ways("", "", "sub0"), ways("", "sub0", "sub1"), ways("sub0/sub2", "sub1", "sub0")
    ('', 'sub0', 'sub1/sub2')
    """
    return "/".join(sorted({*before.split("/"), via} - {"", child}))


def _children_with(db: Connection, number: int, start: Instant, writer: str) -> Iterator[str]:
    """Yield the children at, or below, which a segment has a copy."""
    copy = schema.copy
    mine = (copy.c.stream_no == number, copy.c.start_ns == start, copy.c.writer == writer)
    query = select(copy.c.place).where(*mine, copy.c.place.like(ELSEWHERE_LIKE))
    for place in map(parse_place, db.execute(query).scalars()):
        if not (place.above or place.former):
            yield place.next_site
