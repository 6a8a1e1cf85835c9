"""Periodic jobs of a node; APScheduler calls them, :mod:`recorder.service` schedules them."""

from __future__ import annotations

import logging
from typing import Any, Protocol

from policies.plan import Plan
from recorder import telemetry
from recorder.app import App
from recorder.capture.loop import CaptureLoop
from recorder.errors import IndexCorrupt
from recorder.janitor import apply, protect
from recorder.model.keys import StreamId, parse_key, stream_of_prefix
from recorder.model.media import Copy, Segment
from recorder.model.timebase import DAY, SECOND, TimeRange
from recorder.ports import NodeBeat
from recorder.reading.view import total_gaps
from recorder.ship.room import Eviction, SpoolItem, make_room
from recorder.ship.sender import Sender, load_sealed

log = logging.getLogger("recorder.jobs")

THIN_S = 30.0
"""How long one sweep makes thin segments; the next goes on."""
SCRUB_S = 50.0
"""How long one job reads each store again; the next goes on."""
JANITOR_NS = 180 * SECOND
"""How long one node is the janitor; renewed with every sweep."""


class Running(Protocol):
    """What the jobs need to know of the running service."""

    app: App
    roles: set[str]
    capture: CaptureLoop | None
    sender: Sender | None
    unregistered: list[Segment]

    def verdict(self, key: str) -> str:
        """Say ``ship``, ``wait`` or ``drop`` of a sealed file."""

    def segment_of(self, key: str) -> Segment | None:
        """Return the segment of a sealed file, as the catalog knows it."""


def register_leftovers(app: App) -> int:
    """Put sealed files that the catalog does not know into it; return how many."""
    place = f"spool:{app.settings.node}"
    added = 0
    for folder in ("sealed", "cache"):
        for key, _, _ in app.spool.keys(folder):
            parts = parse_key(key)
            if parts is None or parts.is_end:
                continue
            stream = stream_of_prefix(parts.prefix, app.settings.site)
            if app.catalog.segment_by_key(stream, parts.start, key) is None:
                try:
                    segment = load_sealed(app.spool.root / folder / key, key)
                except IndexCorrupt as exc:
                    log.error("sealed file damaged", extra={"key": key, "reason": str(exc)})
                    continue
                if folder == "cache" and _was_purged(app, segment):
                    app.spool.remove(key)  # by another node's janitor
                    continue
                app.catalog.add_segment(segment, place, "", app.clock.now())
                added += 1
    return added


def _was_purged(app: App, segment: Segment) -> bool:
    """Tell whether policy let a segment go: its audit entry outlives it."""
    entries = app.catalog.audit_of(segment.stream.camera, segment.range)
    return any(entry.key == segment.key and entry.action == "condemn" for entry in entries)


def keep_spool(app: App, service: Running) -> list[Eviction]:
    """Measure the spool and make room in it when it is too full."""
    limits = app.settings.spool
    usage = app.spool.usage()
    used = sum(usage[folder] for folder in ("open", "sealed", "cache", "incoming", "quarantine"))
    for folder in ("open", "sealed", "cache", "incoming", "quarantine"):
        telemetry.SPOOL_BYTES.labels(folder).set(usage[folder])
    room = min(limits.max_size, used + usage["free"] - limits.floor)
    telemetry.SPOOL_FILL.set(used / max(room, 1))
    rate = _incoming_bps(service)
    left = max(0, room - used + usage["cache"])
    telemetry.SPOOL_HOURS.set(left / rate / 3600 if rate > 0 else 9999)
    telemetry.SHIP_WAITING.set(service.sender.waiting if service.sender else 0)
    needed = max(used - limits.max_size, limits.floor - usage["free"])
    if needed <= 0:
        return []
    importance = {camera.name: camera.importance for camera in app.catalog.cameras()}
    chosen = make_room(_items(app, importance), needed, limits.shed)
    for eviction in chosen:
        _let_go(app, eviction)
    return chosen


def _incoming_bps(service: Running) -> float:
    """Bytes per second of all streams, since each was started."""
    if service.capture is None:
        return 0.0
    rate = 0.0
    now = service.app.clock.now()
    for state in service.capture.states().values():
        if state.state == "recording" and now > state.since:
            rate += state.bytes_in / max(1.0, (now - state.since) / 1e9)
    return rate


def _items(app: App, importance: dict[str, int]) -> list[SpoolItem]:
    items = []
    for folder in ("sealed", "cache"):
        for key, size, _ in app.spool.keys(folder):
            parts = parse_key(key)
            if parts is not None and not parts.is_end:
                camera = stream_of_prefix(parts.prefix, app.settings.site).camera
                items.append(
                    SpoolItem(key, size, parts.start, importance.get(camera, 0), folder == "cache")
                )
    return items


def _let_go(app: App, eviction: Eviction) -> None:
    """Take one file out of the spool and out of the catalog's list of copies."""
    key = eviction.item.key
    parts = parse_key(key)
    if parts is None:
        return
    stream = stream_of_prefix(parts.prefix, app.settings.site)
    segment = app.catalog.segment_by_key(stream, parts.start, key)
    app.spool.remove(key)
    if segment is not None:
        place = f"spool:{app.settings.node}"
        app.catalog.forget([Copy(segment, place)], "spool-full")
    if eviction.shed:
        telemetry.SHED.inc()
        log.error("footage shed", extra={"key": key, "reason": eviction.reason})


def choose_event_footage(app: App, service: Running) -> int:
    """Ship what events touch of streams in event mode, drop the rest in time.

    Returns how many segments were dropped; each becomes a gap ``no-event``.
    """
    dropped = 0
    for key, _, _ in app.spool.keys("sealed"):
        said = service.verdict(key)
        if said == "ship" and service.sender is not None:
            service.sender.offer(key)
        elif said == "drop":
            segment = service.segment_of(key)
            app.spool.remove(key)
            if segment is not None:
                place = f"spool:{app.settings.node}"
                app.catalog.forget([Copy(segment, place)], "no-event")
            dropped += 1
    return dropped


def sweep_alone(app: App) -> None:
    """Sweep, if no other node of the site does."""
    now, node = app.clock.now(), app.settings.node
    lease = app.catalog.take_leases(node, ["janitor"], ["janitor"], now, now + JANITOR_NS)
    if lease["janitor"].node == node:
        sweep(app)


def sweep(app: App) -> dict[str, Plan]:
    """Carry out the policy on every writable store; return the plans made."""
    plans: dict[str, Plan] = {}
    now = app.clock.now()
    policy = apply.policy_in_force(app.catalog)
    for part in app.settings.all_stores:
        if part.readonly:
            continue
        store = app.stores[part.name]
        app.admit(part.name)  # never delete from a store that is not the one we know
        if policy is not None:
            plan = plans[part.name] = apply.plan_for(
                app.catalog, store, policy, app.settings.level, now
            )
            if plan.stopped:
                log.error("plan needs a word", extra={"store": part.name, "why": plan.stopped})
                telemetry.PLAN_STOPPED.labels(part.name).set(1)
            else:
                telemetry.PLAN_STOPPED.labels(part.name).set(0)
                apply.condemn(app.catalog, plan, now)
                app.thinner.carry_out(store, plan, app.clock.monotonic() + THIN_S)
            for warning in plan.warnings:
                log.warning("plan", extra={"store": part.name, "why": warning})
            for why, count in plan.waiting.items():
                telemetry.WAITING.labels(part.name, why).set(count)
        apply.purge(app.catalog, store, [app.spool], app.settings.grace_ns, now, app.pace_deletes)
    return plans


def apply_policy(app: App, *, stopped_too: bool) -> dict[str, dict[str, Any]]:
    """Carry out the policy now, in full; say per store what was done.

    ``stopped_too``: also a plan that ``blast_radius`` stopped.
    """
    done: dict[str, dict[str, Any]] = {}
    now, policy = app.clock.now(), apply.policy_in_force(app.catalog)
    for part in app.settings.all_stores:
        if part.readonly or policy is None:
            continue
        app.admit(part.name)
        store = app.stores[part.name]
        plan = apply.plan_for(app.catalog, store, policy, app.settings.level, now)
        if plan.stopped and not stopped_too:
            done[part.name] = {"condemned": 0, "thinned": 0, "purged": 0, "stopped": plan.stopped}
            continue
        condemned = apply.condemn(app.catalog, plan, now)
        thinned = app.thinner.carry_out(store, plan, float("inf"))
        grace = app.settings.grace_ns
        purged = apply.purge(app.catalog, store, [app.spool], grace, now, app.pace_deletes)
        done[part.name] = {
            "condemned": condemned, "thinned": thinned, "purged": purged, "stopped": None,
        }  # fmt: skip
    return done


def protect_held(app: App) -> None:
    """Let stores protect what is held, where they can."""
    for part in app.settings.all_stores:
        if not part.readonly:
            protect.protect_held(app.catalog, app.stores[part.name], app.clock.now())


def scrub_alone(app: App) -> None:
    """Go on reading copies again, if no other node of the site does."""
    within, now, node = app.settings.scrub_ns, app.clock.now(), app.settings.node
    if within <= 0:
        return
    lease = app.catalog.take_leases(node, ["scrub"], ["scrub"], now, now + JANITOR_NS)
    if lease["scrub"].node != node:
        return
    for part in app.settings.all_stores:
        if not part.readonly and not app.ending.is_set():
            app.admit(part.name)
            app.scrubber.run(app.stores[part.name], within, app.clock.monotonic() + SCRUB_S)


def draining(app: App) -> list[str]:
    """Return the nodes that are to give their streams to others."""
    document = app.catalog.document("draining")
    return list(document.body.get("nodes", [])) if document is not None else []


def node_facts(app: App, service: Running, state: str) -> NodeBeat:
    """Describe this node for the catalog."""
    streams = service.capture.states() if service.capture is not None else {}
    facts = {
        "state": state,
        "roles": sorted(service.roles),
        "weight": app.settings.weight,
        "url": app.settings.own_node_url,
        "draining": app.settings.node in draining(app),
        "streams": len(streams),
        "recording": sum(1 for one in streams.values() if one.state == "recording"),
        "waiting_to_ship": service.sender.waiting if service.sender is not None else 0,
        "ship_error": service.sender.last_error if service.sender is not None else "",
        "unregistered": len(service.unregistered),
    }
    return NodeBeat(app.settings.node, app.settings.site, app.clock.now(), facts)


def stream_metrics(service: Running) -> None:
    """Publish the streams' present figures."""
    if service.capture is None:
        return
    now = service.app.clock.now()
    for stream, state in service.capture.states().items():
        labels = (stream.camera, stream.stream)
        telemetry.BYTES_IN.labels(*labels).set(state.bytes_in)
        age = (now - (state.last_progress or state.since)) / 1e9
        telemetry.LAST_FRAME_AGE.labels(*labels).set(age)
        telemetry.RECORDING.labels(*labels).set(state.state == "recording")
        telemetry.RUNS.labels(*labels).set(state.runs)
        telemetry.STALLS.labels(*labels).set(state.stalls)


def gap_metrics(app: App) -> None:
    """Publish the dark time of the last day, by stream and cause."""
    now = app.clock.now()
    for camera in app.catalog.cameras():
        for name in camera.streams:
            stream = StreamId(app.settings.site, camera.name, name)
            line = app.view.timeline(stream, TimeRange(now - DAY, now), camera)
            for cause, total in total_gaps(line).items():
                telemetry.GAP_SECONDS.labels(camera.name, name, cause).set(total / 1e9)
