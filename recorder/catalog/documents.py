"""Versioned documents, and the identities that stores must show."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import bindparam, delete, func, select

from recorder.catalog import schema
from recorder.catalog.alone import WRITTEN, one_at_a_time
from recorder.catalog.database import Database
from recorder.catalog.unchanged import RememberedEach
from recorder.model.timebase import Instant
from recorder.model.versions import ANY, Expected
from recorder.ports import Document

CATALOG, SITE = ":catalog", ":site"
"""What the catalog's own identity is kept under, among those of stores; no store is called so."""

_NEWEST = (
    select(schema.document)
    .where(schema.document.c.kind == bindparam("kind"))
    .order_by(schema.document.c.version.desc())
    .limit(1)
)


class SqlDocuments:
    """A :class:`recorder.ports.Documents`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._newest = RememberedEach(database.mark, self._look)

    def newest(self, kind: str) -> Document | None:
        """Return the newest version of a document."""
        return self._newest.get(kind)

    def _look(self, kind: str) -> Document | None:
        with self._database.read() as db:
            row = db.execute(_NEWEST, {"kind": kind}).first()
        if row is None:
            return None
        # what is no document is not taken for an empty one: nothing parses this
        body = row.body if isinstance(row.body, Mapping) else {"unreadable": True}
        return Document(row.kind, row.version, body, row.author, row.at_ns)

    def put(
        self,
        kind: str,
        body: Mapping[str, object],
        author: str,
        at: Instant,
        expected: Expected = ANY,
    ) -> Document:
        """Store a new version of a document."""
        table = schema.document
        with self._database.write() as db:
            one_at_a_time(db, WRITTEN)
            newest = db.execute(
                select(func.max(table.c.version)).where(table.c.kind == kind)
            ).scalar()
            expected.check(int(newest or 0), f"put {kind}")
            version = int(newest or 0) + 1
            db.execute(
                table.insert().values(
                    kind=kind, version=version, body=dict(body), author=author, at_ns=at
                )
            )
        return Document(kind, version, dict(body), author, at)


class SqlIdentities:
    """A :class:`recorder.ports.Identities`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._of = RememberedEach(database.mark, self._look)

    def of(self, name: str) -> str | None:
        """Return the identity a store must show, once it has been registered."""
        return self._of.get(name)

    def _look(self, name: str) -> str | None:
        query = select(schema.store.c.identity).where(schema.store.c.name == name)
        with self._database.read() as db:
            found: str | None = db.execute(query).scalar()
            return found

    def names_of(self, identity: str) -> list[str]:
        """Return the names that an identity was registered for."""
        table = schema.store
        query = select(table.c.name).where(table.c.identity == identity).order_by(table.c.name)
        with self._database.read() as db:
            return list(db.execute(query).scalars())

    def register(self, name: str, identity: str, *, replace: bool = False) -> str:
        """Remember a store's identity unless one is known; return the one that holds."""
        table = schema.store
        with self._database.write() as db:
            row = {"name": name, "identity": identity}
            self._database.upsert(db, table, row, ("identity",) if replace else ())
            found = db.execute(select(table.c.identity).where(table.c.name == name))
            return str(found.scalar_one())

    def forget(self, name: str) -> None:
        """Let a name mean whatever shows itself by it next."""
        with self._database.write() as db:
            db.execute(delete(schema.store).where(schema.store.c.name == name))
