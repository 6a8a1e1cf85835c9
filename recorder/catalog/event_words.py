"""Words of events, as stores and other sites have them: whose event, and whether it is news."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection, select

from recorder.catalog import schema
from recorder.model.events import Event
from recorder.model.keys import other_name


def by_own_name(db: Connection, event: Event) -> Event:
    """Return another site's event as it is called here: otherwise where its id is another's.

    Devices count: each site has an event 1.  Who writes it at the same time is waited for.
    """
    table, name = schema.event.c, other_name(event.event_id, event.site)
    query = select(table.event_id, table.site).where(table.event_id.in_((event.event_id, name)))
    known = {row.event_id: row.site for row in db.execute(query.with_for_update())}
    taken = known.get(event.event_id, event.site) != event.site
    return replace(event, event_id=name) if taken or name in known else event


def is_news(db: Connection, event_id: str, site: str, version: int) -> bool:
    """Tell whether a site's word of an event is later than what is known of it, if anything is.

    Of an event of another site it is no word at all, whatever its id.  Who writes it at the same
    time is waited for.
    """
    table = schema.event.c
    known = select(table.site, table.version).where(table.event_id == event_id).with_for_update()
    found = db.execute(known).first()
    return found is None or (found.site == site and version > found.version)


def revives(db: Connection, event: Event) -> bool:
    """Tell whether an event was removed by a word of the same version that an event has."""
    table = schema.event.c
    query = select(table.site, table.version).where(
        table.event_id == event.event_id, table.removed_ns.is_not(None)
    )
    return not event.removed and db.execute(query).first() == (event.site, event.version)
