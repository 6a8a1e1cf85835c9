"""Which of a child's messages was the last that was taken in.

One that its sender has given up may still wait for a catalog that hangs, in another process than
the one that takes in what was said again since: so it is in the catalog, in the transaction that
takes something in, that the two are compared.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, select, update

from recorder.catalog import schema
from recorder.catalog.database import Database
from recorder.errors import StateError
from recorder.model.timebase import Instant
from recorder.ports import Numbered


def take_next(
    database: Database, db: Connection, child: str, numbered: Numbered | None, at: Instant
) -> None:
    """Note that a message is taken in, none of the same child beside it.

    Raises: ``StateError`` when a newer one of the same sender was.
    """
    if numbered is None:  # of an older release
        return
    table = schema.progress
    mine = table.c.name == _name(child)
    db.execute(update(table).where(mine).values(at_ns=at))  # the others wait for this one
    known = db.execute(select(table.c.facts).where(mine)).scalar() or {}
    if known.get("by") == numbered.by and int(known.get("number", 0)) > numbered.number:
        raise StateError(f"feed: {child} has said something newer since, to another process")
    facts = {"by": numbered.by, "number": numbered.number}
    row = {"name": _name(child), "at_ns": at, "facts": facts}
    database.upsert(db, table, row, ("at_ns", "facts"))


def forget_heard(db: Connection, child: str) -> None:
    """Know nothing more of what a child said last."""
    db.execute(delete(schema.progress).where(schema.progress.c.name == _name(child)))


def _name(child: str) -> str:
    return f"heard {child}"
