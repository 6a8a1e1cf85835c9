"""Advice on policy: dry runs on real facts, differences, reasons, and forecasts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from policies.diff import Change, compare
from policies.document import Policy
from policies.forecast import Forecast, forecast, shortcomings
from policies.plan import Condemn, Move, Plan, Thin, by_rule
from policies.replicate import Transfer, replicate
from policies.retain import retain
from recorder.janitor.apply import EVERY, PlanCatalog, facts_of, lanes_moved_to
from recorder.janitor.deciding import policy_in_force
from recorder.janitor.meter import Meter
from recorder.model.places import PARENT
from recorder.model.timebase import DAY, Instant, format_instant, format_known
from recorder.ports import Measured


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
    store: Measured,
    proposed: Policy | None,
    level: str,
    now: Instant,
    grace_ns: int = 0,
    stores: Collection[str] = (),
    away: Collection[str] = (),
) -> DryRun | None:
    """Plan under the document in force, or a proposed one; ``None`` when there is neither.

    ``stores``: all that the janitor plans for; ``away``: those of them that do not answer.
    """
    present = policy_in_force(catalog.documents)
    policy = proposed or present
    if policy is None:
        return None
    room = Meter(catalog.planning).known(store, now, grace_ns)
    more = {"stores": stores, "away": away}
    facts = facts_of(catalog, store, policy, level, now, capacity=room, part=EVERY, **more)
    plan = retain(policy, facts)
    linked = any(site.name == PARENT for site in catalog.sites.all())
    transfers = replicate(policy, facts) if linked else ()
    if proposed is None:
        return DryRun(plan, None, transfers)
    before = retain(present, facts) if present else None
    return DryRun(plan, compare(before, plan, facts.holds), transfers)


def forecast_of(
    catalog: PlanCatalog,
    store: Measured,
    policy: Policy,
    level: str,
    now: Instant,
    grace_ns: int = 0,
    stores: Collection[str] = (),
) -> Forecast:
    """Say when a store is full, and which streams then miss their minimum.

    ``stores``: all that the janitor plans for.
    """
    room = Meter(catalog.planning).known(store, now, grace_ns)
    facts = facts_of(catalog, store, policy, level, now, capacity=room, part=EVERY, stores=stores)
    return forecast(policy, facts, lanes_moved_to(catalog, store.name, policy, stores))


def show_dry_run(run: DryRun) -> dict[str, Any]:
    """Write a dry run for answers."""
    plan = run.plan
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
        "change": None if run.change is None else _show_change(run.change),
        "thin": [_show_action(one) for one in plan.thins[:1000]],
        "thin_segments": len(plan.thins),
        "thin_bytes": plan.bytes_thinned,
        "move": [{**_show_action(one), "to": one.to} for one in plan.moves[:1000]],
        "move_segments": len(plan.moves),
        "move_bytes": plan.bytes_moved,
        "send": by_class(run.transfers),
        "transfers": [{**_show_action(one), "class": one.class_} for one in run.transfers[:1000]],
        "actions": [
            {**_show_action(action), "below_min": action.below_min}
            for action in plan.actions[:1000]
        ],
    }


def _show_change(change: Change) -> dict[str, object]:
    return {
        "said": change.said,
        "sooner": len(change.sooner),
        "spared": len(change.spared),
        "thinned": len(change.thinned),
        "whole": len(change.whole),
        "moved": len(change.moved),
        "held": change.held,
        "by_camera": {name: round(days, 6) for name, days in change.by_camera.items()},
    }


def _show_action(action: Condemn | Thin | Move | Transfer) -> dict[str, object]:
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


def show_forecast(found: Forecast, grace_ns: int) -> dict[str, Any]:
    """Write a forecast for answers; ``grace_ns``: the grace that the settings ask for."""
    return {
        "store": found.store,
        "bytes_per_day": round(found.bytes_per_day),
        "steady_bytes": round(found.steady_bytes),
        "usable_bytes": None if found.usable_bytes is None else round(found.usable_bytes),
        "full_at": format_known(found.full_at, 0),
        "reach_days": None if found.reach_ns is None else round(found.reach_ns / DAY, 2),
        "short": list(dict.fromkeys(chain(found.short, *(one.short for one in found.ceilings)))),
        "said": shortcomings(found, grace_ns),
        "grace_seconds": round(found.grace_ns / 1e9),
    }
