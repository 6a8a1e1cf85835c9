"""Periodic jobs of a node; APScheduler calls them, :mod:`recorder.service` schedules them."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any, Protocol

from policies.plan import Plan
from recorder import telemetry
from recorder.app import App
from recorder.audit.entry import Subject
from recorder.capture.loop import CaptureLoop
from recorder.errors import (
    CatalogDamaged,
    RecorderError,
    StateError,
    StoreRefused,
    StoreUnavailable,
)
from recorder.ingest.register import Register
from recorder.janitor.apply import policy_in_force
from recorder.janitor.carry_out import Done
from recorder.janitor.keeping import BEHIND
from recorder.janitor.lawful import rests_by_law
from recorder.model.caller import Caller, CallerKind
from recorder.model.cameras import Camera
from recorder.model.causes import UNWANTED, Cause
from recorder.model.keys import StreamId
from recorder.model.media import Copy, Segment
from recorder.model.places import spool_of
from recorder.model.timebase import DAY, SECOND, TimeRange
from recorder.ports import NodeBeat, SecretsSeen, StreamStatus
from recorder.reading.view import total_gaps
from recorder.ship.sender import Sender
from recorder.sites import listing, survey

log = logging.getLogger("recorder.jobs")

THIN_S = 30.0
"""How long one sweep makes thin segments; the next goes on."""
SCRUB_S = 50.0
"""How long one job reads each store again; the next goes on."""
SIGNER_NS = 150 * SECOND
"""How long one node signs the audit log; renewed each minute."""
SILENT_NS = 15 * SECOND
"""A node that was not heard of for so long does not run."""
JANITOR_NS = 180 * SECOND
"""How long one node is the janitor; renewed with every sweep."""


class Running(Protocol):
    """What the jobs need to know of the running service."""

    app: App
    roles: set[str]
    capture: CaptureLoop | None
    sender: Sender | None
    register: Register | None
    documents: Sequence[Camera] | None
    """The site's cameras, once the catalog has said them to a process that records."""

    def verdict(self, key: str) -> str:
        """Say ``ship``, ``wait`` or ``drop`` of a sealed file."""

    def segment_of(self, key: str) -> Segment | None:
        """Return the segment of a sealed file, as the catalog knows it."""

    def own_statuses(self) -> list[StreamStatus]:
        """Return the states of the streams that this node speaks for."""

    def event_prefixes(self) -> tuple[str, ...]:
        """Return how the keys of streams in event mode begin."""


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
    """Look at the start whether the catalog is whole, and no older than its stores."""
    try:
        app.catalog.database.prove()
    except CatalogDamaged as exc:
        app.damage = str(exc)
        log.error("catalog damaged", extra={"why": str(exc), "hint": exc.hint})
        return
    behind = app.upkeep.keeper.behind(app.planned_stores.values())
    if behind:
        log.error("catalog older than its store", extra={"why": behind, "hint": BEHIND})


def other_owner(app: App, name: str) -> str:
    """Say why nothing is deleted in one store: another recorder writes there, or may."""
    why = app.upkeep.owners.doubt(app.stores[name])
    telemetry.OTHER_OWNER.labels(name).set(bool(why))
    if why:
        log.error("retention rests", extra={"store": name, "why": why})
    return why


def sweep(app: App) -> dict[str, Plan]:
    """Carry out the policy on every writable store; return the plans made."""
    doubt = rest_why(app) or app.upkeep.janitor.doubt(vouched=False)
    if doubt:
        log.error("retention rests", extra={"why": doubt})
        return {}
    policy = policy_in_force(app.catalog.documents)
    doubt = rests_by_law(app.settings.law, policy)
    if doubt:
        log.error("retention rests", extra={"why": doubt})
        return {}
    plans: dict[str, Plan] = {}

    def one(name: str) -> None:
        store = app.stores[name]
        if other_owner(app, name):
            return
        done = app.upkeep.janitor.carry_out(store, policy, app.clock.monotonic() + THIN_S)
        if done.plan is not None:
            plans[name] = done.plan

    _each_store(app, "sweep", one)
    return plans


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
    done: dict[str, dict[str, Any]] = {}
    for name, store in app.planned_stores.items() if policy is not None else ():
        app.admit(name)
        one = Done(stopped=doubt or other_owner(app, name))
        if not one.stopped:
            one = app.upkeep.janitor.carry_out(store, policy, float("inf"), stopped_too=stopped_too)
        counts = {part: getattr(one, part) for part in ("condemned", "spared", "thinned", "purged")}
        done[name] = {**counts, "stopped": one.stopped or None}
    return done


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
    """Let stores protect what is held, where they can; a directory never does."""
    for part in app.settings.all_stores:
        if part.kind != "directory" and not part.readonly:
            app.upkeep.protector.run(app.stores[part.name], app.clock.now())


def scrub_alone(app: App) -> None:
    """Go on reading copies again, if no other node of the site does."""
    within, now, node = app.settings.scrub_ns, app.site_clock.now(), app.settings.node
    if within <= 0:
        return
    lease = app.catalog.leases.take(node, ["scrub"], ["scrub"], now, now + JANITOR_NS)
    if lease["scrub"].node != node:
        return

    def one(name: str) -> None:
        if not app.ending.is_set():
            app.upkeep.scrubber.run(app.stores[name], within, app.clock.monotonic() + SCRUB_S)

    _each_store(app, "scrub", one)


def sign_log(app: App) -> None:
    """Sign the audit log, if no other node of the site does."""
    now, node = app.site_clock.now(), app.settings.node
    lease = app.catalog.leases.take(node, ["audit"], ["audit"], now, now + SIGNER_NS)
    if lease["audit"].node != node:
        return
    if app.settings.ship_store:
        app.admit(app.settings.ship_store)
    try:
        app.sealed_log.log()
        app.press.publish()
    except RecorderError:
        telemetry.AUDIT_WAITING.set(app.catalog.audit_tree.waiting()[0])
        raise


def settle_secrets(app: App) -> None:
    """Encrypt what an earlier release left in plain; end a change of keys that broke off."""
    if app.catalog.secrets.settle(app.site_clock.now()):
        log.info("secrets encrypted", extra={"key": app.catalog.secrets.look().key_id})


def rotate_secrets(app: App) -> SecretsSeen:
    """Put a key in force that never was, and encrypt all secrets under it.

    Where that was begun and broke off, it is gone on with.  What is under a key that is not here
    stays as it is.
    Raises: ``KeyMissing``; ``StateError`` while another node has not the new key.
    """
    secrets, now = app.catalog.secrets, app.site_clock.now()
    present, seen = secrets.begin(now), secrets.look()
    secrets.settle(now)
    if all(key == present or key not in secrets.ids() for key in seen.under):
        new = secrets.unused()
        others = [
            beat.node
            for beat in app.catalog.nodes.all()
            if beat.site == app.settings.site
            and beat.node != app.settings.node
            and now - beat.at < SILENT_NS
            and new not in beat.facts.get("keys", ())
        ]
        if others:
            raise StateError(
                f"rotate from key {present} to {new}: not on node {', '.join(others)}",
                hint="put the same lines there first; nodes see them within seconds",
            )
        secrets.take(new, now)
        secrets.settle(now)
    return secrets.look()


def note_node(app: App, word: str) -> None:
    """Write that this node starts or stops, and by which settings."""
    settings = app.settings.model_dump(mode="json", exclude={"catalog", "parent"})
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    node = app.settings.node
    app.book.note(
        Caller(CallerKind.NODE, node),
        f"node.{word}",
        Subject(app.settings.site, name=node),
        settings_sha256=digest,
        version=version("spanstore"),
    )


def leave_log(app: App, *, signs: bool) -> None:
    """Write that this node stops, and sign that."""
    note_node(app, "stop")
    if signs:
        sign_log(app)


def choose_event_footage(app: App, service: Running) -> int:
    """Ship what events touch of streams in event mode, drop the rest in time.

    Returns how many segments were dropped; each becomes a gap ``no-event``.
    """
    dropped, prefixes = 0, service.event_prefixes()
    for key in [key for key, _ in app.spool.keys("sealed") if key.startswith(prefixes)]:
        said = service.verdict(key)
        if said == "ship" and service.sender is not None:
            service.sender.offer(key)
        elif said == "drop":
            segment = service.segment_of(key)
            app.spool.remove(key)
            if segment is not None:
                place = spool_of(app.settings.node)
                app.catalog.commits.forget([Copy(segment, place)], Cause.NO_EVENT)
            dropped += 1
    return dropped


def incoming_bps(service: Running) -> float:
    """Bytes per second of all streams, since each was started."""
    if service.capture is None:
        return 0.0
    rate = 0.0
    now = service.app.clock.now()
    for state in service.capture.states().values():
        if state.state == "recording" and now > state.since:
            rate += state.bytes_in / max(1.0, (now - state.since) / 1e9)
    return rate


def node_facts(app: App, service: Running, state: str, *, draining: bool) -> NodeBeat:
    """Describe this node for the catalog."""
    streams = service.capture.states() if service.capture is not None else {}
    facts = {
        "state": state,
        "roles": sorted(service.roles),
        "weight": app.settings.weight,
        "url": app.settings.own_node_url,
        "clock_ahead_s": round(app.site_clock.own_offset_ns / 1e9, 1),
        "draining": draining,
        "streams": len(streams),
        "recording": sum(1 for one in streams.values() if one.state == "recording"),
        "waiting_to_ship": service.sender.waiting if service.sender is not None else 0,
        "ship_error": service.sender.last_error if service.sender is not None else "",
        "writes": {name: one.facts() for name, one in app.writes.items()},
        "keys": list(app.catalog.secrets.ids()),
        "exports": dict(zip(("bundles", "bytes"), app.bundles.told, strict=True)),
        "unregistered": len(service.register.waiting) if service.register is not None else 0,
    }
    return NodeBeat(app.settings.node, app.settings.site, app.site_clock.now(), facts)


def gap_metrics(app: App) -> None:
    """Publish what is missing of the last day, by stream and cause."""
    now = app.clock.now()
    found: dict[tuple[str, ...], float] = {}
    for camera in app.catalog.cameras.all():
        for name in camera.streams:
            stream = StreamId(app.settings.site, camera.name, name)
            line = app.view.timeline(stream, TimeRange(now - DAY, now), camera)
            for cause, total in total_gaps(line).items():
                if cause not in UNWANTED:
                    found[camera.name, name, cause] = total / 1e9
    telemetry.replace(telemetry.GAP_SECONDS, found)


def camera_metrics(app: App) -> None:
    """Publish how the cameras of this site and of those below do."""
    now, site = app.site_clock.now(), app.settings.site
    found = survey.survey(app.catalog, site, now)
    telemetry.replace(telemetry.CAMERAS, listing.counted(found))
    telemetry.replace(telemetry.DARK, listing.dark_since(found))
