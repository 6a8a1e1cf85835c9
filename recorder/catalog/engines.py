"""How SQLite and PostgreSQL are spoken to."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    Table,
    Text,
    create_engine,
    event,
)
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    NoSuchModuleError,
)
from sqlalchemy.pool import StaticPool

from recorder.catalog.readable import read_json_cell, write_json_cell
from recorder.errors import (
    BadDocument,
    CatalogDamaged,
    CatalogUnavailable,
    ConfigError,
    RecorderError,
)
from recorder.model.secrets import mask

IN_MEMORY = ("sqlite://", "sqlite:///:memory:")

PATIENCE_S = 60
"""A statement that takes longer is given up; none of ours takes seconds."""


LINE = {
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
"""A line that swallows packets is noticed within 15 s.  Source: libpq, connection parameters."""


WAITING = {"timeout": 30}
"""Seconds that SQLite waits for whoever writes."""


_BAD_VALUE = ("42804", "23502", "23514", "54000")
"""``datatype_mismatch``, ``not_null_violation``, ``check_violation``; ``program_limit_exceeded``: a
text that is too long for an index."""
_BAD_WORDS = (
    "Error binding parameter",
    "cannot adapt type",
    "NOT NULL constraint failed",
    "CHECK constraint failed",
)
_UNKNOWN = "check that the database runs, its disk has room, and the url is right"
_ADVICE = {
    "28": "correct the user or the password in the url of the catalog",
    "3D": "make that database, or correct its name in the url of the catalog",
    "42501": "give the user in the url of the catalog the right to do that, best by owning all",
    "25006": "it takes no writes: is it a replica, or set to read only? name the one that does",
    "53100": "make room on the database's disk",
    "53200": "the database's machine has no memory left",
    "53300": "it takes no more connections: raise max_connections, or have fewer clients",
    "42P01": "a table is gone: was it removed, or another database put there? restore a backup",
    "XX00": "the database says that it is damaged: look at its disks, and restore a backup",
}
"""By what PostgreSQL's error codes begin with."""


DAMAGED = ("database disk image is malformed", "file is not a database")
"""What SQLite says of a file that is not what it was."""


ARRAYS = {Integer: "integer", BigInteger: "bigint", Text: "text", LargeBinary: "bytea"}


def make_engine(url: str, shown: str, *, single: bool = False) -> Engine:
    """Make what connects to a catalog; ``shown``: its URL without a password.

    ``single``: by one connection alone.
    Raises: ``ConfigError`` when it can connect to nothing of that kind.
    """
    options: dict[str, object]
    if url in IN_MEMORY:
        options = {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
    elif url.startswith("sqlite"):
        # who was used last goes first: what it prepared, and its pages, are there already
        options = {"connect_args": WAITING, "pool_use_lifo": True}
    else:
        options = {
            "pool_pre_ping": True,
            "pool_size": 10,
            "max_overflow": 10,
            "pool_timeout": PATIENCE_S,
            "connect_args": {"connect_timeout": 5, **LINE},
        }
    if single:
        options |= {"pool_size": 1, "max_overflow": 0}
    options["json_deserializer"] = read_json_cell
    options["json_serializer"] = partial(write_json_cell, exact=url.startswith("sqlite"))
    try:
        engine = create_engine(url, **options)
    except (ArgumentError, NoSuchModuleError, ImportError) as exc:
        raise ConfigError(
            f"catalog url {shown!r}: {mask(str(exc))}",
            hint="use sqlite:///path/to/catalog.db or postgresql://user@host/database",
        ) from exc
    if engine.dialect.name == "sqlite":
        listen_sqlite(engine)
    else:
        event.listen(engine, "connect", connect_postgres)
    return engine


def listen_sqlite(engine: Engine) -> None:
    """Set up each connection to SQLite, and each of its transactions."""
    event.listen(engine, "connect", connect_sqlite)
    event.listen(engine, "begin", begin_sqlite)


def is_bad_value(exc: DBAPIError) -> bool:
    """Tell whether a database refused a value: the same one will be refused for ever.

    What is there already is none: somebody was quicker, and a second try finds it.
    Source: PEP 249, ``DataError``; PostgreSQL, error codes; the drivers say it in words.
    """
    if isinstance(exc, DataError) or getattr(exc.orig, "sqlstate", None) in _BAD_VALUE:
        return True
    return str(exc.orig).startswith(_BAD_WORDS)


def advice(exc: DBAPIError, full: Path | None = None) -> str:
    """Say what can be done about a database that does not do what it is asked.

    ``full``: the folder of a SQLite file, where its disk is; it says that the disk fails, or that
    nothing can be opened.
    """
    if full is not None:
        return f"make room on the disk of {full}: it is full"
    state = str(getattr(exc.orig, "sqlstate", None) or "")
    return next((said for begin, said in _ADVICE.items() if state.startswith(begin)), _UNKNOWN)


def refusal(exc: DBAPIError, shown: str, full: Path | None = None) -> RecorderError:
    """Say, as an error of ours, that a database did not do what it was asked.

    ``shown``: its URL without a password.
    """
    said = mask(str(exc.orig)).strip().splitlines()
    if any(one in str(exc.orig) for one in DAMAGED):
        return damaged(shown, said[0])
    if is_bad_value(exc):
        return BadDocument(f"catalog: a value cannot be stored: {said[0][:200] if said else ''}")
    what = said[0] if said else type(exc.orig).__name__
    return CatalogUnavailable(f"catalog {shown}: {what}", hint=advice(exc, full))


def damaged(shown: str, said: str) -> CatalogDamaged:
    """Say, as an error of ours, that a SQLite file is not what it was."""
    return CatalogDamaged(
        f"catalog {shown} is damaged: {said}",
        hint="stop the node and move the file away, then: recorder restore of a backup, "
        "or recorder rebuild",
    )


def takes_arrays(table: Table, row: Mapping[str, object]) -> bool:
    """Tell whether PostgreSQL can take columns of such rows as arrays."""
    return all(type(table.c[name].type) in ARRAYS for name in row)


def connect_sqlite(connection: Any, _: object) -> None:
    """Set a new connection up: durable, and many readers beside one writer."""
    connection.isolation_level = None  # SQLAlchemy's transactions begin below, not in the driver
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def connect_postgres(connection: Any, _: object) -> None:
    """Set a new connection up: no statement hangs for ever."""
    connection.execute(f"SET statement_timeout = '{PATIENCE_S}s'")
    connection.commit()


def begin_sqlite(connection: Connection) -> None:
    """Begin a transaction; the driver does not."""
    if connection.get_execution_options().get("spanstore_alone"):
        return
    if connection.get_execution_options().get("spanstore_write"):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:  # past what goes with a statement: it waits for nothing, and every read has one
        raw: Any = connection.connection.driver_connection
        raw.execute("BEGIN").close()
