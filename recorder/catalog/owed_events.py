"""Events for those who are owed them."""

from __future__ import annotations

from collections.abc import Sequence

from recorder.catalog import owed, schema
from recorder.catalog.database import Database
from recorder.catalog.events import ALL_EVENTS, read_event
from recorder.catalog.readable import read_each
from recorder.model.events import Event
from recorder.model.timebase import Instant


class SqlOwedEvents:
    """A :class:`recorder.ports.OwedEvents`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, target: str, since: Instant = -1) -> None:
        """Owe a target all events that were noted after an instant, and all that come."""
        with self._database.write() as db:
            owed.begin(db, target, since)

    def due(self, target: str, limit: int, since: Instant = -1) -> list[Event]:
        """Return what a target is owed, the oldest first; ``since``: if it never asked before."""
        table, event = schema.owed_event, schema.event
        with self._database.read() as db:
            known = owed.has_asked(db, target)
        if not known:
            self.begin(target, since)
        mine = (table.c.event_id == event.c.event_id, table.c.target == target)
        query = ALL_EVENTS.join_from(event, table, mine[0]).where(mine[1])
        ordered = query.order_by(event.c.noted_ns, event.c.event_id).limit(limit)
        with self._database.read() as db:
            return read_each("event", db.execute(ordered), read_event)

    def targets(self) -> list[str]:
        """Return who ever asked, and was not forgotten since."""
        with self._database.read() as db:
            return owed.targets(db)

    def forget(self, target: str) -> None:
        """Owe a target nothing, as one that never asked."""
        with self._database.write() as db:
            owed.forget(db, target)

    def settle(self, target: str, taken: Sequence[tuple[str, int]]) -> None:
        """Owe a target no more what it has, by id and version."""
        if taken:
            with self._database.write() as db:
                owed.settle(db, target, taken)
