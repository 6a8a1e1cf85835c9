"""Connections: one engine per catalog, errors translated, writers one at a time in SQLite."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from sqlalchemy import (
    Connection,
    Engine,
    Table,
    inspect,
    select,
    text,
)
from sqlalchemy.exc import (
    DBAPIError,
    SQLAlchemyError,
    StatementError,
)
from sqlalchemy.exc import (
    TimeoutError as NoneFree,
)

from recorder.catalog.begun import is_empty, make_schema
from recorder.catalog.engines import (
    ARRAYS,
    IN_MEMORY,
    damaged,
    make_engine,
    refusal,
    takes_arrays,
)
from recorder.catalog.reserve import Reserve
from recorder.catalog.schema import REVISION
from recorder.catalog.unchanged import Watch
from recorder.catalog.unmoved import OpenedFile
from recorder.errors import BadDocument, CatalogUnavailable
from recorder.model.secrets import mask

if TYPE_CHECKING:
    from sqlalchemy.dialects.sqlite import Insert  # PostgreSQL's is written the same

BULK = 50
"""From so many rows on, PostgreSQL gets them as arrays."""


def _revision(connection: Connection) -> str | None:
    """Return the schema that a database has, ``None`` when it has none yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


class Database:
    """A SQLite file, an in-memory SQLite, or a PostgreSQL, brought to the present schema.

    ``url`` is SQLAlchemy's: ``sqlite:///path``, ``sqlite://``, ``postgresql://…``.
    """

    def __init__(self, url: str) -> None:
        if url.startswith(("postgres://", "postgresql://")):
            url = "postgresql+psycopg://" + url.split("://", 1)[1]
        self.shown = mask(url)
        self.engine: Engine = make_engine(url, self.shown)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        is_file = self.is_sqlite and url not in IN_MEMORY
        self._watch = Watch(make_engine(url, self.shown, single=True)) if is_file else None
        self.file = None if self._watch is None else OpenedFile((self.engine, self._watch.engine))
        self.reserve = None if self.file is None else Reserve(self.file.path)
        dialect = importlib.import_module(f"sqlalchemy.dialects.{self.engine.dialect.name}")
        self._insert: Callable[[Table], Insert] = dialect.insert
        self._upserts: dict[tuple[object, ...], Insert] = {}
        self._ready = False
        self._preparing = threading.Lock()

    def prepare(self) -> None:
        """Bring the database to the present schema, the first time it answers."""
        try:
            present = self._present()
        except CatalogUnavailable:
            if self.reserve is None or not self.reserve.give():
                raise
            present = self._present()
        if present != REVISION:
            with self._preparing:  # by one thread; the others find it done
                self._upgrade()
        if self.file is not None:
            self.file.opened()
        self._ready = True

    def _present(self) -> str | None:
        with self._translated(), self.engine.connect() as connection, connection.begin():
            return _revision(connection)

    def _open(self) -> None:
        """See that there is a database, and that it is the one that there was.

        Raises: ``CatalogUnavailable``.
        """
        if not self._ready:
            self.prepare()
        elif self.file is not None:
            self.file.check()

    def _upgrade(self) -> None:
        with self._writing(self.engine) as connection:
            if not self.is_sqlite:  # two nodes may start at once
                connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7310923)")
            elif is_empty(connection):
                make_schema(connection)
                return
            # takes long to import, and is seldom needed
            from recorder.catalog.migrate import upgrade

            upgrade(connection)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that only reads."""
        self._open()
        with self._translated(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Open a long transaction that reads all as it is at one instant."""
        self._open()
        with self._translated(), self.engine.connect() as connection:
            if not self.is_sqlite:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                if not self.is_sqlite:
                    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
                yield connection.execution_options(yield_per=1000)

    @contextmanager
    def write(self, *, quiet: bool = False) -> Iterator[Connection]:
        """Open a transaction that writes; committed on leaving, undone on an error.

        ``quiet``: what nobody remembers (:meth:`mark`).
        """
        self._open()
        ours = self._watch.quiet() if quiet and self._watch else nullcontext(self.engine)
        with ours as engine, self._writing(engine) as connection:
            yield connection

    def mark(self) -> object | None:
        """Return what is another once something was committed; ``None`` where nobody can tell.

        By whomever it was, but for what this process wrote quietly.
        """
        if not self._ready or self._watch is None:
            return None
        with self._translated():
            return self._watch.mark()

    @contextmanager
    def _writing(self, engine: Engine) -> Iterator[Connection]:
        if self.reserve is not None:
            self.reserve.give()
        with self._translated(), engine.connect() as connection:
            writing = connection.execution_options(spanstore_write=True)
            with writing.begin():
                yield writing

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """Open a connection without a transaction, for what runs in none; it may take long."""
        self._open()
        with self._translated(), self.engine.connect() as connection:
            if self.is_sqlite:
                yield connection.execution_options(spanstore_alone=True)
                return
            single = connection.execution_options(isolation_level="AUTOCOMMIT")
            try:
                single.exec_driver_sql("SET statement_timeout = 0")
                yield single
            finally:
                single.invalidate()  # what was set does not come back from the pool

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as exc:
            lacks = self.reserve is not None and self.reserve.lacks(str(exc.orig))
            full = self.reserve.folder if self.reserve is not None and lacks else None
            raise refusal(exc, self.shown, full) from exc
        except NoneFree as exc:
            said = "does not answer those who ask it already"
            raise CatalogUnavailable(f"catalog {self.shown}: {said}") from exc
        except (StatementError, OverflowError, UnicodeEncodeError) as exc:  # before it was sent
            what = type(exc.orig if isinstance(exc, StatementError) else exc).__name__
            raise BadDocument(f"catalog: a value cannot be stored: {what}") from exc
        except SQLAlchemyError as exc:
            raise CatalogUnavailable(f"catalog {self.shown}: {mask(str(exc))}") from exc

    def prove(self) -> None:
        """Read all of a SQLite file and see that it is whole: takes seconds a gigabyte.

        PostgreSQL has checks of its own.
        Raises: ``CatalogDamaged``.
        """
        if not self.is_sqlite:
            return
        with self.read() as db:
            said = str(db.exec_driver_sql("PRAGMA quick_check(1)").scalar())
        if said != "ok":
            raise damaged(self.shown, said.splitlines()[-1])

    def upsert(
        self,
        connection: Connection,
        table: Table,
        rows: Mapping[str, object] | Sequence[Mapping[str, object]],
        update: Sequence[str] | Mapping[str, str] = (),
    ) -> None:
        """Insert rows; where the primary key exists, update the named columns (or nothing).

        ``update`` as a mapping gives each column's new value in SQL: ``excluded`` is the row
        that was to be inserted, the table's name the row that is there.
        """
        many = [rows] if isinstance(rows, Mapping) else list(rows)
        if not many:
            return
        if not self.is_sqlite and len(many) >= BULK and takes_arrays(table, many[0]):
            self._upsert_arrays(connection, table, many, update)
            return
        changes = update if isinstance(update, Mapping) else dict.fromkeys(update, "")
        known = (table.name, *changes.items())
        if known not in self._upserts:
            self._upserts[known] = self._upsert(table, changes)
        connection.execute(self._upserts[known], many)

    def _upsert(self, table: Table, changes: Mapping[str, str]) -> Insert:
        """Make a statement, once: that costs more than it takes to run."""
        statement = self._insert(table)
        if not changes:
            return statement.on_conflict_do_nothing()
        keys = [column.name for column in table.primary_key]
        values = {
            name: text(value) if value else statement.excluded[name]
            for name, value in changes.items()
        }
        return statement.on_conflict_do_update(index_elements=keys, set_=values)

    def _upsert_arrays(
        self,
        connection: Connection,
        table: Table,
        rows: Sequence[Mapping[str, object]],
        update: Sequence[str] | Mapping[str, str],
    ) -> None:
        """Insert many rows into PostgreSQL in one statement, a column as an array each."""
        names = list(rows[0])
        kinds = [ARRAYS[type(table.c[name].type)] for name in names]
        columns = ", ".join(f'"{name}"' for name in names)
        arrays = ", ".join(f"%b::{kind}[]" for kind in kinds)
        keys = ", ".join(f'"{column.name}"' for column in table.primary_key)
        values = update if isinstance(update, Mapping) else {n: f'excluded."{n}"' for n in update}
        changes = ", ".join(f'"{name}" = {value}' for name, value in values.items())
        action = f"UPDATE SET {changes}" if update else "NOTHING"
        connection.exec_driver_sql(
            f'INSERT INTO "{table.name}" ({columns}) SELECT * FROM unnest({arrays}) '  # noqa: S608
            f"ON CONFLICT ({keys}) DO {action}",
            tuple([row[name] for row in rows] for name in names),
        )

    def number(
        self, connection: Connection, table: Table, values: Mapping[str, object], key: str
    ) -> int:
        """Return the number of a row that is numbered once, inserting it if it is new."""
        query = select(table.c[key]).where(
            *(table.c[name] == value for name, value in values.items())
        )
        found = connection.execute(query).scalar()
        if found is None:
            connection.execute(self._insert(table).values(**values).on_conflict_do_nothing())
            found = connection.execute(query).scalar_one()
        return int(found)

    def now(self) -> int | None:
        """Return the database server's time; ``None`` where that is this machine's, too."""
        if self.is_sqlite:
            return None
        with self.read() as db:
            query = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
            return int(db.exec_driver_sql(query).scalar_one()) * 1000

    def close(self) -> None:
        """Let go of connections."""
        self.engine.dispose()
        if self._watch is not None:
            self._watch.engine.dispose()
