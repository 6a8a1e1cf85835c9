"""Leases: a node's right to do something for a while; another takes over when it ends."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, select, update

from recorder.catalog import schema
from recorder.catalog.alone import LEASES, one_at_a_time
from recorder.catalog.database import Database
from recorder.model.timebase import DAY, Instant
from recorder.ports import Lease

LONGEST = DAY
"""No lease is taken for so long: one that lasts longer was taken by a clock that was ahead."""


class SqlLeases:
    """A :class:`recorder.ports.Leases`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(
        self, node: str, free: Iterable[str], held: Iterable[str], now: Instant, until: Instant
    ) -> dict[str, Lease]:
        """Take those of ``free`` that nobody holds, renew those of ``held`` that are ours.

        Returns the leases of all names as they are now.
        """
        wanted, keeping = set(free), set(held)
        names = wanted | keeping
        found: dict[str, Lease] = {}
        with self._database.write(quiet=True) as db:
            one_at_a_time(db, LEASES)
            known = self._read(db, names)
            rows = []
            for name in sorted(names):
                old = known.get(name)
                lasts = old is not None and now < old.until <= now + LONGEST
                if old is not None and old.node != node and (lasts or name not in wanted):
                    found[name] = old
                    continue
                if old is None and name not in wanted:
                    continue
                ours = old is not None and old.node == node
                term = old.term + (0 if ours else 1) if old is not None else 1
                handing = old.handing if ours and old is not None else ""
                found[name] = Lease(name, node, term, until, handing)
                rows.append(
                    {
                        "name": name,
                        "node": node,
                        "term": term,
                        "until_ns": until,
                        "handing": handing,
                    }
                )
            changing = ("node", "term", "until_ns", "handing")
            self._database.upsert(db, schema.lease, rows, changing)
        return found

    def offer(self, name: str, node: str, to: str) -> None:
        """Say that ``node``, which holds a lease, would hand it to another; ``""`` to nobody."""
        table = schema.lease
        with self._database.write(quiet=True) as db:
            one_at_a_time(db, LEASES)
            db.execute(
                update(table).where(table.c.name == name, table.c.node == node).values(handing=to)
            )

    def claim(self, name: str, node: str, until: Instant) -> bool:
        """Take a lease that was offered to ``node``; false when it was not, or no more."""
        table = schema.lease
        with self._database.write(quiet=True) as db:
            one_at_a_time(db, LEASES)
            done = db.execute(
                update(table)
                .where(table.c.name == name, table.c.handing == node)
                .values(node=node, term=table.c.term + 1, until_ns=until, handing="")
            )
            return done.rowcount > 0

    def release(self, node: str) -> None:
        """Let go of everything a node holds, so that others need not wait."""
        table = schema.lease
        with self._database.write(quiet=True) as db:
            one_at_a_time(db, LEASES)
            db.execute(update(table).where(table.c.node == node).values(until_ns=0, handing=""))

    def all(self) -> list[Lease]:
        """Return all leases, by name."""
        with self._database.read() as db:
            return sorted(self._read(db, None).values(), key=lambda one: one.name)

    def _read(self, db: Connection, names: Collection[str] | None) -> dict[str, Lease]:
        table = schema.lease
        found: dict[str, Lease] = {}
        for row in db.execute(select(table)):
            if names is None or row.name in names:
                found[row.name] = Lease(row.name, row.node, row.term, row.until_ns, row.handing)
        return found
