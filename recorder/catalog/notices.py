"""Notices for sites below: which copies of their footage live here and above, when that changes.

A child learns by itself that a copy has arrived; what this site lets go it must be told.  As
with the outbox, what is noted is *what* changed, and it is told as it is when it is told.  One
whose catalog was lost has forgotten what it had let go itself: it says which it does not know, and
is told these segments whole.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, and_, delete, not_, select, update

from recorder.catalog import schema
from recorder.catalog.changes import Changes
from recorder.catalog.commits import SqlCommits
from recorder.catalog.copy_rows import DOUBTED, SEGMENT_KEY, let_go_above, this_segment
from recorder.catalog.database import Database
from recorder.catalog.footage import segments_in
from recorder.catalog.numbers import StreamNumbers
from recorder.catalog.said import rows_to_say, segment_said
from recorder.catalog.same_object import is_made, name_told, others_of
from recorder.catalog.taken import named_streams, take_segments
from recorder.catalog.told import Message
from recorder.catalog.told_rows import within
from recorder.model.causes import Cause
from recorder.model.keys import StreamId
from recorder.model.media import Copy, Segment
from recorder.model.places import PARENT, parse_place, seen_through
from recorder.model.timebase import Instant, TimeRange


class SqlNotices:
    """A :class:`recorder.ports.Notices`."""

    def __init__(
        self, database: Database, numbers: StreamNumbers, changes: Changes, commits: SqlCommits
    ) -> None:
        self._database, self._numbers = database, numbers
        self._changes, self._commits = changes, commits

    def pending(self, child: str, limit: int, unknown: Collection[int] = ()) -> list[Message]:
        """Return the oldest notices for a child, by number, and what is to be told.

        ``unknown``: numbers of those whose segments it does not know: it is told them, too.
        """
        table, stream = schema.downward, schema.stream
        seg = schema.segment
        there = (getattr(seg.c, name) == getattr(table.c, name) for name in SEGMENT_KEY)
        query = (
            select(table, stream.c.site, stream.c.camera, stream.c.stream, seg.c.digest)
            .join(stream, stream.c.stream_no == table.c.stream_no)
            .outerjoin(seg, and_(*there))
            .where(table.c.child == child)
            .order_by(table.c.seq)
            .limit(limit)
        )
        with self._database.read() as db:
            return [
                {
                    "seq": row.seq,
                    "stream": f"{row.site}/{row.camera}/{row.stream}",
                    "start": row.start_ns,
                    "writer": row.writer,
                    **({"lost": True} if row.lost else {}),
                    **({"digest": bytes(row.digest).hex()} if row.digest else {}),
                    **_places_here(db, row.stream_no, row.start_ns, row.writer),
                    **(
                        _segment_here(db, row.stream_no, row.writer, row.start_ns)
                        if row.seq in unknown
                        else {}
                    ),
                }
                for row in db.execute(query).all()
            ]

    def acknowledge(self, child: str, numbers: Sequence[int]) -> None:
        """Forget notices that a child has taken in; never another's."""
        table = schema.downward
        with self._database.write() as db:
            for i in range(0, len(numbers), 500):
                some = numbers[i : i + 500]
                db.execute(delete(table).where(table.c.child == child, table.c.seq.in_(some)))

    def apply(self, messages: Sequence[Message], at: Instant) -> list[int]:
        """Take in what the parent said of copies above; twice is once.

        Returns the numbers of what lies above, and is not known here: nor was it said whole.
        """
        with self._database.write() as db:
            whole = [one for one in messages if one.get("segment") and one["places"]]
            self._take(db, whole, at)
            return [int(one["seq"]) for one in messages if not self._apply_one(db, one, at)]

    def _take(self, db: Connection, messages: Sequence[Message], at: Instant) -> None:
        """Take in what lies above and was forgotten here; what is known stays as it is."""
        if not messages:
            return
        streams = named_streams(self._numbers, db, {message["stream"] for message in messages})
        asked = {
            (streams[one["stream"]].number, int(one["start"]), str(one["writer"])): one
            for one in messages
        }
        known = {tuple(row) for row in within(db, schema.segment, asked, ())}
        said = [
            {
                **one["segment"],
                "stream": one["stream"],
                "copies": [[place, "", at, None] for place in one["places"]],
            }
            for key, one in asked.items()
            if self._is_news(db, key[0], one, known=key in known)
        ]
        for one in said:
            number = streams[one["stream"]].number
            self._commits.same.give_way(db, number, name_told(one), at)
        take_segments(self._database, db, PARENT, said, streams, at)

    @staticmethod
    def _is_news(db: Connection, number: int, message: Message, *, known: bool) -> bool:
        """Tell whether a segment is not known here, or no more than what is left of its object."""
        named = name_told({**message["segment"], "stream": message["stream"]})
        others = others_of(db, number, named)
        return all(is_made(db, row) for row in others) if others else not known

    def _apply_one(self, db: Connection, message: Message, at: Instant) -> bool:
        """Take in one; tell whether its segment is known, or there is nothing to know of it."""
        stream = StreamId(*message["stream"].split("/"))
        start, writer = int(message["start"]), str(message["writer"])
        number = self._numbers.known(db, stream)
        found = segments_in(db, number, stream, TimeRange(start, start + 1))
        segment = next((one for one in found if (one.start, one.writer) == (start, writer)), None)
        if number is None or segment is None:
            return not message["places"]
        if message["places"] and message.get("digest", segment.digest) != segment.digest:
            return bool(message.get("segment"))  # one of us knows only what is left of it
        places = [seen_through(PARENT, str(place)) for place in message["places"]]
        mine = this_segment(number, segment)
        known = list(db.execute(select(schema.copy.c.place).where(*mine)).scalars())
        above = [place for place in known if parse_place(place).above]
        lost = bool(message.get("lost")) and not message.get("going")
        if message.get("doubted") and not places:
            self._doubt(db, number, segment, above, here=any(parse_place(p).own for p in known))
        elif not (places or message.get("going")) and len(above) == len(known):  # the last anywhere
            for place in above:
                cause = Cause.LOST if lost else Cause.PURGED
                self._commits.forget_one(db, Copy(segment, place), cause)
        elif lost and not places:  # nobody let it go: what is elsewhere is sent again
            db.execute(delete(schema.copy).where(*mine, schema.copy.c.place.in_(above)))
            self._changes.note_below(db, number, [(start, writer)], lost=True)
        elif places:
            self._now_at(db, number, segment, places, set(above) - set(places), at)
            self._changes.note_below(db, number, [(start, writer)])
        else:  # remembered as let go, or about to go: it is not sent again
            copy = schema.copy
            there = (*mine, copy.c.place.in_(above), copy.c.condemned_ns.is_(None))
            db.execute(update(copy).where(*there).values(condemned_ns=at))
            if not message.get("going"):  # with the last copy here nothing is left
                there = (*mine, copy.c.place.in_(above), copy.c.deleting_ns.is_(None))
                db.execute(update(copy).where(*there).values(deleting_ns=at))
            self._changes.note_below(db, number, [(start, writer)])
        return True

    def _doubt(
        self, db: Connection, number: int, segment: Segment, above: Collection[str], *, here: bool
    ) -> None:
        """Believe no more that a segment lies above; what has a copy ``here`` is sent again."""
        copy = schema.copy
        there = (*this_segment(number, segment), copy.c.place.in_(above))
        if here:
            db.execute(delete(copy).where(*there))
        else:
            db.execute(update(copy).where(*there).values(verified_ns=DOUBTED))
        self._changes.note_below(db, number, [(segment.start, segment.writer)])

    def _now_at(
        self,
        db: Connection,
        number: int,
        segment: Segment,
        places: Sequence[str],
        gone: Collection[str],
        at: Instant,
    ) -> None:
        copy, mine = schema.copy, this_segment(number, segment)
        db.execute(delete(copy).where(*mine, copy.c.place.in_(gone)))
        rows = [
            {
                "stream_no": number,
                "start_ns": segment.start,
                "writer": segment.writer,
                "place": place,
                "etag": "",
                "verified_ns": at,
                "condemned_ns": None,
                "deleting_ns": None,
            }
            for place in places
        ]
        self._database.upsert(db, copy, rows, ("verified_ns", "condemned_ns", "deleting_ns"))


def _segment_here(db: Connection, number: int, writer: str, start: Instant) -> Message:
    """Say the segment of a notice whole, if there is one."""
    rows = rows_to_say(db, number, writer, [start])
    return {"segment": segment_said(rows[0], "", [])} if rows else {}


def _places_here(db: Connection, number: int, start: Instant, writer: str) -> Message:
    """Say which copies live in this site's stores and above it, and which only may.

    ``going``: those that a policy has let go, and may take back until they are deleted.
    """
    copy = schema.copy
    columns = (copy.c.place, copy.c.verified_ns, copy.c.condemned_ns, copy.c.damaged_ns)
    mine = (copy.c.stream_no == number, copy.c.start_ns == start, copy.c.writer == writer)
    query = select(*columns).where(*mine, not_(let_go_above()))
    said: dict[str, list[str]] = {"places": []}
    for place, verified, condemned, damaged in db.execute(query.order_by(copy.c.place)):
        at = parse_place(place)
        if condemned is not None:
            if at.above or at.own_store:
                said.setdefault("going", []).append(place)
        elif at.former or (at.above and verified <= DOUBTED) or (at.own_store and damaged):
            said.setdefault("doubted", []).append(place)
        elif at.above or at.own_store:
            said["places"].append(place)
    return said
