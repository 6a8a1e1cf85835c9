"""Retention by the clock: sweeps, documents and holds kept, copies read again."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from policies.document import Policy
from policies.plan import Plan
from recorder import telemetry
from recorder.app import App
from recorder.errors import (
    CatalogDamaged,
    RecorderError,
    StateError,
    StoreRefused,
    StoreUnavailable,
)
from recorder.janitor.carry_out import Done
from recorder.janitor.deciding import policy_in_force
from recorder.janitor.keeping import BEHIND
from recorder.janitor.lawful import rests_by_law
from recorder.janitor.owing import forget_silent
from recorder.model.places import spool_of
from recorder.model.timebase import SECOND
from recorder.sites.parent import forget_parent
from recorder.store.watched import WatchedStore

log = logging.getLogger("recorder.jobs")

THIN_S = 30.0
"""How long one sweep makes thin segments; the next goes on."""
SCRUB_S = 50.0
"""How long one job reads each store again; the next goes on."""
JANITOR_NS = 180 * SECOND
"""How long one node is the janitor; renewed with every sweep."""


def sweep_alone(app: App) -> None:
    """Sweep, if no other node of the site does, and it has rested from the last time."""
    if not _is_janitor(app) or app.clock.monotonic() < app.upkeep.janitor.rests_until:
        return
    sweep(app)


def _is_janitor(app: App) -> bool:
    now, node = app.site_clock.now(), app.settings.node
    lease = app.catalog.leases.take(node, ["janitor"], ["janitor"], now, now + JANITOR_NS)
    return lease["janitor"].node == node


def rest_why(app: App) -> str:
    """Say why the catalog is not to be believed: then nothing is deleted, whoever vouches."""
    return app.damage or app.upkeep.keeper.behind(app.planned_stores.values())


def prove_catalog(app: App) -> None:
    """Look at the start whether the catalog is whole, and no older than its stores.

    Where no parent is named by now, one that is named again later is told all, and told by it.
    """
    try:
        app.catalog.database.prove()
    except CatalogDamaged as exc:
        app.damage = str(exc)
        log.error("catalog damaged", extra={"why": str(exc), "hint": exc.hint})
        return
    if not app.settings.parent:
        forget_parent(app.catalog.progress, app.clock.now())
    behind = app.upkeep.keeper.behind(app.planned_stores.values())
    if behind:
        log.error("catalog older than its store", extra={"why": behind, "hint": BEHIND})


def rest_why_in(app: App, name: str) -> str:
    """Say why nothing is deleted in one store: it is another's, or keeps what is not known here."""
    owner = app.upkeep.owners.doubt(app.stores[name])
    telemetry.OTHER_OWNER.labels(name).set(bool(owner))
    if why := owner or app.upkeep.keeper.doubt(app.stores[name]):
        log.error("retention rests", extra={"store": name, "why": why})
    return why


def sweep(app: App) -> dict[str, Plan]:
    """Carry out the policy on every writable store; return the plans made."""
    doubt = rest_why(app) or app.upkeep.janitor.doubt(vouched=False)
    if doubt:
        log.error("retention rests", extra={"why": doubt})
        return {}
    if _lawful(app) is None:
        return {}
    plans: dict[str, Plan] = {}
    stores = _answering(app)
    away = app.planned_stores.keys() - stores.keys()

    def one(name: str) -> None:
        store = app.stores[name]
        found = _lawful(app)  # the store before may have taken hours
        if found is None or rest_why_in(app, name):
            return
        (policy,) = found
        until = app.clock.monotonic() + THIN_S
        still = _judged_by(app, name, policy)
        done = app.upkeep.janitor.carry_out(
            store, policy, until, stores=stores, away=away, still=still
        )
        if done.plan is not None:
            plans[name] = done.plan
        app.upkeep.uploads.run(store)
        app.upkeep.expiry.clear(store, app.site_clock.now())

    _each_store(app, "sweep", one)
    found = _lawful(app)
    if found is not None:
        # by the time that was proven: the clock may have leapt while the stores were swept
        app.upkeep.expiry.run(*found, app.upkeep.janitor.proof.believed() or app.site_clock.now())
    return plans


def _lawful(app: App) -> tuple[Policy | None] | None:
    """Return the policy in force, if there is one; ``None`` where nothing may be deleted by it."""
    policy = policy_in_force(app.catalog.documents)
    doubt = rests_by_law(app.settings.law, policy)
    if doubt:
        log.error("retention rests", extra={"why": doubt})
        return None
    return (policy,)


def _judged_by(app: App, name: str, policy: Policy | None) -> Callable[[], bool]:
    """Tell, whenever asked, whether a policy is in force still, and the store the one we know.

    No camera is in another group than it was: another rule may be its.
    """
    version = policy.version if policy is not None else None
    groups = app.catalog.cameras.groups()

    def still() -> bool:
        app.admit(name)
        newest = app.catalog.documents.newest("policy")
        present = app.catalog.cameras.groups()
        same = all(present.get(camera) == group for camera, group in groups.items())
        return same and version == (newest.version if newest is not None else None)

    return still


def _answering(app: App) -> dict[str, WatchedStore]:
    """Return the stores that may be written to, and are there now: what may be moved into."""
    found = {}
    for name, store in app.planned_stores.items() if len(app.planned_stores) > 1 else ():
        with contextlib.suppress(StoreUnavailable, StoreRefused):  # said by whatever works in it
            app.admit(name)
            if not app.upkeep.owners.doubt(store):
                found[name] = store
    return found


def _each_store(app: App, what: str, work: Callable[[str], object]) -> None:
    """Do something in each store that is the one we know; one that is away holds up no other."""
    for name in app.planned_stores:
        try:
            app.admit(name)
            work(name)
        except (StoreUnavailable, StoreRefused) as exc:
            log.error("store left out", extra={"job": what, "store": name, "reason": str(exc)})


def apply_policy(app: App, *, stopped_too: bool) -> dict[str, dict[str, Any]]:
    """Carry out the policy now, in full; say per store what was done.

    ``stopped_too``: also a plan that ``blast_radius`` stopped, and by a clock in doubt.
    Raises: ``StateError`` while another node of the site is its janitor.
    """
    if not _is_janitor(app):
        raise StateError(
            "another node of this site is carrying out the policy",
            hint="it does so each minute; `recorder node list` shows which nodes there are",
        )
    policy = policy_in_force(app.catalog.documents)
    doubt = rest_why(app) or app.upkeep.janitor.doubt(vouched=stopped_too)
    done: dict[str, dict[str, object]] = {}
    stores = _answering(app)
    away = app.planned_stores.keys() - stores.keys()

    def one(name: str) -> Done:
        app.admit(name)  # what is condemned is deleted: it must be the store that the catalog knows
        store, until = app.planned_stores[name], float("inf")
        why = doubt or rest_why_in(app, name)
        if why:
            return Done(stopped=why)
        policy = policy_in_force(app.catalog.documents)  # the store before may have taken hours
        return app.upkeep.janitor.carry_out(
            store,
            policy,
            until,
            stores=stores,
            away=away,
            stopped_too=stopped_too,
            still=_judged_by(app, name, policy),
        )

    for name in app.planned_stores if policy is not None else ():
        found, out = Done(), None
        try:
            found = one(name)
        except (StoreUnavailable, StoreRefused) as exc:  # the next sweep goes on where it broke off
            out = exc
        parts = ("condemned", "spared", "thinned", "moved", "purged")
        counts = {part: getattr(found, part) for part in parts}
        done[name] = {**counts, "stopped": found.stopped or None, **_left_out(out)}
    return done


def _left_out(why: StoreUnavailable | StoreRefused | None) -> dict[str, object]:
    """Say why a store was left out, what helps, and whether it may do by itself."""
    if why is None:
        return {"left_out": None, "hint": None, "retryable": None}
    return {"left_out": str(why), "hint": why.hint or None, "retryable": why.retryable}


def keep_changed(app: App) -> None:
    """Keep the catalog's documents once they changed: a hold counts from when it is placed."""
    if not rest_why(app) and app.upkeep.keeper.changed():
        keep_documents(app)


def keep_documents(app: App) -> None:
    """Keep what only the catalog knows in the stores, if no other node of the site does.

    A store that refuses keeps the others from nothing; the first refusal is said.
    """
    if not _is_janitor(app):
        return
    behind = app.upkeep.keeper.behind(app.planned_stores.values())
    if behind:
        log.error("catalog older than its store", extra={"why": behind, "hint": BEHIND})
        return
    forget_silent(app.catalog, app.site_clock.now())
    refused: list[RecorderError] = []
    for name, store in app.planned_stores.items():
        try:
            app.admit(name)
            if app.upkeep.owners.doubt(store):
                continue  # what the other one keeps there is written over by neither
            app.upkeep.keeper.keep([store], app.site_clock.now())
            app.upkeep.event_keeper.keep(store, app.site_clock.now())
        except (StoreUnavailable, StoreRefused) as exc:
            refused.append(exc)
    if refused:
        raise refused[0]


def protect_held(app: App) -> None:
    """Let stores protect what is held, where they can; a directory never does.

    What is protected stays so while this catalog may not know who needs it, and since when.
    """
    refused: list[RecorderError] = []
    parts = [one for one in app.settings.all_stores if one.kind != "directory" and not one.readonly]
    for part in parts:
        store, why = app.stores[part.name], partial(why_kept, app, part.name)
        try:
            app.upkeep.protector.run(store, app.clock.now(), why)
        except (StoreUnavailable, StoreRefused) as exc:  # the others do not wait for this one
            refused.append(exc)
    if refused:
        raise refused[0]


def why_kept(app: App, name: str) -> str:
    """Say why no legal hold is lifted in a store: another owner, an older catalog, the clock."""
    return rest_why(app) or rest_why_in(app, name) or app.upkeep.janitor.doubt(vouched=False)


def scrub_alone(app: App) -> None:
    """Go on reading copies again, if no other node of the site does.

    First what is in doubt in this node's spool, which no other can read, and what a store that was
    put back may have lost, also where none is read again.
    """
    from recorder.janitor.doubted import look_at_doubted

    within, now, node = app.settings.scrub_ns, app.site_clock.now(), app.settings.node
    look_at_doubted(app.catalog, app.spool, spool_of(node), now)
    lease = app.catalog.leases.take(node, ["scrub"], ["scrub"], now, now + JANITOR_NS)
    if lease["scrub"].node != node:
        return

    def one(name: str) -> None:
        store, until = app.stores[name], app.clock.monotonic() + SCRUB_S
        if not app.ending.is_set():
            app.upkeep.seeker.run(store, until)
        if not app.ending.is_set() and within > 0:
            app.upkeep.scrubber.run(store, within, until)

    _each_store(app, "scrub", one)
