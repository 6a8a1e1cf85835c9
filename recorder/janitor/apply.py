"""Carry a plan out, its first half: audit, and mark what goes when the grace is over.

Every step may be the last before a crash, and every step may be done twice.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from policies.document import Policy
from policies.facts import Capacity, StoreFacts, Touch
from policies.plan import Condemn, Plan, Spare
from policies.reach import needs_all, shortest_ns
from recorder.janitor.adopted import adopted_at
from recorder.janitor.meter import Meter
from recorder.model.copies import CopyColumns
from recorder.model.counting import number_of
from recorder.model.holds import held_ranges
from recorder.model.keys import CameraId, group_of
from recorder.model.media import Copy, SegmentId
from recorder.model.places import PARENT
from recorder.model.timebase import DAY, HOUR, Instant, TimeRange, parse_instant
from recorder.ports import (
    AuditEntry,
    Cameras,
    Commits,
    Deletion,
    Documents,
    Events,
    Holds,
    Measured,
    Planning,
    Progress,
    Sites,
)

log = logging.getLogger("recorder.janitor")

FIRST_PLAUSIBLE = parse_instant("2020-01-01T00:00:00Z")
"""No recorder of ours is older: what says so was recorded by a machine without a clock."""
NO_CLOCK = "to be of before 2020, when no clock was right: kept, whatever their age"
AHEAD = HOUR
"""More than the clocks of a site's nodes differ."""
PAGE = 2000
BATCH = 200


class PlanCatalog(Protocol):
    """The parts of the catalog that plans are made from."""

    planning: Planning
    documents: Documents
    cameras: Cameras
    holds: Holds
    events: Events
    sites: Sites
    progress: Progress


class DatedCatalog(Protocol):
    """The part of the catalog that knows when footage came."""

    commits: Commits


class SweepCatalog(Protocol):
    """The parts of the catalog in which marks are set."""

    planning: Planning
    deletion: Deletion


@dataclass(frozen=True, slots=True)
class Part:
    """Which copies a plan is made from; by default all that may be past their age, or marked.

    ``every``: all.  ``after``: of the latest footage only, and nothing that is condemned.
    ``only``: of what began within this, where what the plan does with it depends on no other.
    """

    every: bool = False
    after: Instant | None = None
    only: TimeRange | None = None


EVERY = Part(every=True)
DUE = Part()


def facts_of(
    catalog: PlanCatalog,
    store: Measured,
    policy: Policy,
    level: str,
    now: Instant,
    *,
    capacity: Capacity | None = None,
    part: Part = DUE,
    stores: Collection[str] = (),
    away: Collection[str] = (),
) -> StoreFacts:
    """Gather what a plan for one store is made from; ``capacity`` is its room, if measured.

    ``stores``: those of this site that footage may be moved to; ``away``: those of them that
    take none now: what is to go there waits, and what lies there is not relied on.
    """
    after, only = part.after, part.only
    if capacity is None:
        capacity = Meter(catalog.planning).capacity(store, now, 0)
    floor = policy.room(store.name, level).floor
    whole = part.every or after is not None or needs_all(policy, capacity, floor)
    before = None if whole else now - shortest_ns(policy)
    if only is not None and not whole:
        before, after = only.end, only.start - 1
    parent = next((site for site in catalog.sites.all() if site.name == PARENT), None)
    others = [name for name in stores if name != store.name]
    wanted = {move.to for rule in policy.rules for move in rule.move}
    lanes = catalog.planning.copy_columns(
        store.name,
        parent is not None,
        before,
        after,
        condemned=after is None or only is not None,
        elsewhere={
            name: adopted_at(catalog.progress, name)
            for name in others
            if name in wanted and name not in away
        },
    )
    _group(catalog.cameras, lanes)
    doubtful = sum(_doubt_ages(lane, now) for lane in lanes)
    return StoreFacts(
        store.name,
        level,
        lanes,
        now,
        held_ranges(catalog.holds.live(now), now),
        _touches(catalog.events, lanes),
        capacity,
        # heard in the future: by a clock that was ahead, and nobody knows when that was
        abs(now - parent.at) if parent is not None else None,
        [f"{number_of(doubtful, 'segment says', 'segments say')} {NO_CLOCK}"] if doubtful else (),
        others,
    )


def lanes_moved_to(
    catalog: PlanCatalog, store: str, policy: Policy, stores: Collection[str]
) -> list[CopyColumns]:
    """Gather what lies in the site's other stores, where a policy moves any of it to ``store``."""
    if not any(move.to == store for rule in policy.rules for move in rule.move):
        return []
    lanes = [
        lane for name in stores if name != store for lane in catalog.planning.copy_columns(name)
    ]
    _group(catalog.cameras, lanes)
    return lanes


def _doubt_ages(lane: CopyColumns, now: Instant) -> int:
    """Let no copy grow old whose recorder had no clock; return how many there are."""
    doubtful = 0
    for i, end in enumerate(lane.ends):
        if end >= FIRST_PLAUSIBLE:
            break  # they come by start
        if i not in lane.since:
            lane.since[i] = now
            doubtful += 1
    return doubtful


def date_now(catalog: DatedCatalog, lanes: Sequence[CopyColumns], now: Instant) -> None:
    """Let what a clock that was ahead by days has dated grow old from ``now``, which is proven.

    What says of itself that it is of later stays: nobody knows when that was.
    """
    for lane in lanes:
        later = [i for i, at in lane.since.items() if at > now + AHEAD and lane.ends[i] <= now]
        names = [SegmentId(lane.stream, lane.starts[i], lane.writers[i]) for i in later]
        if names:
            said = {"stream": str(lane.stream), "segments": len(names)}
            log.warning("dated by a clock that was ahead, as of now", extra=said)
            catalog.commits.date_now(names, now)


def _group(cameras: Cameras, lanes: Sequence[CopyColumns]) -> None:
    groups = cameras.groups()  # of removed cameras too: their footage keeps its rules
    for lane in lanes:
        lane.group = group_of(groups, lane.stream.camera_id)


def _touches(events: Events, lanes: Sequence[CopyColumns]) -> dict[CameraId, list[Touch]]:
    starts = [lane.starts[0] for lane in lanes if len(lane)]
    if not starts:
        return {}
    ends = [lane.ends[-1] for lane in lanes if len(lane)]
    found: dict[CameraId, list[Touch]] = {}
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


def spare(catalog: SweepCatalog, plan: Plan, now: Instant) -> int:
    """Take back the marks that the plan would not set today; return how many."""
    spared = 0
    for i in range(0, len(plan.spares), BATCH):
        batch = {
            SegmentId(one.stream, one.start, one.writer): one for one in plan.spares[i : i + BATCH]
        }
        copies = catalog.planning.copies_by_id(plan.store, list(batch))
        audit = [_entry(copy, batch[copy.segment.id], plan, now) for copy in copies]
        spared += catalog.deletion.spare(copies, now, audit)
    return spared


def _entry(copy: Copy, action: Condemn | Spare, plan: Plan, now: Instant) -> AuditEntry:
    segment = copy.segment
    return AuditEntry(
        now,
        "condemn" if isinstance(action, Condemn) else "spare",
        segment.stream,
        segment.key,
        plan.store,
        segment.range,
        segment.size_bytes,
        action.rule,
        action.reason,
        plan.version,
    )
