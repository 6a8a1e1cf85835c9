"""Present states: of streams, of nodes, of the sites next to this one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from sqlalchemy import Connection, bindparam, delete, select

from recorder.catalog import schema
from recorder.catalog.database import Database
from recorder.catalog.readable import facts_of
from recorder.catalog.rows import read_status, status_row
from recorder.model.keys import StreamId
from recorder.ports import NodeBeat, SiteBeat, StreamStatus

_STATUS = select(schema.status).where(
    *(schema.status.c[name] == bindparam(name) for name in ("site", "camera", "stream"))
)
"""Built once: every timeline asks it."""


def write_statuses(database: Database, db: Connection, statuses: Iterable[StreamStatus]) -> None:
    """Write states of streams over those before."""
    rows = [status_row(status) for status in statuses]
    changing = ("node", "state", "cause", "condition", "detail", "since_ns", "at_ns", "health")
    database.upsert(db, schema.status, rows, changing)


class SqlStatuses:
    """A :class:`recorder.ports.Statuses`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, statuses: Iterable[StreamStatus], *, quiet: bool = False) -> None:
        """Record the present state of streams."""
        with self._database.write(quiet=quiet) as db:
            write_statuses(self._database, db, statuses)

    def all(self) -> list[StreamStatus]:
        """Return the last recorded state of every stream."""
        table = schema.status
        query = select(table).order_by(table.c.site, table.c.camera, table.c.stream)
        with self._database.read() as db:
            return [read_status(row) for row in db.execute(query)]

    def of(self, stream: StreamId) -> StreamStatus | None:
        """Return the last recorded state of one stream."""
        values = {"site": stream.site, "camera": stream.camera, "stream": stream.stream}
        with self._database.read() as db:
            row = db.execute(_STATUS, values).first()
            return read_status(row) if row is not None else None


class SqlNodes:
    """A :class:`recorder.ports.Nodes`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def beat(self, node: NodeBeat) -> None:
        """Record a node's sign of life."""
        row = {"node": node.node, "site": node.site, "at_ns": node.at, "facts": dict(node.facts)}
        with self._database.write(quiet=True) as db:
            self._database.upsert(db, schema.node, row, ("site", "at_ns", "facts"))

    def all(self) -> list[NodeBeat]:
        """Return the last sign of life of every node."""
        with self._database.read() as db:
            query = select(schema.node).order_by(schema.node.c.node)
            return [
                NodeBeat(row.node, row.site, row.at_ns, facts_of(row.facts))
                for row in db.execute(query)
            ]

    def forget(self, names: Iterable[str]) -> None:
        """Know nodes no more, until they are heard again."""
        with self._database.write() as db:
            db.execute(delete(schema.node).where(schema.node.c.node.in_(list(names))))


class SqlSites:
    """A :class:`recorder.ports.Sites`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(
        self,
        beat: SiteBeat,
        own: Callable[[Mapping[str, object]], Mapping[str, object]] | None = None,
    ) -> None:
        """Record a site's sign of life.

        ``own`` makes facts besides of those that are known, in one transaction; none are of a site
        that is not known, or was removed this moment.
        """
        row = {"name": beat.name, "level": beat.level, "url": beat.url, "at_ns": beat.at}
        table, facts = schema.site, dict(beat.facts)
        with self._database.write() as db:
            if own is not None:
                query = select(table.c.facts).where(table.c.name == beat.name).with_for_update()
                facts |= own(db.execute(query).scalar() or {})
            told = {**row, "facts": facts}
            self._database.upsert(db, table, told, ("level", "url", "at_ns", "facts"))

    def all(self) -> list[SiteBeat]:
        """Return the last sign of life of the parent (named ``..``) and of every child."""
        with self._database.read() as db:
            query = select(schema.site).order_by(schema.site.c.name)
            return [
                SiteBeat(row.name, row.level, row.url, row.at_ns, facts_of(row.facts))
                for row in db.execute(query)
            ]
