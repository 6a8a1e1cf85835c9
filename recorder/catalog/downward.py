"""Word for sites below: which copies of their footage live here and above, when that changes.

A child learns by itself that a copy has arrived; what this site lets go it must be told.  As
with the feed, what is noted is *what* changed, and it is told as it is when it is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from recorder.catalog import schema
from recorder.catalog.marks import Marks
from recorder.model.keys import StreamId
from recorder.model.media import Copy
from recorder.model.places import PARENT, parse_place, seen_through
from recorder.model.timebase import Instant, TimeRange

Message = dict[str, Any]


class Downward(Marks):
    """The queries on word for sites below; :class:`recorder.catalog.sql.SqlCatalog` has them."""

    def take_word(self, child: str, limit: int) -> list[Message]:
        """Return the oldest word for a child, by number, and what is to be told."""
        table, stream = schema.downward, schema.stream
        query = (
            select(table, stream.c.site, stream.c.camera, stream.c.stream)
            .join(stream, stream.c.stream_no == table.c.stream_no)
            .where(table.c.child == child)
            .order_by(table.c.seq)
            .limit(limit)
        )
        with self.database.read() as db:
            return [
                {
                    "seq": row.seq, "stream": f"{row.site}/{row.camera}/{row.stream}",
                    "start": row.start_ns, "writer": row.writer,
                    "places": self._places_here(db, row.stream_no, row.start_ns, row.writer),
                }
                for row in db.execute(query).all()
            ]  # fmt: skip

    def drop_word(self, child: str, numbers: Sequence[int]) -> None:
        """Forget word that a child has taken in; never another's."""
        table = schema.downward
        with self.database.write() as db:
            for i in range(0, len(numbers), 500):
                some = numbers[i : i + 500]
                db.execute(delete(table).where(table.c.child == child, table.c.seq.in_(some)))

    def hear_word(self, messages: Sequence[Message], at: Instant) -> None:
        """Take in what the parent said of copies above; twice is once."""
        for message in messages:
            stream = StreamId(*message["stream"].split("/"))
            start, writer = int(message["start"]), str(message["writer"])
            places = [seen_through(PARENT, str(place)) for place in message["places"]]
            alone = self._hear_one(stream, start, writer, places, at)
            if alone:  # it was the last copy anywhere
                found = self.segments(stream, TimeRange(start, start + 1))
                gone = [one for one in found if (one.start, one.writer) == (start, writer)]
                self.forget([Copy(one, place) for one in gone for place in alone], "purged")

    def _hear_one(
        self, stream: StreamId, start: Instant, writer: str, places: Sequence[str], at: Instant
    ) -> list[str]:
        """Bring what is known of copies above up to date; return places to forget entirely."""
        copy, seg = schema.copy, schema.segment
        with self.database.write() as db:
            number = self._known_no(db, stream)
            own = (seg.c.stream_no == number, seg.c.start_ns == start, seg.c.writer == writer)
            if number is None or db.execute(select(seg.c.counter).where(*own)).first() is None:
                return []
            mine = (copy.c.stream_no == number, copy.c.start_ns == start, copy.c.writer == writer)
            known = list(db.execute(select(copy.c.place).where(*mine)).scalars())
            above = [place for place in known if parse_place(place).above]
            if not places and len(above) == len(known):
                return above
            if places:
                gone = [place for place in above if place not in places]
                db.execute(delete(copy).where(*mine, copy.c.place.in_(gone)))
                rows = [
                    {"stream_no": number, "start_ns": start, "writer": writer, "place": place,
                     "etag": "", "verified_ns": at, "condemned_ns": None}
                    for place in places
                ]  # fmt: skip
                self.database.upsert(db, copy, rows, ("condemned_ns",))
            else:  # remembered as let go: it is not sent again
                there = (*mine, copy.c.place.in_(above), copy.c.condemned_ns.is_(None))
                db.execute(update(copy).where(*there).values(condemned_ns=at))
            self.note_down(db, number, [(start, writer)])
        return []

    def _places_here(self, db: Connection, number: int, start: Instant, writer: str) -> list[str]:
        """Return the living copies in this site's stores and above it."""
        copy = schema.copy
        query = select(copy.c.place).where(
            copy.c.stream_no == number, copy.c.start_ns == start, copy.c.writer == writer,
            copy.c.condemned_ns.is_(None),
        )  # fmt: skip
        places = map(parse_place, db.execute(query).scalars())
        return sorted(str(one) for one in places if one.above or one.own_store)

    def note_down(self, db: Connection, number: int, keys: Iterable[tuple[Instant, str]]) -> None:
        """Note that copies changed, for the child that the stream is known through, if any."""
        stream, table = schema.stream, schema.downward
        via = db.execute(select(stream.c.via).where(stream.c.stream_no == number)).scalar()
        rows = [
            {"child": via, "stream_no": number, "start_ns": start, "writer": writer}
            for start, writer in keys
        ]
        if via and rows:
            db.execute(insert(table), rows)
