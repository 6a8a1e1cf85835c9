"""What only the catalog knows, written as JSON's values, and put back where it is unknown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Row, Table, func, select

from recorder.catalog import schema
from recorder.catalog.copy_rows import read_holds
from recorder.catalog.database import Database
from recorder.catalog.dated import date_back, dated
from recorder.catalog.holds import SqlHolds, hold_row
from recorder.catalog.readable import Unreadable, read_each
from recorder.catalog.rows import read_camera
from recorder.catalog.unchanged import Remembered
from recorder.model.camera_document import show_camera
from recorder.model.kept import Said
from recorder.model.keys import ANY_SITE
from recorder.model.timebase import Instant
from recorder.ports import TakenBack

NEWEST = 20
"""So many versions of a document are looked at for one that can be read."""


class SqlKept:
    """A :class:`recorder.ports.Kept`."""

    def __init__(self, database: Database, holds: SqlHolds, site: str) -> None:
        self._database, self._holds, self._site = database, holds, site
        self._taken = Remembered(database.mark, self._take)
        self._all_holds = Remembered(holds.version, self._read_holds)

    def take(self) -> Mapping[str, object]:
        """Return them as JSON's values; cameras without their secrets."""
        return self._taken.get()

    def _take(self) -> dict[str, object]:
        holds = self._all_holds.get()  # most ended long ago
        with self._database.read() as db:
            cameras = db.execute(select(schema.camera).order_by(schema.camera.c.name))
            return {
                "holds": holds,
                "documents": _newest_documents(db),
                "points": _rows(db, schema.point),
                "groups": _rows(db, schema.member),
                "cameras": [show_camera(one) for one in read_each("camera", cameras, read_camera)],
                "dated": dated(db),
            }

    def _read_holds(self) -> list[dict[str, object]]:
        with self._database.read() as db:
            held = read_holds(db, select(schema.hold).order_by(schema.hold.c.hold_id))
        return [hold_row(one) for one in held]

    def put_back(self, content: Mapping[str, Any]) -> TakenBack:
        """Put in what the catalog does not know, holds first, in one transaction.

        A hold is never removed, only released, so one that is not known was lost.  A document
        of a kind that somebody has set anew stays as that says.
        """
        done, said = TakenBack(), Said(content)
        with self._database.write() as db:
            for hold in said.holds():
                done.holds += self._holds.add_one(db, hold)
            for document in said.documents():
                self._put_document(db, document, done)
            points = said.points() if _count(db, schema.point) == 0 else []
            self._database.upsert(db, schema.point, points)
            done.points = len(points)
            before = _count(db, schema.member)
            self._database.upsert(db, schema.member, self._groups_of(said))
            done.groups = _count(db, schema.member) - before
            known = set(db.execute(select(schema.camera.c.name)).scalars())
        names = [one for one in said.cameras() if one not in known]
        done.left += said.odd
        if names:
            why = "their secrets are not kept, add them again"
            done.left.append(f"cameras {', '.join(names)}: {why}")
        return done

    def date_back(self, content: Mapping[str, object], at: Instant) -> int:
        """Take back when footage was committed whose own time is that of a wrong clock."""
        with self._database.write() as db:
            return date_back(db, Said(content).dated(), at)

    def _groups_of(self, said: Said) -> list[dict[str, object]]:
        """Return the groups; where none has a site (before schema 0008), with that which it means.

        A camera of which a document was kept with it is the site's own; any other one was of a
        site below, which will say its group: until then it is that of its name at any site.
        """
        own = set(said.cameras())
        return [
            {"site": self._site if row["camera"] in own else ANY_SITE, **row}
            for row in said.groups()
        ]

    def _put_document(self, db: Connection, row: Mapping[str, object], done: TakenBack) -> None:
        table, kind = schema.document, row["kind"]
        newest = db.execute(select(func.max(table.c.version)).where(table.c.kind == kind)).scalar()
        if newest is None:
            db.execute(table.insert().values(**row))
            done.documents.append(f"{kind} version {row['version']}")
        elif newest < row["version"]:
            done.left.append(f"{kind} version {row['version']}: the catalog has version {newest}")


def _rows(db: Connection, table: Table) -> list[dict[str, object]]:
    query = select(table).order_by(*table.primary_key)
    return _readable(db.execute(query))


def _readable(found: Iterable[Row[Any]]) -> list[dict[str, object]]:
    rows = (dict(row._mapping) for row in found)
    return [row for row in rows if not any(isinstance(one, Unreadable) for one in row.values())]


def _newest_documents(db: Connection) -> list[dict[str, object]]:
    """Return of each kind the newest that can be read."""
    document = schema.document.c
    found = []
    for kind in db.execute(select(document.kind).distinct().order_by(document.kind)).scalars():
        newest = select(schema.document).where(document.kind == kind)
        rows = db.execute(newest.order_by(document.version.desc()).limit(NEWEST))
        found += _readable(rows)[:1]
    return found


def _count(db: Connection, table: Table) -> int:
    return int(db.execute(select(func.count()).select_from(table)).scalar_one())
