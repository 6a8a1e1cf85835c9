"""The inbox: what sites below said, taken in.

A site below tells a few changes of each of its many streams all the time, and many changes of
few streams when it catches up.  Each step is therefore done for all streams together.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select

from recorder.catalog import schema
from recorder.catalog.anew import note_what_is_here
from recorder.catalog.changes import Changes, ways
from recorder.catalog.copy_rows import DOUBTED
from recorder.catalog.database import Database
from recorder.catalog.event_words import by_own_name, is_news
from recorder.catalog.events import write_event
from recorder.catalog.heard import take_next
from recorder.catalog.heard_gaps import close_covered, hear_gaps
from recorder.catalog.numbers import StreamNumbers
from recorder.catalog.spans import grow_spans
from recorder.catalog.states import write_statuses
from recorder.catalog.told import Key, Message, read_row
from recorder.catalog.told_rows import (
    drop_bare,
    drop_copies,
    key_of,
    read_event,
    stretch,
    told_by,
    within,
)
from recorder.model.keys import CameraId, StreamId
from recorder.model.places import beginning, seen_through
from recorder.model.timebase import Instant
from recorder.ports import Numbered, StreamStatus


@dataclass(frozen=True, slots=True)
class _Known:
    """A stream as the catalog has it."""

    number: int
    via: str
    before: str
    longest_ns: int


class SqlInbox:
    """A :class:`recorder.ports.Inbox`."""

    def __init__(self, database: Database, numbers: StreamNumbers, changes: Changes) -> None:
        self._database, self._numbers, self._changes = database, numbers, changes

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
            streams = self._streams(db, {m["stream"] for m in told})
            self._known_through(db, child, streams.values())
            # what is gone may be of a stream that others speak of, or that nobody knows any more
            streams |= self._known(db, {m["stream"] for m in by_kind.get("gone", [])})
            self._hear_cameras(db, child, by_kind.get("camera", []), at)
            self._hear_segments(db, child, by_kind.get("segment", []), streams, at)
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

    def _streams(self, db: Connection, names: Iterable[str]) -> dict[str, _Known]:
        """Return the named streams; new ones are numbered."""
        wanted = set(names)
        found = self._known(db, wanted)
        for name in sorted(wanted - found.keys()):
            found[name] = _Known(self._numbers.made(db, StreamId(*name.split("/"))), "", "", 0)
        return found

    @staticmethod
    def _known(db: Connection, names: Iterable[str]) -> dict[str, _Known]:
        """Return those of the named streams that there are, in one query."""
        table = schema.stream
        wanted = {name: StreamId(*name.split("/")) for name in sorted(names)}
        found: dict[str, _Known] = {}
        cameras = sorted({one.camera for one in wanted.values()})
        for i in range(0, len(cameras), 500):
            query = select(table).where(table.c.camera.in_(cameras[i : i + 500]))
            for row in db.execute(query):
                name = f"{row.site}/{row.camera}/{row.stream}"
                if name in wanted:
                    found[name] = _Known(row.stream_no, row.via, row.before, row.longest_ns)
        return found

    @staticmethod
    def _known_through(db: Connection, child: str, streams: Iterable[_Known]) -> None:
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

    def _hear_segments(
        self,
        db: Connection,
        child: str,
        messages: Sequence[Message],
        streams: Mapping[str, _Known],
        at: Instant,
    ) -> None:
        configs: dict[tuple[object, ...], int] = {}
        segments, copies = list[Message](), list[Message]()
        spans: dict[Key, Message] = {}
        longest = {known.number: known.longest_ns for known in streams.values()}
        grown: set[int] = set()
        for message in messages:
            number = streams[message["stream"]].number
            config = tuple(message["config"])
            if config not in configs:
                configs[config] = self._config_no(db, config)
            row = read_row(message["row"])
            segments.append({**row, "stream_no": number, "config_no": configs[config]})
            own = {"stream_no": number, "start_ns": row["start_ns"], "writer": row["writer"]}
            copies += [
                {
                    **own,
                    "place": seen_through(child, place),
                    "etag": etag,
                    "verified_ns": max(verified, DOUBTED + 1),
                    "condemned_ns": condemned,
                    "deleting_ns": None,
                    "damaged_ns": at if place in message.get("damaged", ()) else None,
                }
                for place, etag, verified, condemned in message["copies"]
            ]
            stretch(spans, number, row, config[1])
            length = row["end_ns"] - row["start_ns"]
            if length > longest[number]:
                longest[number] = length
                grown.add(number)
        self._database.upsert(db, schema.segment, segments)
        _date(db, messages, segments)
        self._forget_places(db, child, segments, copies)
        told = ("etag", "verified_ns", "condemned_ns", "damaged_ns")
        self._database.upsert(db, schema.copy, copies, told)
        grow_spans(self._database, db, list(spans.values()))
        self._lengthen(db, {number: longest[number] for number in grown})
        close_covered(self._database, db, segments)
        noted = [(one["stream_no"], one["start_ns"], at, one["writer"]) for one in segments]
        self._changes.note_all(db, "segment", noted, at)

    def _config_no(self, db: Connection, config: tuple[object, ...]) -> int:
        names = ("decoder_digest", "codecs", "width", "height")
        values = dict(zip(names, config, strict=True))
        return self._database.number(db, schema.config, values, "config_no")

    @staticmethod
    def _forget_places(
        db: Connection, child: str, segments: Sequence[Message], copies: Sequence[Message]
    ) -> None:
        """Drop what the child said before of these segments; it says all its copies anew."""
        copy = schema.copy
        said = {(*key_of(row), row["place"]) for row in copies}
        theirs = copy.c.place.startswith(beginning(child), autoescape=True)
        gone = [
            {"n": row[0], "s": row[1], "w": row[2], "p": row[3]}
            for row in within(db, copy, map(key_of, segments), ("place",), theirs)
            if tuple(row) not in said
        ]
        drop_copies(db, gone)

    @staticmethod
    def _lengthen(db: Connection, longest: Mapping[int, int]) -> None:
        """Remember how long the longest segment of a stream is; queries look so far back."""
        table = schema.stream
        rows = [{"n": number, "l": length} for number, length in longest.items()]
        if rows:
            own = (table.c.stream_no == bindparam("n"), table.c.longest_ns < bindparam("l"))
            db.execute(table.update().where(*own).values(longest_ns=bindparam("l")), rows)

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


def _date(db: Connection, messages: Sequence[Message], rows: Sequence[Message]) -> None:
    """Remember when footage was committed whose own time is that of a clock that was wrong."""
    seg = schema.segment
    for message, row in zip(messages, rows, strict=True):
        if message.get("committed") is not None:
            own = (
                getattr(seg.c, name) == row[name] for name in ("stream_no", "start_ns", "writer")
            )
            db.execute(seg.update().where(*own).values(committed_ns=message["committed"]))
