"""Catalogs of one process, made quickly: what is the same each time is made once.

Each catalog has an engine of its own, for which SQLAlchemy compiles every statement again.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, create_engine
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.util import LRUCache

from recorder.catalog import database
from recorder.catalog.database import Database

_STEPS = Database._upgrade
_MADE: list[bytes] = []
"""What the schema's steps make of nothing, once for each worker."""


class _Compiled(LRUCache[Any, Any]):
    """Statements as compiled for any engine of the same kind of database and driver."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(_of_kind(key), default)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(_of_kind(key), value)


def _of_kind(key: tuple[Any, ...]) -> tuple[Any, ...]:
    """Leave out whose engine it is; SQLAlchemy puts its dialect first."""
    dialect, *rest = key
    assert isinstance(dialect, Dialect)
    return (dialect.name, dialect.driver, *rest)


_COMPILED = _Compiled(2000)


def _engine(url: str, **options: Any) -> Engine:
    """Make an engine that compiles nothing that another one has."""
    one = create_engine(url, **options)
    one.update_execution_options(compiled_cache=_COMPILED)
    return one


def _upgrade(self: Database) -> None:
    """Make a catalog in memory as one was made before: the steps take 60 ms each time."""
    if str(self.engine.url) != "sqlite://":
        _STEPS(self)
        return
    with self.engine.connect() as connection:
        made: Any = connection.connection.driver_connection
        if _MADE and made.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
            made.deserialize(_MADE[0])
            return
        empty = made.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
        _STEPS(self)
        if empty:
            _MADE.append(made.serialize())


def quicken_catalogs() -> None:
    """Make all catalogs of this process so."""
    Database._upgrade = _upgrade  # type: ignore[method-assign]
    vars(database)["create_engine"] = _engine
