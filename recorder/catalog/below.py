"""Camera documents for sites below: kept here, told downward, put in force there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select

from recorder.catalog import schema
from recorder.catalog.keeping import Keeping
from recorder.model.timebase import Instant
from recorder.ports import CameraBelow


class Below(Keeping):
    """The queries on cameras of sites below; :class:`recorder.catalog.sql.SqlCatalog` has them."""

    def put_camera_below(
        self, site: str, name: str, body: Mapping[str, Any] | None, author: str, at: Instant
    ) -> CameraBelow:
        """Store what a site below should record; ``None``: no longer.

        Its time is later than that of everything stored before, for it is what children have
        heard by.
        """
        table = schema.camera_below
        with self.database.write() as db:
            last = db.execute(select(func.max(table.c.at_ns))).scalar() or 0
            own = (table.c.site == site, table.c.name == name)
            version = db.execute(select(table.c.version).where(*own)).scalar() or 0
            one = CameraBelow(site, name, version + 1, body, author, max(at, last + 1))
            row = {
                "site": site, "name": name, "version": one.version, "body": body or {},
                "author": author, "at_ns": one.at,
            }  # fmt: skip
            self.database.upsert(db, table, row, ("version", "body", "author", "at_ns"))
        return one

    def cameras_below(self, after: Instant = 0) -> list[CameraBelow]:
        """Return what sites below should record, stored after an instant, in that order."""
        table = schema.camera_below
        query = select(table).where(table.c.at_ns > after).order_by(table.c.at_ns)
        with self.database.read() as db:
            return [
                CameraBelow(
                    row.site, row.name, row.version, dict(row.body) or None, row.author, row.at_ns
                )
                for row in db.execute(query)
            ]
