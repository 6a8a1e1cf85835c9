"""The inbox: what sites below said, taken in; of footage: :mod:`recorder.catalog.taken`."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, select

from recorder.catalog import schema
from recorder.catalog.anew import note_what_is_here
from recorder.catalog.changes import Changes, ways
from recorder.catalog.copy_rows import DOUBTED
from recorder.catalog.database import Database
from recorder.catalog.event_words import by_own_name, is_news
from recorder.catalog.events import write_event
from recorder.catalog.heard import take_next
from recorder.catalog.heard_gaps import hear_gaps
from recorder.catalog.numbers import StreamNumbers
from recorder.catalog.same_object import SameObject
from recorder.catalog.states import write_statuses
from recorder.catalog.taken import (
    KnownStream,
    known_streams,
    named_streams,
    take_segments,
)
from recorder.catalog.told import Key, Message
from recorder.catalog.told_rows import drop_bare, drop_copies, read_event, told_by, within
from recorder.model.keys import CameraId
from recorder.model.timebase import Instant
from recorder.ports import Numbered, StreamStatus


class SqlInbox:
    """A :class:`recorder.ports.Inbox`."""

    def __init__(self, database: Database, numbers: StreamNumbers, changes: Changes) -> None:
        self._database, self._numbers, self._changes = database, numbers, changes
        self._same = SameObject(database, changes)

    def apply(
        self,
        child: str,
        messages: Sequence[Message],
        at: Instant,
        numbered: Numbered | None = None,
    ) -> None:
        """Take in what a child site said; its places get its name in front.  Twice is once.

        Raises: ``StateError`` when ``numbered``, the message that it stands in, is not the newest.
        """
        by_kind: dict[str, list[Message]] = {}
        for message in messages:
            by_kind.setdefault(message["k"], []).append(message)
        with self._database.write() as db:
            if messages:
                take_next(self._database, db, child, numbered, at)
            told = [*by_kind.get("segment", []), *by_kind.get("gap", [])]
            streams = named_streams(self._numbers, db, {m["stream"] for m in told})
            self._known_through(db, child, streams.values())
            # what is gone may be of a stream that others speak of, or that nobody knows any more
            streams |= known_streams(db, {m["stream"] for m in by_kind.get("gone", [])})
            self._hear_cameras(db, child, by_kind.get("camera", []), at)
            said = by_kind.get("segment", [])
            numbers = {name: known.number for name, known in streams.items()}
            said = self._same.take_rests(db, child, said, numbers, at)
            self._same.give_way_to(db, said, numbers, at)
            taken = take_segments(self._database, db, child, said, streams, at)
            noted = [(number, start, at, writer) for number, start, writer in taken]
            self._changes.note_all(db, "segment", noted, at)
            gone = {
                (streams[m["stream"]].number, int(m["start"]), str(m["writer"]))
                for m in by_kind.get("gone", [])
                if m["stream"] in streams
            }
            self._hear_gone(db, child, gone)
            self._changes.note_all(
                db, "segment", [(number, start, at, writer) for number, start, writer in gone], at
            )
            for message in by_kind.get("gap", []):
                start, end = message["range"]
                number = streams[message["stream"]].number
                hear_gaps(self._database, db, message, number)
                self._changes.note(db, "gap", number, [(start, end, "")], at)
            self._hear_events(db, by_kind.get("event", []), at)

    def hear_states(
        self,
        child: str,
        statuses: Sequence[StreamStatus],
        at: Instant,
        numbered: Numbered | None = None,
    ) -> None:
        """Take in the states of streams that a child says.

        Raises: ``StateError`` when ``numbered`` is not its newest message: it said since how they
        are, and says it no more until they change.
        """
        if not statuses:
            return
        with self._database.write() as db:
            take_next(self._database, db, child, numbered, at)
            write_statuses(self._database, db, statuses)

    def begin_anew(self, child: str, at: Instant, numbered: Numbered | None = None) -> None:
        """Doubt all that is known of a child's places: it begins to tell all anew.

        Raises: ``StateError`` when ``numbered`` is not its newest message.
        """
        with self._database.write() as db:
            take_next(self._database, db, child, numbered, at)
            db.execute(schema.copy.update().where(*told_by(child)).values(verified_ns=DOUBTED))

    def end_anew(self, child: str, at: Instant, numbered: Numbered | None = None) -> int:
        """Forget what of a child's places is in doubt still; return how many copies.

        What became of it the child's gaps say.  It hears anew what of its footage lies here.
        Raises: ``StateError`` when ``numbered`` is not its newest message.
        """
        copy, seg = schema.copy, schema.segment
        columns = (copy.c.stream_no, copy.c.start_ns, copy.c.writer, copy.c.place)
        with self._database.write() as db:
            take_next(self._database, db, child, numbered, at)
            doubted = copy.c.verified_ns == DOUBTED
            found = db.execute(select(*columns).where(*told_by(child), doubted)).all()
            drop_copies(db, [{"n": n, "s": s, "w": w, "p": p} for n, s, w, p in found])
            keys: set[Key] = {(n, s, w) for n, s, w, _ in found}
            there = list(within(db, seg, keys, ("span_ns",), alone=True))
            drop_bare(db, there, keys)
            self._changes.note_all(db, "segment", [(n, s, at, w) for n, s, w in keys], at)
            note_what_is_here(db, child)
        return len(found)

    @staticmethod
    def _known_through(db: Connection, child: str, streams: Iterable[KnownStream]) -> None:
        """Remember which child speaks of a stream: it is told what becomes of copies here."""
        table = schema.stream
        moved: dict[str, list[int]] = {}
        for one in streams:
            if one.via != child:
                moved.setdefault(ways(one.before, one.via, child), []).append(one.number)
        for before, numbers in moved.items():
            for i in range(0, len(numbers), 500):
                some = table.c.stream_no.in_(numbers[i : i + 500])
                db.execute(table.update().where(some).values(via=child, before=before))

    def _hear_cameras(
        self, db: Connection, child: str, messages: Sequence[Message], at: Instant
    ) -> None:
        """Take in groups; a child that does not say whose camera it means speaks of its own."""
        said = {CameraId(m.get("site", child), m["name"]): m for m in messages}
        rows = [
            {**camera._asdict(), "group_name": m["group"], "about": m.get("about")}
            for camera, m in said.items()
        ]
        self._database.upsert(db, schema.member, rows, ("group_name", "about"))
        self._changes.note(db, "camera", None, [(0, 0, str(camera)) for camera in said], at)

    def _hear_gone(self, db: Connection, child: str, keys: set[Key]) -> None:
        """Drop the child's copies; a segment without any copy left is dropped, too."""
        there = list(within(db, schema.segment, keys, ("span_ns",), alone=True))
        drop_bare(db, there, keys, child)  # none gets a copy meanwhile

    def _hear_events(self, db: Connection, messages: Sequence[Message], at: Instant) -> None:
        for message in messages:
            event = by_own_name(db, read_event(message, at))
            if not is_news(db, event.event_id, event.site, event.version):
                continue
            image = message["image"]
            write_event(self._database, db, event, base64.b64decode(image) if image else None)
            self._changes.note(db, "event", None, [(0, 0, event.event_id)], at)
