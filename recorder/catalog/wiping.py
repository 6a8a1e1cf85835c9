"""Overwriting what a database's own files still hold of rows that were changed or deleted."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from recorder.catalog.database import Database
from recorder.errors import CatalogUnavailable

ROOM = 2.2
"""SQLite writes all of a file twice: into a temporary one, then into its log."""


def wipe(database: Database, tables: Sequence[str]) -> None:
    """Write a SQLite file anew, all of it; in PostgreSQL the named tables.

    It takes seconds a gigabyte; others read meanwhile, and writers wait.
    Raises: ``CatalogUnavailable`` when somebody else is in the way, or there is no room.
    """
    if database.is_sqlite:
        path = database.engine.url.database
        if path and path != ":memory:":
            _check_room(Path(path))
        with database.alone() as db:
            db.exec_driver_sql("VACUUM")
            said = db.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
        if said[0]:
            raise CatalogUnavailable(
                "wipe the catalog's file: others read what was there before",
                hint="it is tried again",
            )
        return
    with database.alone() as db:
        for name in tables:
            db.exec_driver_sql(f'VACUUM (FULL) "{name}"')


def _check_room(path: Path) -> None:
    size = path.stat().st_size
    free = shutil.disk_usage(path.parent).free
    if free < ROOM * size:
        takes, has = f"{ROOM * size / 1e9:.1f} GB", f"{free / 1e9:.1f} GB"
        raise CatalogUnavailable(
            f"wipe {path}: it takes {takes} for a while, and {has} are free",
            hint="free some space: until then the file may hold passwords from before they were "
            "encrypted",
        )
