"""Carry a plan out: audit and condemn, wait for the grace, delete, forget.

Every step may be the last before a crash, and every step may be done twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from policies.document import Policy
from policies.facts import Capacity, StoreFacts, Touch
from policies.plan import Condemn, Plan
from policies.read import parse_policy
from policies.retain import needs_all, retain, shortest_ns
from recorder import telemetry
from recorder.model.copies import CopyColumns
from recorder.model.holds import held_ranges
from recorder.model.media import Copy, SegmentId
from recorder.model.places import PARENT
from recorder.model.timebase import DAY, HOUR, Instant, TimeRange
from recorder.ports import (
    AuditEntry,
    Cameras,
    Commits,
    DeletableStore,
    Deletion,
    Documents,
    Events,
    Footage,
    Holds,
    ObjectStore,
    Planning,
    Sites,
)

log = logging.getLogger("recorder.janitor")

PAGE = 2000
BATCH = 200


class CacheSpool(Protocol):
    """What purging needs of a spool."""

    def remove(self, key: str) -> int:
        """Remove a sealed file."""


class PlanCatalog(Protocol):
    """The parts of the catalog that plans are made from."""

    planning: Planning
    documents: Documents
    cameras: Cameras
    holds: Holds
    events: Events
    sites: Sites


class SweepCatalog(Protocol):
    """The parts of the catalog in which plans are carried out."""

    planning: Planning
    deletion: Deletion
    footage: Footage
    commits: Commits


def copies_in(planning: Planning, place: str, *, condemned: bool = False) -> Iterator[Copy]:
    """Page through the copies at a place."""
    after: SegmentId | None = None
    while True:
        page = planning.copies_at(place, after, PAGE, condemned)
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1].segment.id


def policy_in_force(documents: Documents) -> Policy | None:
    """Return the policy in force, ``None`` when none was ever set: then nothing goes."""
    document = documents.newest("policy")
    return parse_policy(document.body, document.version) if document is not None else None


def plan_for(
    catalog: PlanCatalog, store: ObjectStore, policy: Policy, level: str, now: Instant
) -> Plan:
    """Gather the facts of one store and decide."""
    return retain(policy, facts_of(catalog, store, policy, level, now))


def facts_of(
    catalog: PlanCatalog,
    store: ObjectStore,
    policy: Policy,
    level: str,
    now: Instant,
    *,
    all_copies: bool = False,
    after: Instant | None = None,
    only: TimeRange | None = None,
) -> StoreFacts:
    """Gather what a plan for one store is made from.

    ``after``: of the latest footage only; ``only``: of what began within this, where what the
    plan does with it depends on no other footage.
    """
    room = store.free_bytes()
    marked, lately = catalog.planning.condemned_bytes(store.name, now - HOUR)
    free, total = room if room is not None else (0, None)
    capacity = Capacity(free, total, marked, lately)
    whole = (
        all_copies
        or after is not None
        or needs_all(policy, capacity, policy.room(store.name, level).floor)
    )
    before = None if whole else now - shortest_ns(policy)
    if only is not None and not whole:
        before, after = only.end, only.start - 1
    parent = next((site for site in catalog.sites.all() if site.name == PARENT), None)
    lanes = catalog.planning.copy_columns(store.name, parent is not None, before, after)
    _group(catalog.cameras, lanes)
    return StoreFacts(
        store.name,
        level,
        lanes,
        now,
        held_ranges(catalog.holds.live(now), now),
        _touches(catalog.events, lanes),
        capacity,
        now - parent.at if parent is not None else None,
    )


def _group(cameras: Cameras, lanes: Sequence[CopyColumns]) -> None:
    groups = cameras.groups()  # of removed cameras too: their footage keeps its rules
    for lane in lanes:
        lane.group = groups.get(lane.stream.camera, "")


def _touches(events: Events, lanes: Sequence[CopyColumns]) -> dict[str, list[Touch]]:
    starts = [lane.starts[0] for lane in lanes if len(lane)]
    if not starts:
        return {}
    ends = [lane.ends[-1] for lane in lanes if len(lane)]
    found: dict[str, list[Touch]] = {}
    for camera, touched, kind in events.windows(TimeRange(min(starts) - DAY, max(ends) + DAY)):
        found.setdefault(camera, []).append(Touch(touched, kind))
    return found


def condemn(catalog: SweepCatalog, plan: Plan, now: Instant) -> int:
    """First phase: write the audit, mark the copies; return how many were marked."""
    marked = 0
    for i in range(0, len(plan.actions), BATCH):
        batch = {
            SegmentId(action.stream, action.start, action.writer): action
            for action in plan.actions[i : i + BATCH]
        }
        copies = catalog.planning.copies_by_id(plan.store, list(batch))
        audit = [_entry(copy, batch[copy.segment.id], plan, now) for copy in copies]
        marked += catalog.deletion.condemn(copies, now, audit)
    return marked


def _entry(copy: Copy, action: Condemn, plan: Plan, now: Instant) -> AuditEntry:
    segment = copy.segment
    return AuditEntry(
        now,
        "condemn",
        segment.stream,
        segment.key,
        plan.store,
        segment.range,
        segment.size_bytes,
        action.rule,
        action.reason,
        plan.version,
    )


def purge(
    catalog: SweepCatalog,
    store: DeletableStore,
    spools: Sequence[CacheSpool],
    grace_ns: int,
    now: Instant,
    pace: Callable[[int], object] = lambda _: None,
) -> int:
    """Second phase: delete what was condemned longer ago than the grace.

    ``spools`` are the local spools whose cached copies go with it; ``pace`` is told how many
    objects are to be deleted, and may wait.
    """
    purged = 0
    while True:
        due = catalog.deletion.take_due(store.name, now - grace_ns, now, BATCH)
        if not due:
            return purged
        pace(len(due))
        store.delete([copy.segment.key for copy in due])
        for spool in spools:
            for copy in due:
                spool.remove(copy.segment.key)
        cached = [
            copy
            for copies in catalog.footage.copies([copy.segment for copy in due]).values()
            for copy in copies
            if copy.in_spool
        ]
        catalog.commits.forget([*cached, *due], "purged")
        log.info("purged", extra={"store": store.name, "segments": len(due)})
        telemetry.PURGED_BYTES.labels(store.name).inc(sum(c.segment.size_bytes for c in due))
        purged += len(due)
        if len(due) < BATCH:
            return purged
