"""Catalogs of one process, made quickly: what is the same each time is made once.

Each catalog has an engine of its own, for which SQLAlchemy compiles every statement again.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import cache
from typing import Any

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.util import LRUCache

from recorder.catalog import engines
from recorder.catalog.database import Database

_STEPS = Database._upgrade


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


@cache
def made() -> bytes:
    """Make what a catalog begins as, once: it takes a while each time."""
    one = Database("sqlite://")
    _STEPS(one)
    with one.engine.connect() as connection:
        found = _driver(connection).serialize()
    one.engine.dispose()
    return found


@cache
def script() -> tuple[str, ...]:
    """Say the same in SQL, which another process that makes the same file waits for."""
    with closing(sqlite3.connect(":memory:")) as one:
        one.deserialize(made())
        return tuple(line for line in one.iterdump() if not line.startswith(("BEGIN", "COMMIT")))


def _driver(connection: Connection) -> sqlite3.Connection:
    found = connection.connection.driver_connection
    assert isinstance(found, sqlite3.Connection)
    return found


def _is_empty(connection: Connection) -> bool:
    return not connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar()


def _upgrade(self: Database) -> None:
    """Make a SQLite catalog of nothing as one was made before; all others take the steps."""
    if str(self.engine.url) == "sqlite://":
        with self.engine.connect() as connection:
            if _is_empty(connection):
                connection.rollback()
                _driver(connection).deserialize(made())
                return
    elif self.is_sqlite:
        with self._writing(self.engine) as connection:
            if _is_empty(connection):
                for line in script():
                    connection.exec_driver_sql(line)
                return
    _STEPS(self)


def quicken_catalogs() -> None:
    """Make all catalogs of this process so."""
    Database._upgrade = _upgrade  # type: ignore[method-assign]
    vars(engines)["create_engine"] = _engine
