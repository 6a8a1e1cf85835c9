"""Advice on policy: dry runs on real facts, differences, reasons, and forecasts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from policies.diff import Change, compare
from policies.document import Policy
from policies.explain import Kept, explain
from policies.forecast import Forecast, forecast, shortcomings
from policies.judge import STAY, Verdict
from policies.plan import Condemn, Plan, Thin, by_rule
from policies.replicate import Transfer, replicate
from policies.retain import retain, verdict_on
from recorder.janitor.apply import PlanCatalog, facts_of, policy_in_force
from recorder.janitor.meter import Meter
from recorder.model.cameras import Camera
from recorder.model.keys import CameraId, StreamId, group_of
from recorder.model.media import Copy, Segment
from recorder.model.places import PARENT, Place
from recorder.model.shown import ShownEntry
from recorder.model.timebase import DAY, MINUTE, Instant, TimeRange, format_instant
from recorder.ports import Audit, AuditEntry, Clock, Footage, ObjectStore
from recorder.reading.view import View


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a document would do to one store, and what it changes there.

    ``transfers``: what it would send up from there, most urgent first.
    """

    plan: Plan
    change: Change | None
    transfers: Sequence[Transfer] = ()


def dry_run(
    catalog: PlanCatalog,
    store: ObjectStore,
    proposed: Policy | None,
    level: str,
    now: Instant,
    grace_ns: int = 0,
) -> DryRun | None:
    """Plan under the document in force, or a proposed one; ``None`` when there is neither."""
    present = policy_in_force(catalog.documents)
    policy = proposed or present
    if policy is None:
        return None
    room = Meter(catalog.planning).capacity(store, now, grace_ns)
    facts = facts_of(catalog, store, policy, level, now, capacity=room, all_copies=True)
    plan = retain(policy, facts)
    linked = any(site.name == PARENT for site in catalog.sites.all())
    transfers = replicate(policy, facts) if linked else ()
    if proposed is None:
        return DryRun(plan, None, transfers)
    before = retain(present, facts) if present else None
    return DryRun(plan, compare(before, plan, facts.holds), transfers)


def forecast_of(
    catalog: PlanCatalog,
    store: ObjectStore,
    policy: Policy,
    level: str,
    now: Instant,
    grace_ns: int = 0,
) -> Forecast:
    """Say when a store is full, and which streams then miss their minimum."""
    room = Meter(catalog.planning).capacity(store, now, grace_ns)
    facts = facts_of(catalog, store, policy, level, now, capacity=room, all_copies=True)
    return forecast(policy, facts)


def reasons(
    catalog: AdviceCatalog,
    stores: Mapping[str, ObjectStore],
    segment: Segment,
    levels: dict[str, str],
    now: Instant,
    grace_ns: int = 0,
) -> list[str]:
    """Say why a segment is there and when it goes.

    ``levels`` are those of the stores here, ``stores`` those that the janitor plans for.
    """
    kinds = {
        kind
        for _, touched, kind in catalog.events.windows(segment.range, segment.stream.camera_id)
        if touched.overlaps(segment.range)
    }
    holds = [
        hold
        for hold in catalog.holds.all()
        if hold.names(segment.stream.camera_id) and hold.range.overlaps(segment.range)
    ]
    policy = policy_in_force(catalog.documents)
    copies = catalog.footage.copies([segment])[segment.key]
    sites = {beat.name: beat.level for beat in catalog.sites.all()}
    places = [
        _readonly(copy, levels[copy.place])
        if copy.place in levels and copy.place not in stores
        else _judged(
            catalog,
            stores.get(copy.place),
            policy,
            copy,
            now,
            _level(copy.at, levels, sites),
            grace_ns,
        )
        for copy in copies
        if not copy.at.spool
    ]
    said = explain(
        policy,
        segment.stream,
        group_of(catalog.cameras.groups(), segment.stream.camera_id),
        segment.range,
        kinds,
        places,
        holds,
        now,
    )
    if segment.is_thin:
        said.insert(0, "only its clean points are left: this segment was made thin")
    if not places:
        said.append("it is in the spool only: no store has it yet")
    return said


def _readonly(copy: Copy, level: str) -> Kept:
    said = Verdict(STAY, "readonly", "nothing is deleted in this store")
    return Kept(copy.at, level, copy.condemned_at is not None, said)


def _judged(
    catalog: PlanCatalog,
    store: ObjectStore | None,
    policy: Policy | None,
    copy: Copy,
    now: Instant,
    level: str,
    grace_ns: int,
) -> Kept:
    """Plan for a copy as the janitor does, if its store is one of this site's."""
    condemned = copy.condemned_at is not None
    if store is None or policy is None or condemned:
        return Kept(copy.at, level, condemned)
    segment = copy.segment
    only = TimeRange(segment.start, segment.start + 1)
    room = Meter(catalog.planning).capacity(store, now, grace_ns)
    facts = facts_of(catalog, store, policy, level, now, capacity=room, only=only)
    found = verdict_on(policy, facts, segment.stream, segment.start, segment.writer)
    if found is None:  # let go, or marked, this moment
        return Kept(copy.at, level, condemned)
    return Kept(copy.at, level, condemned, *found)


def _level(place: Place, levels: dict[str, str], sites: dict[str, str]) -> str:
    """Return the level a place is at: a store here, or the last site on the way to it."""
    return levels.get(str(place)) or sites.get(place.site, "level not known")


_DONE = {
    "condemn": "deleted from",
    "lost": "lost from",
    "damaged": "damaged in",
    "repaired": "repaired in",
}


def why_gone(audit: Audit, camera: CameraId, asked: TimeRange) -> list[str]:
    """Say which rules deleted footage of a range; the records outlive the footage."""
    said = []
    for entry in audit.about(camera, asked):
        done = _DONE.get(entry.action, entry.action)
        by = entry.rule
        if entry.action == "condemn":
            by += f" (policy version {entry.document_version})"
        said.append(
            f"{format_instant(entry.range.start, 0)} to {format_instant(entry.range.end, 0)} "
            f"{done} {entry.place} by {by}, decided {format_instant(entry.at, 0)}: {entry.reason}"
        )
    return said


def show_dry_run(run: DryRun) -> dict[str, Any]:
    """Write a dry run for answers."""
    plan, change = run.plan, run.change
    return {
        "store": plan.store,
        "version": plan.version,
        "segments": len(plan.actions),
        "bytes": plan.bytes_going,
        "camera_days": round(plan.camera_days, 6),
        "condemned": len(plan.condemned),
        "condemned_bytes": sum(one.size_bytes for one in plan.condemned),
        "spared": len(plan.spares),
        "spared_reason": plan.spares[0].reason if plan.spares else None,
        "kept": plan.kept,
        "kept_bytes": plan.kept_bytes,
        "stopped": plan.stopped or None,
        "by_rule": by_rule(plan.actions),
        "waiting": dict(plan.waiting),
        "warnings": list(plan.warnings),
        "change": None
        if change is None
        else {
            "said": change.said,
            "sooner": len(change.sooner),
            "spared": len(change.spared),
            "thinned": len(change.thinned),
            "whole": len(change.whole),
            "held": change.held,
            "by_camera": {name: round(days, 6) for name, days in change.by_camera.items()},
        },
        "thin": [_show_action(one) for one in plan.thins[:1000]],
        "thin_segments": len(plan.thins),
        "thin_bytes": plan.bytes_thinned,
        "send": by_class(run.transfers),
        "transfers": [
            {
                "stream": str(one.stream),
                "start": format_instant(one.start),
                "end": format_instant(one.end),
                "bytes": one.size_bytes,
                "rule": one.rule,
                "reason": one.reason,
                "class": one.class_,
            }
            for one in run.transfers[:1000]
        ],
        "actions": [
            {**_show_action(action), "below_min": action.below_min}
            for action in plan.actions[:1000]
        ],
    }


def _show_action(action: Condemn | Thin) -> dict[str, Any]:
    return {
        "stream": str(action.stream),
        "start": format_instant(action.start),
        "end": format_instant(action.end),
        "bytes": action.size_bytes,
        "rule": action.rule,
        "reason": action.reason,
    }


def by_class(transfers: Sequence[Transfer]) -> dict[str, dict[str, int]]:
    """Count transfers and their bytes by class."""
    found: dict[str, dict[str, int]] = {}
    for one in transfers:
        counts = found.setdefault(one.class_, {"segments": 0, "bytes": 0})
        counts["segments"] += 1
        counts["bytes"] += one.size_bytes
    return found


def show_entry(entry: AuditEntry) -> ShownEntry:
    """Write an entry of the log for answers."""
    return {
        "at": format_instant(entry.at, 3),
        "action": entry.action,
        "key": entry.key,
        "place": entry.place,
        "rule": entry.rule,
        "reason": entry.reason,
        "document_version": entry.document_version,
    }


def show_forecast(found: Forecast, grace_ns: int) -> dict[str, Any]:
    """Write a forecast for answers; ``grace_ns``: the grace that the settings ask for."""
    return {
        "store": found.store,
        "bytes_per_day": round(found.bytes_per_day),
        "steady_bytes": round(found.steady_bytes),
        "usable_bytes": None if found.usable_bytes is None else round(found.usable_bytes),
        "full_at": None if found.full_at is None else format_instant(found.full_at, 0),
        "reach_days": None if found.reach_ns is None else round(found.reach_ns / DAY, 2),
        "short": list(found.short),
        "said": shortcomings(found, grace_ns),
        "grace_seconds": round(found.grace_ns / 1e9),
    }


class AdviceCatalog(PlanCatalog, Protocol):
    """The parts of the catalog that explaining uses."""

    audit: Audit
    footage: Footage


class _Here(Protocol):
    """What explaining needs of the app."""

    @property
    def catalog(self) -> AdviceCatalog:
        """The catalog."""

    @property
    def planned_stores(self) -> Mapping[str, ObjectStore]:
        """The stores of this site that the janitor plans for, by name."""

    @property
    def view(self) -> View:
        """All footage this node can see."""

    @property
    def levels(self) -> dict[str, str]:
        """Level of each store, by name."""

    @property
    def clock(self) -> Clock:
        """Time."""

    @property
    def grace_ns(self) -> int:
        """How long what is condemned waits."""

    def stream_of(
        self, camera: str, stream: str | None = None, site: str | None = None
    ) -> tuple[StreamId, Camera | None]:
        """Find a camera's stream."""


def explain_moment(
    app: _Here, camera: str, stream: str | None, moment: Instant, site: str | None = None
) -> tuple[str | None, list[str]]:
    """Explain the footage of a moment: the key of its segment, and the reasons.

    Without footage: ``None``, and what deleted it, if anything did.
    """
    name, document = app.stream_of(camera, stream, site)
    asked = TimeRange(moment, moment + 1)
    found = app.catalog.footage.segments(name, asked)
    if found:
        said = reasons(
            app.catalog, app.planned_stores, found[0], app.levels, app.clock.now(), app.grace_ns
        )
        return found[0].key, said
    causes = [f"gap: {gap.cause}" for gap in app.catalog.footage.gaps(name, asked)]
    said = causes + why_gone(app.catalog.audit, name.camera_id, asked)
    if said:
        return None, said
    line = app.view.timeline(name, TimeRange(moment - MINUTE, moment + MINUTE), document)
    gaps = [gap for gap in line.gaps if gap.range.start <= moment < gap.range.end]
    if gaps:
        return None, [f"gap: {gap.cause}" for gap in gaps]
    if any(span.start <= moment < span.end for span in line.spans):
        return None, ["it is recorded, and not sealed yet: no rule is asked before that"]
    return None, ["nothing was recorded then"]
