"""Backups: a whole catalog as one SQLite file, of either engine, for either engine.

The file is a catalog itself.  Out of SQLite it is made by the online backup, page by page; out
of PostgreSQL row by row in one transaction.  It is put back row by row, in one transaction.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, delete, func, insert, select, update

from recorder.catalog import schema
from recorder.catalog.anew import tell_anew
from recorder.catalog.database import Database
from recorder.catalog.documents import CATALOG, SITE
from recorder.durable import only_one
from recorder.errors import IntegrityError, RequestError, StateError
from recorder.model.places import PARENT
from recorder.model.timebase import MINUTE, Instant

ROWS = 1000
"""So many rows go over at a time."""
TOLD = ("segment", "camera", "hold", "document", "point", "event", "gap", "audit", "account")
"""A catalog with none of these is empty: what a node says of itself does not count."""

TABLES = "SELECT count(*) FROM sqlite_master WHERE name IN ('segment', 'alembic_version')"


def write_backup(database: Database, path: Path) -> None:
    """Write a whole catalog into a new file, readable by its owner only.

    Raises: ``RequestError`` when there is one; ``IntegrityError`` when the catalog is damaged.
    Durable: once this returns, the file survives the loss of this process and host.
    """
    if path.exists():
        raise RequestError(f"{path} is there already", hint="name a file that is not there yet")
    part = path.with_name(f".{path.name}.part")
    with _translated(path):
        os.close(os.open(part, os.O_CREAT | os.O_WRONLY, 0o600))
    with only_one(part, path):
        _write_backup(database, part, path)


def _write_backup(database: Database, part: Path, path: Path) -> None:
    try:
        with _translated(path):
            part.chmod(0o600)
            os.truncate(part, 0)  # of one that died
        if database.is_sqlite:
            _copy_pages(database, part)
        else:
            _copy_rows_out(database, part)
        with _translated(path):
            _finish(part)
            part.rename(path)
            _sync(path.parent)
    finally:
        for left in (part, *(part.with_name(part.name + end) for end in ("-wal", "-shm"))):
            left.unlink(missing_ok=True)


def _copy_pages(database: Database, part: Path) -> None:
    with database.read() as db, _translated(part):
        raw: Any = db.connection.driver_connection
        with sqlite3.connect(part) as target:
            raw.backup(target)
        target.close()


def _copy_rows_out(database: Database, part: Path) -> None:
    file = Database(f"sqlite:///{part}")
    try:
        with database.snapshot() as source, file.write() as target:
            _copy_rows(source, target)
    finally:
        file.close()


def _finish(part: Path) -> None:
    """Prove a backup, and leave it one file."""
    with sqlite3.connect(part) as file:
        said = file.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if said != "ok":
            raise IntegrityError(
                f"the backup is not whole: {said}", hint="the catalog is damaged: recorder check"
            )
        file.execute("PRAGMA journal_mode=DELETE")
    file.close()
    _sync(part)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_backup(
    path: Path, database: Database, at: Instant, *, replace: bool = False
) -> dict[str, int]:
    """Put a backup into a catalog, in one transaction; return how many rows, by table.

    What it says of copies above was so once: what is here, too, is not believed to lie there, and
    the parent is told all anew.  ``replace``: in place of what the catalog has.
    Raises: ``StateError`` when it has something, or is another site's than the backup;
    ``RequestError`` when the file is no backup.
    """
    _refuse_living(path)
    with tempfile.TemporaryDirectory(prefix="recorder-restore-") as folder:
        copy = Path(folder) / "catalog.db"  # an older one is brought to the present schema there
        with _translated(path):
            shutil.copyfile(path, copy)
        with sqlite3.connect(copy) as file, _translated(path):
            if file.execute(TABLES).fetchone()[0] != 2:
                raise RequestError(f"{path} is not a backup of a catalog")
            said = file.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if said != "ok":
                raise IntegrityError(f"backup {path} is damaged: {said}")
        file.close()
        backup = Database(f"sqlite:///{copy}")
        try:
            with backup.read() as source, database.write() as target:
                _refuse_other(source, target)
                _refuse_full(target, replace)
                unsigned = _unsigned(target)
                for table in schema.metadata.sorted_tables:
                    target.execute(delete(table))
                copied = _copy_rows(source, target)
                _put_back(target, unsigned)
                _settle(target, at)
                return copied
        finally:
            backup.close()


def _settle(db: Connection, at: Instant) -> None:
    """Let nothing of a backup count that was so then, and may be otherwise by now."""
    # it is another catalog than it was when the backup was made: children tell all anew
    own = schema.store.c.name == CATALOG
    db.execute(delete(schema.store).where(own))
    # what was ended since would count again: people sign in anew
    ended = schema.credential.c.kind != "token"
    db.execute(delete(schema.credential).where(ended))
    db.execute(delete(schema.approval))
    # who asked may have taken it back since; what is done lies where it lay
    db.execute(delete(schema.export).where(schema.export.c.ended_ns.is_(None)))
    # nobody is known to live by what was said then
    late = schema.node.c.at_ns > at - MINUTE
    db.execute(update(schema.node).where(late).values(at_ns=at - MINUTE))
    below = schema.site.c.name == PARENT
    if db.execute(select(schema.site.c.name).where(below)).first() is not None:
        tell_anew(db, at)


def _refuse_living(path: Path) -> None:
    """Refuse the file of a catalog that is, or was, in use: what was last written is not in it.

    Raises: ``RequestError``.
    """
    beside = path.with_name(path.name + "-wal")
    if beside.exists() and beside.stat().st_size > 0:
        raise RequestError(
            f"{path} is no backup: it is the file of a catalog that a node uses, or used as it "
            f"ended, and {beside.name} holds what was written last",
            hint="to go on with that catalog put both files in its place, and restore nothing; "
            "recorder backup writes a backup",
        )


def _unsigned(db: Connection) -> list[dict[str, object]]:
    """Return the entries of the audit log that are nowhere else: a restore must not lose them."""
    table = schema.audit
    query = select(table).where(table.c.leaf_no.is_(None), table.c.entry.is_not(None))
    rows = db.execute(query.order_by(table.c.audit_no)).mappings()
    return [{key: value for key, value in row.items() if key != "audit_no"} for row in rows]


def _put_back(db: Connection, entries: list[dict[str, object]]) -> None:
    """Put entries in again, but for those that the backup has, too."""
    column = schema.audit.c
    for entry in entries:
        same = (column.at_ns == entry["at_ns"], column.entry == entry["entry"])
        if db.execute(select(column.audit_no).where(*same).limit(1)).first() is None:
            db.execute(insert(schema.audit).values(**entry))


def _refuse_other(source: Connection, target: Connection) -> None:
    """Put no site's catalog in place of another's: neither could go on by it."""
    table = schema.store
    query = select(table.c.identity).where(table.c.name == SITE)
    theirs, ours = source.execute(query).scalar(), target.execute(query).scalar()
    if theirs and ours and theirs != ours:
        raise StateError(
            f"restore: the backup is of site {theirs}, and this is site {ours}",
            hint="name a backup of this site, or the settings of the other: --config",
        )


def _refuse_full(db: Connection, replace: bool) -> None:
    for name in () if replace else TOLD:
        table = schema.metadata.tables[name]
        query = select(table).limit(1)
        if table is schema.audit:  # of deletions: that a node was started does not count
            query = query.where(table.c.key != "")
        if db.execute(query).first() is not None:
            raise StateError(
                f"restore: the catalog is not empty, it has rows in {name}",
                hint="to put the backup in place of all it has: --replace",
            )


def _copy_rows(source: Connection, target: Connection) -> dict[str, int]:
    if target.dialect.name != "sqlite":
        target.exec_driver_sql("SET LOCAL statement_timeout = 0")
    copied = {}
    for table in schema.metadata.sorted_tables:
        copied[table.name] = 0
        for rows in source.execute(select(table)).mappings().partitions(ROWS):
            target.execute(insert(table), [dict(row) for row in rows])
            copied[table.name] += len(rows)
        if target.dialect.name != "sqlite":
            _go_on_counting(target, table)
    return copied


def _go_on_counting(db: Connection, table: Table) -> None:
    """Let PostgreSQL number new rows after those that were put in."""
    for column in table.primary_key:
        query = select(func.pg_get_serial_sequence(table.name, column.name))
        sequence = db.execute(query).scalar()
        if sequence:
            last = db.execute(select(func.max(column))).scalar()
            db.execute(select(func.setval(sequence, last or 1, last is not None)))


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise RequestError(f"backup {path}: {exc.strerror or exc}") from exc
    except sqlite3.DatabaseError as exc:
        raise IntegrityError(f"backup {path}: {exc}") from exc
