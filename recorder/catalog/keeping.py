"""Keeping: copies checked again, locked in their store, damaged, repaired."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select, update

from recorder.catalog import schema
from recorder.catalog.footage import CONFIG, SEGMENT_KEY, read_copy
from recorder.catalog.leases import Leases
from recorder.catalog.letting import live_holds
from recorder.catalog.rows import audit_row, read_segment
from recorder.model.holds import Hold
from recorder.model.keys import StreamId
from recorder.model.media import Copy
from recorder.model.places import ELSEWHERE_LIKE, SPOOLS_LIKE
from recorder.model.timebase import Instant
from recorder.ports import AuditEntry


class Keeping(Leases):
    """The queries that prove and protect; :class:`recorder.catalog.sql.SqlCatalog` has them."""

    def mark_verified(self, copies: Iterable[Copy], at: Instant) -> None:
        """Record that copies were read whole and match their digests."""
        self._set(copies, verified_ns=at, damaged_ns=None)

    def mark_damaged(self, copies: Iterable[Copy], at: Instant) -> None:
        """Record that copies do not match their digests and could not be repaired."""
        self._set(copies, damaged_ns=at)

    def damaged(self, place: str) -> int:
        """Count the copies at a place that are known to be damaged."""
        table = schema.copy
        query = select(func.count()).where(table.c.place == place, table.c.damaged_ns.is_not(None))
        with self.database.read() as db:
            return int(db.execute(query).scalar_one())

    def write_audit(self, entries: Sequence[AuditEntry]) -> None:
        """Write audit entries that no transaction of ours writes by itself."""
        with self.database.write() as db:
            db.execute(schema.audit.insert(), [audit_row(entry) for entry in entries])

    # -- locks ---------------------------------------------------------------------------

    def to_lock(self, place: str, now: Instant, limit: int) -> list[Copy]:
        """Return held copies at a place that its store does not protect yet."""
        copy = schema.copy
        found: dict[str, Copy] = {}
        with self.database.read() as db:
            for hold in live_holds(db, now):
                query = self._copies(place).where(
                    copy.c.locked == 0, copy.c.deleting_ns.is_(None), *_covered(hold),
                ).limit(limit)  # fmt: skip
                for row in db.execute(query):
                    one = _read(row)
                    found[one.segment.key] = one
        return list(found.values())[:limit]

    def to_unlock(self, place: str, now: Instant, limit: int) -> list[Copy]:
        """Return copies at a place that its store protects and no live hold covers."""
        query = self._copies(place).where(schema.copy.c.locked == 1)
        with self.database.read() as db:
            locked = [_read(row) for row in db.execute(query)]
            return self._not_held(db, locked, now)[:limit]

    def set_locked(self, copies: Iterable[Copy], locked: bool) -> None:
        """Record whether copies are protected by their store."""
        self._set(copies, locked=int(locked))

    def locks_of(self, hold: Hold) -> dict[str, tuple[int, int]]:
        """Return, per place of this site, how many copies a hold covers, and how many are locked.

        Spools are left out: what lies only there will be locked in its store.
        """
        seg, stream, copy = schema.segment, schema.stream, schema.copy
        query = (
            select(copy.c.place, func.count(), func.sum(copy.c.locked))
            .join(seg, and_(*(seg.c[key] == copy.c[key] for key in SEGMENT_KEY)))
            .join(stream, stream.c.stream_no == copy.c.stream_no)
            .where(
                *_covered(hold), copy.c.place.not_like(ELSEWHERE_LIKE),
                copy.c.place.not_like(SPOOLS_LIKE),
            )
            .group_by(copy.c.place)
        )  # fmt: skip
        with self.database.read() as db:
            return {row[0]: (int(row[1]), int(row[2] or 0)) for row in db.execute(query)}

    # -- how far a job is ----------------------------------------------------------------

    def progress(self, name: str) -> dict[str, Any]:
        """Return how far a long job is, by its name; nothing when it never ran."""
        table = schema.progress
        with self.database.read() as db:
            found = db.execute(select(table.c.facts).where(table.c.name == name)).scalar()
            return dict(found or {})

    def put_progress(self, name: str, facts: dict[str, Any], at: Instant) -> None:
        """Record how far a long job is."""
        with self.database.write() as db:
            row = {"name": name, "at_ns": at, "facts": facts}
            self.database.upsert(db, schema.progress, row, ("at_ns", "facts"))

    # ------------------------------------------------------------------------------------

    def _set(self, copies: Iterable[Copy], **values: Any) -> None:
        with self.database.write() as db:
            for copy in copies:
                db.execute(update(schema.copy).where(*self._one(db, copy)).values(**values))

    @staticmethod
    def _copies(place: str) -> Any:
        seg, stream, copy = schema.segment, schema.stream, schema.copy
        return (
            select(
                copy, seg, *CONFIG, stream.c.site, stream.c.camera,
                stream.c.stream.label("stream_name"),
            )
            .join(seg, and_(*(seg.c[key] == copy.c[key] for key in SEGMENT_KEY)))
            .join(stream, stream.c.stream_no == copy.c.stream_no)
            .join(schema.config, schema.config.c.config_no == seg.c.config_no)
            .where(copy.c.place == place)
        )  # fmt: skip


def _covered(hold: Hold) -> list[ColumnElement[bool]]:
    """Say which segments a hold covers; their starts are bounded, for the index is by start."""
    seg, stream = schema.segment, schema.stream
    return [
        stream.c.camera.in_(list(hold.cameras)), seg.c.start_ns < hold.range.end,
        seg.c.start_ns > hold.range.start - stream.c.longest_ns - 1,
        seg.c.end_ns > hold.range.start,
    ]  # fmt: skip


def _read(row: Any) -> Copy:
    return read_copy(read_segment(StreamId(row.site, row.camera, row.stream_name), row), row)
