"""What a document would do to all stores of a node, and when each is full under it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from policies.document import Policy
from recorder.janitor.advise import dry_run, forecast_of, show_dry_run, show_forecast
from recorder.janitor.apply import PlanCatalog
from recorder.model.timebase import Instant
from recorder.ports import ObjectStore


def show_plans(
    catalog: PlanCatalog,
    stores: Mapping[str, ObjectStore],
    proposed: Policy | None,
    level: str,
    now: Instant,
    grace_ns: int,
    all_stores: Collection[str] = (),
) -> list[dict[str, Any]]:
    """Write what a document, by default the one in force, would do to each store.

    ``all_stores``: those that the janitor plans for, where ``stores`` are only some of them.
    """
    known = all_stores or stores
    runs = (
        dry_run(catalog, store, proposed, level, now, grace_ns, known) for store in stores.values()
    )
    return [show_dry_run(run) for run in runs if run is not None]


def show_forecasts(
    catalog: PlanCatalog,
    stores: Mapping[str, ObjectStore],
    policy: Policy,
    level: str,
    now: Instant,
    grace_ns: int,
    all_stores: Collection[str] = (),
) -> list[dict[str, Any]]:
    """Write when each store is full under a document."""
    known = all_stores or stores
    return [
        show_forecast(forecast_of(catalog, store, policy, level, now, grace_ns, known), grace_ns)
        for store in stores.values()
    ]
