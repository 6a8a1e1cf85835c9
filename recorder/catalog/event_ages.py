"""Events that are old, and of which nothing is left that they touch."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, Select, and_, delete, exists, func, or_, select

from recorder.catalog import schema
from recorder.catalog.database import Database
from recorder.catalog.some import some_of
from recorder.model.keys import ANY_SITE
from recorder.model.timebase import Instant
from recorder.ports import AgedEvent


class SqlEventAges:
    """A :class:`recorder.ports.EventAges`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def aged(self, before: Instant, after: tuple[Instant, str], limit: int) -> list[AgedEvent]:
        """Return events that ended and were noted before an instant, by when they were noted."""
        event = schema.event.c
        later = or_(
            event.noted_ns > after[0],
            and_(event.noted_ns == after[0], event.event_id > after[1]),
        )
        query = (
            select(event.event_id, event.kind, event.noted_ns, event.end_ns, schema.touch.c.site)
            .join_from(schema.event, schema.touch, _TOUCHES, isouter=True)
            .where(
                event.event_id.in_(
                    select(event.event_id)
                    .where(later, event.noted_ns < before, event.end_ns < before)
                    .order_by(event.noted_ns, event.event_id)
                    .limit(limit)
                )
            )
            .order_by(event.noted_ns, event.event_id)
        )
        found: dict[str, AgedEvent] = {}
        with self._database.read() as db:
            for row in db.execute(query):
                known = found.get(row.event_id)
                sites = known.sites if known is not None else frozenset()
                sites |= {row.site} if row.site is not None else set()
                found[row.event_id] = AgedEvent(
                    row.event_id, row.kind, row.noted_ns, row.end_ns, sites
                )
        return list(found.values())

    def free(self, event_ids: Collection[str]) -> list[str]:
        """Return those of some events that nobody needs."""
        with self._database.read() as db:
            return [
                name for some in some_of(event_ids) for name in db.execute(_free(some)).scalars()
            ]

    def known(self, event_ids: Collection[str]) -> set[str]:
        """Return those of some events that there are, removed ones too."""
        event = schema.event.c
        with self._database.read() as db:
            return {
                name
                for some in some_of(event_ids)
                for name in db.execute(
                    select(event.event_id).where(event.event_id.in_(some))
                ).scalars()
            }

    def expire(self, event_ids: Sequence[str]) -> int:
        """Forget those of some events that nobody needs by now; return how many."""
        event, gone = schema.event, 0
        with self._database.write() as db:
            for some in some_of(event_ids):
                query = _free(some).with_for_update(of=event)
                free = list(db.execute(query).scalars())
                for table in (schema.touch, schema.owed_event, event):
                    db.execute(delete(table).where(table.c.event_id.in_(free)))
                gone += len(free)
        return gone

    def kinds(self, since: Instant) -> list[str]:
        """Return the kinds of the events noted after an instant, but for removed ones."""
        event = schema.event.c
        query = select(event.kind).where(event.noted_ns > since, event.removed_ns.is_(None))
        with self._database.read() as db:
            return list(db.execute(query.distinct().order_by(event.kind)).scalars())

    def oldest(self) -> Instant | None:
        """Return when the event was noted that was noted first; ``None``: there is none."""
        with self._database.read() as db:
            found = db.execute(select(func.min(schema.event.c.noted_ns))).scalar()
            return int(found) if found is not None else None


_TOUCHES: ColumnElement[bool] = schema.touch.c.event_id == schema.event.c.event_id
_FOOTAGE = exists().where(
    _TOUCHES,
    schema.stream.c.camera == schema.touch.c.camera,
    or_(schema.touch.c.site == ANY_SITE, schema.stream.c.site == schema.touch.c.site),
    schema.segment.c.stream_no == schema.stream.c.stream_no,
    # bounded on both sides, for the index is by start
    schema.segment.c.start_ns < schema.touch.c.end_ns,
    schema.segment.c.start_ns > schema.touch.c.start_ns - schema.stream.c.longest_ns - 1,
    schema.segment.c.end_ns > schema.touch.c.start_ns,
)
_OWED = exists().where(schema.owed_event.c.event_id == schema.event.c.event_id)


def _free(names: Sequence[str]) -> Select[str]:
    outbox = schema.outbox.c
    untold = select(outbox.name).where(outbox.kind == "event", outbox.name.in_(names))
    event = schema.event.c
    return select(event.event_id).where(
        event.event_id.in_(names), ~_FOOTAGE, ~_OWED, event.event_id.not_in(untold)
    )
