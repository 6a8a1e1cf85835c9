"""Segments that another site says, taken in: from one below, or from above what was forgotten.

A site says a few of each of many streams all the time, and many of few streams when it catches
up.  Each step is therefore done for all streams together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select

from recorder.catalog import schema
from recorder.catalog.copy_rows import DOUBTED
from recorder.catalog.database import Database
from recorder.catalog.heard_gaps import close_covered
from recorder.catalog.numbers import StreamNumbers
from recorder.catalog.spans import grow_spans
from recorder.catalog.told import Key, Message, read_row
from recorder.catalog.told_rows import drop_copies, key_of, stretch, within
from recorder.model.keys import StreamId
from recorder.model.places import beginning, seen_through
from recorder.model.timebase import Instant


@dataclass(frozen=True, slots=True)
class KnownStream:
    """A stream as the catalog has it."""

    number: int
    via: str
    before: str
    longest_ns: int


def known_streams(db: Connection, names: Iterable[str]) -> dict[str, KnownStream]:
    """Return those of the named streams that there are, in one query."""
    table = schema.stream
    wanted = {name: StreamId(*name.split("/")) for name in sorted(names)}
    found: dict[str, KnownStream] = {}
    cameras = sorted({one.camera for one in wanted.values()})
    for i in range(0, len(cameras), 500):
        query = select(table).where(table.c.camera.in_(cameras[i : i + 500]))
        for row in db.execute(query):
            name = f"{row.site}/{row.camera}/{row.stream}"
            if name in wanted:
                found[name] = KnownStream(row.stream_no, row.via, row.before, row.longest_ns)
    return found


def named_streams(
    numbers: StreamNumbers, db: Connection, names: Iterable[str]
) -> dict[str, KnownStream]:
    """Return the named streams; new ones are numbered."""
    wanted = set(names)
    found = known_streams(db, wanted)
    for name in sorted(wanted - found.keys()):
        found[name] = KnownStream(numbers.made(db, StreamId(*name.split("/"))), "", "", 0)
    return found


def take_segments(
    database: Database,
    db: Connection,
    site: str,
    messages: Sequence[Message],
    streams: Mapping[str, KnownStream],
    at: Instant,
) -> list[Key]:
    """Take in segments that the site above or a child says, with all copies that it knows.

    Its places get its name in front.  Returns what was said.
    """
    configs: dict[tuple[object, ...], int] = {}
    segments, copies = list[Message](), list[Message]()
    spans: dict[Key, Message] = {}
    longest = {known.number: known.longest_ns for known in streams.values()}
    grown: set[int] = set()
    for message in messages:
        number = streams[message["stream"]].number
        config = tuple(message["config"])
        if config not in configs:
            configs[config] = _config_no(database, db, config)
        row = read_row(message["row"])
        segments.append({**row, "stream_no": number, "config_no": configs[config]})
        copies += _copies(message, number, row, site, at)
        stretch(spans, number, row, config[1])
        length = row["end_ns"] - row["start_ns"]
        if length > longest[number]:
            longest[number] = length
            grown.add(number)
    database.upsert(db, schema.segment, segments)
    _date(db, messages, segments)
    _forget_places(db, site, segments, copies)
    told = ("etag", "verified_ns", "condemned_ns", "damaged_ns")
    database.upsert(db, schema.copy, copies, told)
    grow_spans(database, db, list(spans.values()))
    _lengthen(db, {number: longest[number] for number in grown})
    close_covered(database, db, segments)
    return [key_of(row) for row in segments]


def _copies(
    message: Message, number: int, row: Message, site: str, at: Instant
) -> list[dict[str, object]]:
    return [
        {
            "stream_no": number,
            "start_ns": row["start_ns"],
            "writer": row["writer"],
            "place": seen_through(site, place),
            "etag": etag,
            "verified_ns": max(verified, DOUBTED + 1),
            "condemned_ns": condemned,
            "deleting_ns": None,
            "damaged_ns": at if place in message.get("damaged", ()) else None,
        }
        for place, etag, verified, condemned in message["copies"]
    ]


def _config_no(database: Database, db: Connection, config: tuple[object, ...]) -> int:
    names = ("decoder_digest", "codecs", "width", "height")
    values = dict(zip(names, config, strict=True))
    return database.number(db, schema.config, values, "config_no")


def _forget_places(
    db: Connection, site: str, segments: Sequence[Message], copies: Sequence[Message]
) -> None:
    """Drop what the site said before of these segments; it says all its copies anew."""
    copy = schema.copy
    said = {(*key_of(row), row["place"]) for row in copies}
    theirs = copy.c.place.startswith(beginning(site), autoescape=True)
    gone = [
        {"n": row[0], "s": row[1], "w": row[2], "p": row[3]}
        for row in within(db, copy, map(key_of, segments), ("place",), theirs)
        if tuple(row) not in said
    ]
    drop_copies(db, gone)


def _lengthen(db: Connection, longest: Mapping[int, int]) -> None:
    """Remember how long the longest segment of a stream is; queries look so far back."""
    table = schema.stream
    rows = [{"n": number, "l": length} for number, length in longest.items()]
    if rows:
        own = (table.c.stream_no == bindparam("n"), table.c.longest_ns < bindparam("l"))
        db.execute(table.update().where(*own).values(longest_ns=bindparam("l")), rows)


def _date(db: Connection, messages: Sequence[Message], rows: Sequence[Message]) -> None:
    """Remember when footage was committed whose own time is that of a clock that was wrong."""
    seg = schema.segment
    for message, row in zip(messages, rows, strict=True):
        if message.get("committed") is not None:
            own = (
                getattr(seg.c, name) == row[name] for name in ("stream_no", "start_ns", "writer")
            )
            db.execute(seg.update().where(*own).values(committed_ns=message["committed"]))
