"""Carry a retention plan out: audit and condemn, wait for the grace, delete, forget.

Every step may be the last before a crash, and every step may be done twice.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from policies.document import Retention, parse_retention
from policies.plan import Plan
from policies.retain import Capacity, retain
from recorder.model.media import Copy
from recorder.model.timebase import Instant
from recorder.ports import AuditEntry, Catalog, ObjectStore

log = logging.getLogger("recorder.janitor")

PAGE = 2000
BATCH = 200


def copies_in(catalog: Catalog, place: str, *, condemned: bool = False) -> Iterator[Copy]:
    """Page through the copies at a place."""
    after: tuple[str, Instant] | None = None
    while True:
        page = catalog.copies_at(place, after, PAGE, condemned)
        yield from page
        if len(page) < PAGE:
            return
        last = page[-1].segment
        after = (str(last.stream), last.start)


def retention_in_force(catalog: Catalog) -> Retention | None:
    """Return the retention document, ``None`` when none was ever set: then nothing goes."""
    document = catalog.document("retention")
    return parse_retention(document.body, document.version) if document is not None else None


def plan_for(catalog: Catalog, store: ObjectStore, document: Retention, now: Instant) -> Plan:
    """Gather the facts of one store and decide."""
    groups = {camera.name: camera.group for camera in catalog.cameras()}
    room = store.free_bytes()
    capacity = Capacity(room[0], room[1]) if room is not None else Capacity()
    return retain(store.name, copies_in(catalog, store.name), groups, {}, document, capacity, now)


def condemn(catalog: Catalog, plan: Plan, now: Instant) -> int:
    """First phase: write the audit, mark the copies."""
    for i in range(0, len(plan.actions), BATCH):
        batch = plan.actions[i : i + BATCH]
        audit = [
            AuditEntry(
                now, "condemn", action.copy.segment.stream, action.copy.segment.key, plan.store,
                action.copy.segment.range, action.copy.segment.size_bytes, action.rule,
                action.reason, plan.version,
            )
            for action in batch
        ]  # fmt: skip
        catalog.condemn([action.copy for action in batch], now, audit)
    return len(plan.actions)


def purge(
    catalog: Catalog, store: ObjectStore, spools: Sequence[object], grace_ns: int, now: Instant
) -> int:
    """Second phase: delete what was condemned longer ago than the grace.

    ``spools`` are the local spools whose cached copies go with it.
    """
    due = [
        copy
        for copy in copies_in(catalog, store.name, condemned=True)
        if copy.condemned_at is not None and copy.condemned_at <= now - grace_ns
    ]
    for i in range(0, len(due), BATCH):
        batch = due[i : i + BATCH]
        store.delete([copy.segment.key for copy in batch])
        cached = []
        for spool in spools:
            for copy in batch:
                spool.remove(copy.segment.key)  # type: ignore[attr-defined]
        for copies in catalog.copies([copy.segment for copy in batch]).values():
            cached += [copy for copy in copies if copy.in_spool]
        catalog.forget([*cached, *batch], "purged")
        log.info("purged", extra={"store": store.name, "segments": len(batch)})
    return len(due)
