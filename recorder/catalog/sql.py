"""The catalog on SQLite or PostgreSQL: documents, states, and all of
:mod:`.footage`, :mod:`.letting`, :mod:`.marks`, :mod:`.downward`, :mod:`.feeding`,
:mod:`.leases`, :mod:`.keeping` and :mod:`.below`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import delete, func, select

from recorder.catalog import schema
from recorder.catalog.below import Below
from recorder.catalog.database import Database
from recorder.catalog.rows import camera_body, read_audit, read_camera, read_status, status_row
from recorder.errors import StaleVersion
from recorder.model.cameras import Camera
from recorder.model.keys import StreamId
from recorder.model.timebase import Instant, TimeRange
from recorder.ports import AuditEntry, Document, NodeBeat, StreamStatus


class SqlCatalog(Below):
    """A :class:`recorder.ports.Catalog`; ``sqlite://`` is its in-memory side."""

    def __init__(self, url: str) -> None:
        super().__init__(Database(url))

    # -- cameras -------------------------------------------------------------------------

    def cameras(self) -> list[Camera]:
        """Return all camera documents, by name."""
        with self.database.read() as db:
            query = select(schema.camera).order_by(schema.camera.c.name)
            return [read_camera(row) for row in db.execute(query)]

    def camera(self, name: str) -> Camera | None:
        """Return one camera document."""
        with self.database.read() as db:
            query = select(schema.camera).where(schema.camera.c.name == name)
            row = db.execute(query).first()
            return read_camera(row) if row is not None else None

    def put_camera(self, camera: Camera, at: Instant, expected: int | None) -> Camera:
        """Store a camera; return it with its new version."""
        table = schema.camera
        with self.database.write() as db:
            old = db.execute(select(table).where(table.c.name == camera.name)).first()
            present = old.version if old is not None else 0
            if expected is not None and expected != present:
                raise StaleVersion(
                    f"put camera {camera.name}: it is at version {present}, not {expected}",
                    hint="read it again, then send the change",
                )
            created = old.created_ns if old is not None else at
            row = {
                "name": camera.name, "version": present + 1, "created_ns": created,
                "body": camera_body(camera),
            }  # fmt: skip
            self.database.upsert(db, table, row, ("version", "body"))
            member = {"camera": camera.name, "group_name": camera.group}
            self.database.upsert(db, schema.member, member, ("group_name",))
            self.note(db, "camera", None, [(0, 0, camera.name)], at)
            stored = db.execute(select(table).where(table.c.name == camera.name)).one()
            return read_camera(stored)

    def groups(self) -> dict[str, str]:
        """Return the group of every camera there is or was: its footage stays in it."""
        with self.database.read() as db:
            rows = db.execute(select(schema.member)).all()
            return {row.camera: row.group_name for row in rows}

    def delete_camera(self, name: str) -> bool:
        """Remove a camera document; its footage stays."""
        with self.database.write() as db:
            gone = db.execute(delete(schema.camera).where(schema.camera.c.name == name))
            return gone.rowcount > 0

    # -- states --------------------------------------------------------------------------

    def put_status(self, statuses: Iterable[StreamStatus]) -> None:
        """Record the present state of streams."""
        rows = [status_row(status) for status in statuses]
        changing = ("node", "state", "cause", "condition", "detail", "since_ns", "at_ns", "health")
        with self.database.write() as db:
            self.database.upsert(db, schema.status, rows, changing)

    def statuses(self) -> list[StreamStatus]:
        """Return the last recorded state of every stream."""
        table = schema.status
        query = select(table).order_by(table.c.site, table.c.camera, table.c.stream)
        with self.database.read() as db:
            return [read_status(row) for row in db.execute(query)]

    def status(self, stream: StreamId) -> StreamStatus | None:
        """Return the last recorded state of one stream."""
        table = schema.status
        query = select(table).where(
            table.c.site == stream.site,
            table.c.camera == stream.camera,
            table.c.stream == stream.stream,
        )
        with self.database.read() as db:
            row = db.execute(query).first()
            return read_status(row) if row is not None else None

    def beat(self, node: NodeBeat) -> None:
        """Record a node's sign of life."""
        row = {"node": node.node, "site": node.site, "at_ns": node.at, "facts": dict(node.facts)}
        with self.database.write() as db:
            self.database.upsert(db, schema.node, row, ("site", "at_ns", "facts"))

    def nodes(self) -> list[NodeBeat]:
        """Return the last sign of life of every node."""
        with self.database.read() as db:
            query = select(schema.node).order_by(schema.node.c.node)
            return [NodeBeat(row.node, row.site, row.at_ns, row.facts) for row in db.execute(query)]

    # -- documents -----------------------------------------------------------------------

    def document(self, kind: str) -> Document | None:
        """Return the newest version of a document."""
        table = schema.document
        query = select(table).where(table.c.kind == kind).order_by(table.c.version.desc()).limit(1)
        with self.database.read() as db:
            row = db.execute(query).first()
        if row is None:
            return None
        return Document(row.kind, row.version, row.body, row.author, row.at_ns)

    def put_document(
        self, kind: str, body: Mapping[str, Any], author: str, at: Instant
    ) -> Document:
        """Store a new version of a document."""
        table = schema.document
        with self.database.write() as db:
            newest = db.execute(
                select(func.max(table.c.version)).where(table.c.kind == kind)
            ).scalar()
            version = int(newest or 0) + 1
            db.execute(
                table.insert().values(
                    kind=kind, version=version, body=dict(body), author=author, at_ns=at
                )
            )
        return Document(kind, version, dict(body), author, at)

    def store_id(self, name: str) -> str | None:
        """Return the identity a store must show, once it has been registered."""
        query = select(schema.store.c.identity).where(schema.store.c.name == name)
        with self.database.read() as db:
            found: str | None = db.execute(query).scalar()
            return found

    def register_store(self, name: str, identity: str, *, replace: bool = False) -> str:
        """Remember a store's identity unless one is known; return the one that holds."""
        table = schema.store
        with self.database.write() as db:
            row = {"name": name, "identity": identity}
            self.database.upsert(db, table, row, ("identity",) if replace else ())
            found = db.execute(select(table.c.identity).where(table.c.name == name))
            return str(found.scalar_one())

    # -- the rest ------------------------------------------------------------------------

    def audit_log(self, limit: int) -> list[AuditEntry]:
        """Return the newest audit entries."""
        table = schema.audit
        query = select(table).order_by(table.c.audit_no.desc()).limit(limit)
        with self.database.read() as db:
            return [read_audit(row) for row in db.execute(query)]

    def audit_of(self, camera: str, asked: TimeRange, limit: int = 1000) -> list[AuditEntry]:
        """Return the audit entries on a camera's footage that touch a range, by start."""
        table = schema.audit
        query = (
            select(table)
            .where(
                table.c.camera == camera,
                table.c.start_ns < asked.end,
                table.c.end_ns > asked.start,
            )
            .order_by(table.c.start_ns, table.c.audit_no)
            .limit(limit)
        )
        with self.database.read() as db:
            return [read_audit(row) for row in db.execute(query)]

    def counts(self) -> dict[str, int]:
        """Return how many rows there are, by kind."""
        tables = (schema.stream, schema.segment, schema.span, schema.copy, schema.gap)
        with self.database.read() as db:
            return {
                table.name: int(db.execute(select(func.count()).select_from(table)).scalar_one())
                for table in tables
            }

    def close(self) -> None:
        """Let go of connections."""
        self.database.close()
