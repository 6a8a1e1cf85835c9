"""How far long jobs are."""

from __future__ import annotations

from sqlalchemy import select

from recorder.catalog import schema
from recorder.catalog.database import Database
from recorder.model.timebase import Instant


class SqlProgress:
    """A :class:`recorder.ports.Progress`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, name: str) -> dict[str, object]:
        """Return how far a long job is, by its name; nothing when it never ran."""
        table = schema.progress
        with self._database.read() as db:
            found = db.execute(select(table.c.facts).where(table.c.name == name)).scalar()
            return dict(found or {})

    def put(self, name: str, facts: dict[str, object], at: Instant) -> None:
        """Record how far a long job is."""
        with self._database.write() as db:
            row = {"name": name, "at_ns": at, "facts": facts}
            self._database.upsert(db, schema.progress, row, ("at_ns", "facts"))
