"""The feed between sites: what is told upward, and what was heard from below.

The outbox notes *what* changed; it is told *as it is* when it is told.  So telling is
idempotent, two changes of one thing may be told once, and nothing is lost by telling twice.
"""

from __future__ import annotations

import base64
from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, literal, select, tuple_

from recorder.catalog import schema
from recorder.catalog.downward import Downward
from recorder.catalog.footage import CONFIG
from recorder.catalog.gaps import close_gaps, uncovered
from recorder.catalog.letting import ABOVE
from recorder.model.keys import StreamId
from recorder.model.timebase import Instant, TimeRange
from recorder.ports import SiteBeat

Message = dict[str, Any]


class Feeding(Downward):
    """The queries on the feed; :class:`recorder.catalog.sql.SqlCatalog` has them too."""

    # -- telling -------------------------------------------------------------------------

    def fill_outbox(self, at: Instant) -> int:
        """Note everything there is: the first time a site has a parent."""
        seg, gap, event, member = schema.segment, schema.gap, schema.event, schema.member
        columns = ["kind", "stream_no", "start_ns", "end_ns", "name", "at_ns"]
        parts = (
            select(literal("camera"), literal(None), literal(0), literal(0), member.c.camera,
                   literal(at)),
            select(literal("segment"), seg.c.stream_no, seg.c.start_ns, literal(0), seg.c.writer,
                   literal(at)),
            select(literal("gap"), gap.c.stream_no, gap.c.start_ns, gap.c.end_ns, literal(""),
                   literal(at)),
            select(literal("event"), literal(None), literal(0), literal(0), event.c.event_id,
                   literal(at)),
        )  # fmt: skip
        with self.database.write() as db:
            db.execute(delete(schema.outbox))
            for part in parts:
                db.execute(schema.outbox.insert().from_select(columns, part))
            return int(db.execute(select(func.count()).select_from(schema.outbox)).scalar_one())

    def outbox_depth(self) -> tuple[int, Instant | None]:
        """Return how many changes are not told yet, and when the oldest was noted."""
        query = select(func.count(), func.min(schema.outbox.c.at_ns))
        with self.database.read() as db:
            count, oldest = db.execute(query).one()
            return int(count), oldest

    def take_outbox(self, limit: int) -> tuple[list[int], list[Message]]:
        """Return the oldest changes, by number, and what is to be told of them."""
        table = schema.outbox
        query = select(table).order_by(table.c.seq).limit(limit)
        with self.database.read() as db:
            rows = db.execute(query).all()
            names = {
                row.stream_no: StreamId(row.site, row.camera, row.stream)
                for row in db.execute(select(schema.stream))
            }
            said = self._cameras_said(db, {r.name for r in rows if r.kind == "camera"})
            said += self._segments_said(
                db, names, {(r.stream_no, r.start_ns, r.name) for r in rows if r.kind == "segment"}
            )
            for row in {(r.stream_no, r.start_ns, r.end_ns) for r in rows if r.kind == "gap"}:
                said.append(self._gaps_said(db, names[row[0]], *row))
            said += self._events_said(db, {r.name for r in rows if r.kind == "event"})
            return [row.seq for row in rows], said

    def drop_outbox(self, numbers: Sequence[int]) -> None:
        """Forget changes that were told."""
        table = schema.outbox
        with self.database.write() as db:
            for i in range(0, len(numbers), 500):
                db.execute(delete(table).where(table.c.seq.in_(numbers[i : i + 500])))

    def _cameras_said(self, db: Connection, names: set[str]) -> list[Message]:
        table = schema.member
        query = select(table).where(table.c.camera.in_(names))
        return [
            {"k": "camera", "name": row.camera, "group": row.group_name}
            for row in (db.execute(query) if names else ())
        ]

    def _segments_said(
        self, db: Connection, names: dict[int, StreamId], keys: set[tuple[int, int, str]]
    ) -> list[Message]:
        seg, copy = schema.segment, schema.copy
        said: list[Message] = []
        for (number, writer), starts in _grouped(keys).items():
            stream = str(names[number])
            copies: dict[int, list[list[Any]]] = {}
            columns = [copy.c.start_ns, copy.c.place, copy.c.etag, copy.c.verified_ns,
                       copy.c.condemned_ns]  # fmt: skip
            for start, *values in db.execute(
                select(*columns).where(
                    copy.c.stream_no == number, copy.c.writer == writer, copy.c.start_ns.in_(starts)
                )
            ):
                if not values[0].startswith(ABOVE):  # what lies above is known there
                    copies.setdefault(start, []).append(values)
            query = (
                select(*(seg.c[name] for name in COLUMNS), *CONFIG)
                .join(schema.config, schema.config.c.config_no == seg.c.config_no)
                .where(
                    seg.c.stream_no == number, seg.c.writer == writer, seg.c.start_ns.in_(starts)
                )
            )
            for row in db.execute(query):
                if row[0] in copies:
                    said.append(_segment_said(row, stream, copies[row[0]]))
            said += [
                {"k": "gone", "stream": stream, "start": start, "writer": writer}
                for start in starts
                if start not in copies
            ]
        return said

    def _gaps_said(
        self, db: Connection, stream: StreamId, number: int, start: int, end: int
    ) -> Message:
        gap = schema.gap
        rows = db.execute(
            select(gap).where(
                gap.c.stream_no == number, gap.c.start_ns <= end, gap.c.end_ns >= start
            )
        ).all()
        hull = [min([start, *(r.start_ns for r in rows)]), max([end, *(r.end_ns for r in rows)])]
        found = [[row.start_ns, row.end_ns, row.cause] for row in rows]
        return {"k": "gap", "stream": str(stream), "range": hull, "gaps": found}

    def _events_said(self, db: Connection, names: set[str]) -> list[Message]:
        event, touch = schema.event, schema.touch
        if not names:
            return []
        touched = {
            row.event_id: [row.start_ns, row.end_ns]
            for row in db.execute(select(touch).where(touch.c.event_id.in_(names)))
        }
        return [
            {
                "k": "event", "id": row.event_id, "site": row.site, "kind": row.kind,
                "source": row.source, "cameras": row.cameras, "attributes": row.attributes,
                "range": [row.start_ns, row.end_ns], "received": row.received_ns,
                "touched": touched.get(row.event_id, [row.start_ns, row.end_ns]),
                "image": base64.b64encode(row.image).decode() if row.image else None,
            }
            for row in db.execute(select(event).where(event.c.event_id.in_(names)))
        ]  # fmt: skip

    # -- hearing -------------------------------------------------------------------------

    def apply_feed(self, child: str, messages: Sequence[Message], at: Instant) -> None:
        """Take in what a child site said; its places get its name in front.  Twice is once."""
        by_kind: dict[str, list[Message]] = {}
        for message in messages:
            by_kind.setdefault(message["k"], []).append(message)
        with self.database.write() as db:
            numbers = {
                name: self._stream_no(db, StreamId(*name.split("/")))
                for name in sorted({m["stream"] for m in messages if "stream" in m})
            }
            self._known_through(db, child, list(numbers.values()))
            self._hear_cameras(db, by_kind.get("camera", []), at)
            self._hear_segments(db, child, by_kind.get("segment", []), numbers, at)
            for message in by_kind.get("gone", []):
                self._hear_gone(db, child, message, numbers[message["stream"]], at)
            for message in by_kind.get("gap", []):
                self._hear_gaps(db, message, numbers[message["stream"]], at)
            self._hear_events(db, by_kind.get("event", []), at)

    @staticmethod
    def _known_through(db: Connection, child: str, numbers: Sequence[int]) -> None:
        """Remember which child speaks of a stream: it is told what becomes of copies here."""
        table = schema.stream
        db.execute(
            table.update()
            .where(table.c.stream_no.in_(numbers), table.c.via != child)
            .values(via=child)
        )

    def _hear_cameras(self, db: Connection, messages: Sequence[Message], at: Instant) -> None:
        rows = [{"camera": m["name"], "group_name": m["group"]} for m in messages]
        self.database.upsert(db, schema.member, rows, ("group_name",))
        self.note(db, "camera", None, [(0, 0, row["camera"]) for row in rows], at)

    def _hear_segments(
        self, db: Connection, child: str, messages: Sequence[Message], numbers: dict[str, int],
        at: Instant,
    ) -> None:  # fmt: skip
        configs: dict[tuple[Any, ...], int] = {}
        segments: list[Message] = []
        copies: list[Message] = []
        spans: dict[tuple[int, int, str], Message] = {}
        longest: dict[int, int] = {}
        for message in messages:
            number = numbers[message["stream"]]
            config = tuple(message["config"])
            if config not in configs:
                values = dict(
                    zip(("decoder_digest", "codecs", "width", "height"), config, strict=True)
                )
                configs[config] = self.database.number(db, schema.config, values, "config_no")
            row = dict(zip(COLUMNS, message["row"], strict=True))
            for name in ("digest", "points", "activity"):
                row[name] = a2b_base64(row[name]) if row[name] is not None else None
            segments.append({**row, "stream_no": number, "config_no": configs[config]})
            own = {"stream_no": number, "start_ns": row["start_ns"], "writer": row["writer"]}
            copies += [
                {**own, "place": f"{child}/{place}", "etag": etag, "verified_ns": verified,
                 "condemned_ns": condemned, "deleting_ns": None}
                for place, etag, verified, condemned in message["copies"]
            ]  # fmt: skip
            _stretch(spans, number, row, config[1])
            length = row["end_ns"] - row["start_ns"]
            longest[number] = max(longest.get(number, 0), length)
        self.database.upsert(db, schema.segment, segments)
        self._forget_places(db, child, segments)
        self.database.upsert(
            db, schema.copy, copies, ("etag", "verified_ns", "condemned_ns")
        )  # fmt: skip
        self._grow_spans(db, list(spans.values()), longest)
        self._close_gaps(db, segments)
        for one in segments:
            self.note(db, "segment", one["stream_no"], [(one["start_ns"], at, one["writer"])], at)

    def _forget_places(self, db: Connection, child: str, segments: Sequence[Message]) -> None:
        """Drop what the child said before of these segments; it says all its copies anew."""
        copy = schema.copy
        keys = [(row["stream_no"], row["start_ns"], row["writer"]) for row in segments]
        for (number, writer), starts in _grouped(keys).items():
            db.execute(
                delete(copy).where(
                    copy.c.stream_no == number, copy.c.writer == writer,
                    copy.c.start_ns.in_(starts), copy.c.place.startswith(f"{child}/"),
                )
            )  # fmt: skip

    def _grow_spans(
        self, db: Connection, spans: Sequence[dict[str, Any]], longest: dict[int, int]
    ) -> None:
        span, stream = schema.span, schema.stream
        self.database.upsert(db, span, spans)
        for one in spans:
            own = and_(span.c.stream_no == one["stream_no"], span.c.span_ns == one["span_ns"],
                       span.c.writer == one["writer"])  # fmt: skip
            db.execute(span.update().where(own, span.c.start_ns > one["start_ns"]).values(
                start_ns=one["start_ns"], gap_cause=one["gap_cause"]))  # fmt: skip
            db.execute(span.update().where(own, span.c.end_ns < one["end_ns"]).values(
                end_ns=one["end_ns"], camera_offset_ns=one["camera_offset_ns"]))  # fmt: skip
        for number, length in longest.items():
            db.execute(stream.update().where(
                stream.c.stream_no == number, stream.c.longest_ns < length
            ).values(longest_ns=length))  # fmt: skip

    def _hear_gone(
        self, db: Connection, child: str, message: Message, number: int, at: Instant
    ) -> None:
        copy, seg = schema.copy, schema.segment
        own = (number, message["start"], message["writer"])
        columns = tuple_(copy.c.stream_no, copy.c.start_ns, copy.c.writer)
        db.execute(delete(copy).where(columns.in_([own]), copy.c.place.startswith(f"{child}/")))
        if db.execute(select(func.count()).where(columns.in_([own]))).scalar_one() == 0:
            one = tuple_(seg.c.stream_no, seg.c.start_ns, seg.c.writer)
            row = db.execute(select(seg).where(one.in_([own]))).first()
            if row is not None:
                db.execute(delete(seg).where(one.in_([own])))
                self._draw_in(db, number, row.span_ns, row.writer)
        self.note(db, "segment", number, [(message["start"], at, message["writer"])], at)

    def _hear_gaps(self, db: Connection, message: Message, number: int, at: Instant) -> None:
        gap = schema.gap
        start, end = message["range"]
        db.execute(delete(gap).where(
            gap.c.stream_no == number, gap.c.start_ns >= start, gap.c.end_ns <= end
        ))  # fmt: skip
        rows = [
            {"stream_no": number, "start_ns": low, "end_ns": high, "cause": cause}
            for begin, stop, cause in message["gaps"]
            for low, high in self._missing(db, number, begin, stop, cause)
        ]
        self.database.upsert(db, gap, rows, ("end_ns",))
        self.note(db, "gap", number, [(start, end, "")], at)

    @staticmethod
    def _missing(
        db: Connection, number: int, start: int, end: int, cause: str
    ) -> list[tuple[int, int]]:
        """Return what of a gap below is a gap here too: not what this site has copies of."""
        if cause == "source":  # a hole inside a segment
            return [(start, end)]
        return [(one.start, one.end) for one in uncovered(db, number, TimeRange(start, end))]

    def _close_gaps(self, db: Connection, segments: Sequence[Message]) -> None:
        """End recorded gaps that what was heard of covers; there hardly ever are any."""
        gap = schema.gap
        for (number, _), starts in _grouped(
            (row["stream_no"], row["start_ns"], "") for row in segments
        ).items():
            rows = [row for row in segments if row["stream_no"] == number]
            last = max(row["end_ns"] for row in rows)
            query = select(gap.c.start_ns).where(
                gap.c.stream_no == number, gap.c.end_ns > starts[0], gap.c.start_ns < last,
                gap.c.cause != "source",
            )  # fmt: skip
            for row in rows if db.execute(query.limit(1)).first() is not None else ():
                range_ = TimeRange(row["start_ns"], row["end_ns"])
                close_gaps(self.database, db, number, (range_, row["writer"]), None)

    def _hear_events(self, db: Connection, messages: Sequence[Message], at: Instant) -> None:
        for message in messages:
            image = message["image"]
            self.database.upsert(db, schema.event, {
                "event_id": message["id"], "site": message["site"], "kind": message["kind"],
                "source": message["source"], "start_ns": message["range"][0],
                "end_ns": message["range"][1], "received_ns": message["received"],
                "cameras": message["cameras"], "attributes": message["attributes"],
                "image": base64.b64decode(image) if image else None,
            })  # fmt: skip
            start, end = message["touched"]
            self.database.upsert(db, schema.touch, [
                {"camera": camera, "start_ns": start, "event_id": message["id"], "end_ns": end,
                 "kind": message["kind"]}
                for camera in message["cameras"]
            ])  # fmt: skip
            self.note(db, "event", None, [(0, 0, message["id"])], at)

    # -- sites and holds -----------------------------------------------------------------

    def put_site(self, beat: SiteBeat) -> None:
        """Record a site's sign of life."""
        row = {"name": beat.name, "level": beat.level, "url": beat.url, "at_ns": beat.at,
               "facts": dict(beat.facts)}  # fmt: skip
        with self.database.write() as db:
            self.database.upsert(db, schema.site, row, ("level", "url", "at_ns", "facts"))

    def sites(self) -> list[SiteBeat]:
        """Return the last sign of life of the parent (named ``..``) and of every child."""
        with self.database.read() as db:
            query = select(schema.site).order_by(schema.site.c.name)
            return [
                SiteBeat(row.name, row.level, row.url, row.at_ns, row.facts)
                for row in db.execute(query)
            ]

    def put_delivery(self, hold_id: str, site: str, facts: Message, at: Instant) -> None:
        """Record what a site below says of a hold it has got."""
        row = {"hold_id": hold_id, "site": site, "at_ns": at, "facts": facts}
        with self.database.write() as db:
            self.database.upsert(db, schema.hold_delivery, row, ("at_ns", "facts"))

    def deliveries(self, hold_id: str) -> dict[str, Message]:
        """Return what sites below said of a hold, by site."""
        table = schema.hold_delivery
        with self.database.read() as db:
            query = select(table).where(table.c.hold_id == hold_id).order_by(table.c.site)
            return {row.site: row.facts for row in db.execute(query)}


COLUMNS = (
    "start_ns", "writer", "span_ns", "counter", "end_ns", "media_start", "media_end",
    "timescale", "size_bytes", "digest", "init_bytes", "frames", "camera_offset_ns",
    "gap_cause", "key", "points", "holes", "activity",
)  # fmt: skip
_BINARY = (COLUMNS.index("digest"), COLUMNS.index("points"), COLUMNS.index("activity"))


def _grouped(keys: Iterable[tuple[int, int, str]]) -> dict[tuple[int, str], list[int]]:
    """Gather starts by stream and writer: one query each, instead of one long list of keys."""
    found: dict[tuple[int, str], list[int]] = {}
    for number, start, writer in sorted(keys):
        found.setdefault((number, writer), []).append(start)
    return found


def _segment_said(row: Row[Any], stream: str, copies: list[list[Any]]) -> Message:
    values = list(row)
    for place in _BINARY:
        if values[place] is not None:
            values[place] = b2a_base64(values[place], newline=False).decode()
    return {
        "k": "segment", "stream": stream, "row": values[: len(COLUMNS)],
        "config": values[len(COLUMNS) :], "copies": copies,
    }  # fmt: skip


def _stretch(
    spans: dict[tuple[int, int, str], dict[str, Any]], number: int, row: dict[str, Any],
    codecs: str,
) -> None:  # fmt: skip
    """Grow a span, within one batch, by a segment."""
    own = (number, row["span_ns"], row["writer"])
    known = spans.get(own)
    if known is None:
        spans[own] = {
            "stream_no": number, "span_ns": row["span_ns"], "writer": row["writer"],
            "start_ns": row["start_ns"], "end_ns": row["end_ns"], "codecs": codecs,
            "gap_cause": row["gap_cause"], "camera_offset_ns": row["camera_offset_ns"],
        }  # fmt: skip
        return
    if row["start_ns"] < known["start_ns"]:
        known.update(start_ns=row["start_ns"], gap_cause=row["gap_cause"])
    if row["end_ns"] > known["end_ns"]:
        known.update(end_ns=row["end_ns"], camera_offset_ns=row["camera_offset_ns"])
