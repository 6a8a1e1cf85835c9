"""Points: what events come from, and the cameras they are linked to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import (
    delete,
    select,
)

from recorder.catalog import schema
from recorder.catalog.alone import WRITTEN, one_at_a_time
from recorder.catalog.database import Database
from recorder.catalog.readable import read_each, read_one
from recorder.model.events import Point, parse_point, write_point
from recorder.model.versions import ANY, Expected


class SqlPoints:
    """A :class:`recorder.ports.Points`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, point: Point, expected: Expected = ANY) -> Point:
        """Store an alarm point or checkpoint; return it with its new version."""
        table = schema.point
        with self._database.write() as db:
            one_at_a_time(db, WRITTEN)
            old = db.execute(select(table.c.version).where(table.c.name == point.name)).scalar()
            expected.check(int(old or 0), f"put point {point.name}")
            stored = replace(point, version=int(old or 0) + 1)
            row = {"name": point.name, "version": stored.version, "body": write_point(stored)}
            self._database.upsert(db, table, row, ("version", "body"))
            return stored

    def all(self) -> list[Point]:
        """Return all points, by name."""
        with self._database.read() as db:
            query = select(schema.point).order_by(schema.point.c.name)
            return read_each("point", db.execute(query), _read_point)

    def get(self, name: str) -> Point | None:
        """Return one point."""
        with self._database.read() as db:
            row = db.execute(select(schema.point).where(schema.point.c.name == name)).first()
            return read_one("point", row, _read_point) if row is not None else None

    def delete(self, name: str, expected: Expected = ANY) -> bool:
        """Remove a point; its events stay."""
        table = schema.point
        with self._database.write() as db:
            one_at_a_time(db, WRITTEN)
            old = db.execute(select(table.c.version).where(table.c.name == name)).scalar()
            expected.check(int(old or 0), f"remove point {name}")
            gone = db.execute(delete(schema.point).where(schema.point.c.name == name))
            return gone.rowcount > 0


def _read_point(row: Any) -> Point:
    return replace(parse_point(row.name, row.body), version=row.version)
