"""What a document would do to all stores of a node, and when each is full under it.

A store that does not answer keeps nobody from what is known of the others: of it, the catalog
knows what lies there and what comes, and how large it is nobody does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from policies.document import Policy
from recorder.janitor.advise import dry_run, forecast_of, show_dry_run, show_forecast
from recorder.janitor.apply import PlanCatalog
from recorder.janitor.asked import ask_room
from recorder.model.timebase import Instant
from recorder.ports import ObjectStore


def show_plans(
    catalog: PlanCatalog,
    stores: Mapping[str, ObjectStore],
    proposed: Policy | None,
    level: str,
    now: Instant,
    grace_ns: int,
    all_stores: Mapping[str, ObjectStore] | None = None,
) -> list[dict[str, Any]]:
    """Write what a document, by default the one in force, would do to each store.

    ``all_stores``: those that the janitor plans for, where ``stores`` are only some of them.
    """
    known = ask_room(all_stores or stores)
    away = [name for name, store in known.items() if store.away]
    shown = []
    for name in stores:
        run = dry_run(catalog, known[name], proposed, level, now, grace_ns, known, away)
        if run is not None:
            one = show_dry_run(run)
            if name in away:
                one["warnings"].insert(0, f"{_away(name)}; nothing is let go there until it does")
            shown.append(one)
    return shown


def show_forecasts(
    catalog: PlanCatalog,
    stores: Mapping[str, ObjectStore],
    policy: Policy,
    level: str,
    now: Instant,
    grace_ns: int,
    all_stores: Mapping[str, ObjectStore] | None = None,
) -> list[dict[str, object]]:
    """Write when each store is full under a document."""
    shown = []
    for name, store in ask_room(stores).items():
        found = forecast_of(catalog, store, policy, level, now, grace_ns, all_stores or stores)
        one = show_forecast(found, grace_ns)
        if store.away:
            one["said"].insert(0, _away(name))
        shown.append(one)
    return shown


def _away(name: str) -> str:
    return f"store {name} does not answer, or is not there yet: how large it is is not known"
