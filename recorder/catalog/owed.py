"""Which events a store, or a site below, has not got yet: as the outbox, by what changed.

An event is owed to everybody who ever asked from the transaction that writes it, and until the
very version that is there then was taken.  No clock is asked, and nothing passes anything over:
neither one that leapt, nor a transaction that ends later than one that began after it.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, literal, select

from recorder.catalog import schema
from recorder.model.timebase import Instant

_ASKED = ""
"""In place of an event: the target has asked, and is owed what is written from then on."""


def owe(db: Connection, event_id: str) -> None:
    """Owe an event to all who ask, in the transaction that writes it."""
    table = schema.owed_event
    known = table.alias("known")
    owed = select(known.c.target).where(
        known.c.target == table.c.target, known.c.event_id == event_id
    )
    asking = select(table.c.target, literal(event_id)).where(
        table.c.event_id == _ASKED, ~owed.exists()
    )
    db.execute(insert(table).from_select(["target", "event_id"], asking))


def begin(db: Connection, target: str, since: Instant) -> None:
    """Owe a target all events that were noted after an instant, and all that come."""
    table, event = schema.owed_event, schema.event
    forget(db, target)
    db.execute(insert(table).values(target=target, event_id=_ASKED))
    all_ = select(literal(target), event.c.event_id).where(event.c.noted_ns > since)
    db.execute(insert(table).from_select(["target", "event_id"], all_))


def forget(db: Connection, target: str) -> None:
    """Owe a target nothing, as one that never asked."""
    if db.dialect.name == "postgresql":  # who is writing an event owes it, or has ended
        db.exec_driver_sql("LOCK TABLE owed_event IN EXCLUSIVE MODE")
    db.execute(delete(schema.owed_event).where(schema.owed_event.c.target == target))


def targets(db: Connection) -> list[str]:
    """Return who has asked."""
    table = schema.owed_event
    query = select(table.c.target).where(table.c.event_id == _ASKED).order_by(table.c.target)
    return list(db.execute(query).scalars())


def has_asked(db: Connection, target: str) -> bool:
    """Tell whether events are noted for a target."""
    table = schema.owed_event
    query = select(table.c.target).where(table.c.target == target, table.c.event_id == _ASKED)
    return db.execute(query).first() is not None


def settle(db: Connection, target: str, taken: Sequence[tuple[str, int]]) -> None:
    """Owe a target no more what it has, by id and version; of others it is owed the newer one.

    Nobody changes an event between the look at its version and the end of this transaction: who
    did would see that it is owed still, and note nothing.
    """
    table, event = schema.owed_event, schema.event
    for i in range(0, len(taken), 500):
        versions = dict(taken[i : i + 500])
        known = select(event.c.event_id, event.c.version).where(event.c.event_id.in_(versions))
        query = known.order_by(event.c.event_id).with_for_update(read=True)
        done = [name for name, version in db.execute(query) if versions[name] >= version]
        db.execute(delete(table).where(table.c.target == target, table.c.event_id.in_(done)))
