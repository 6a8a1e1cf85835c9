"""Periodic jobs around the spool: its room, what was left in it, what event mode chooses."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping, Sequence

from recorder import telemetry
from recorder.app import App
from recorder.errors import CatalogUnavailable, IndexCorrupt, IntegrityError, StoreUnavailable
from recorder.ingest.register import take_in
from recorder.jobs import Running
from recorder.model.cameras import Camera
from recorder.model.holds import held_ranges
from recorder.model.keys import StreamId, parse_key, stream_of_prefix
from recorder.model.media import Copy, Segment
from recorder.model.places import spool_of
from recorder.model.timebase import TimeRange
from recorder.ship.room import Eviction, SpoolItem, make_room
from recorder.ship.sender import load_sealed

log = logging.getLogger("recorder.jobs")


def register_leftovers(app: App) -> int:
    """Put sealed files that the catalog does not know into it; return how many."""
    cameras: Mapping[str, Camera] | None = None
    added = 0
    for folder in ("sealed", "cache"):
        for key, _, _ in app.spool.keys(folder):
            parts = parse_key(key)
            if parts is None or parts.is_end:
                continue
            stream = stream_of_prefix(parts.prefix, app.settings.site)
            if _segment_of(app, key, stream) is not None:
                continue
            try:
                segment = load_sealed(app.spool.root / folder / key, key)
            except IndexCorrupt as exc:
                log.error("sealed file damaged", extra={"key": key, "reason": str(exc)})
                continue
            if folder == "cache" and _was_purged(app, segment):
                app.spool.remove(key)  # by another node's janitor
                continue
            if cameras is None:
                cameras = {camera.name: camera for camera in app.catalog.cameras.all()}
            own = cameras.get(stream.camera) if stream.site == app.settings.site else None
            place = spool_of(app.settings.node)
            take_in(
                app.catalog.commits, app.catalog.events, place, app.clock.now(), [(segment, own)]
            )
            added += 1
    return added


def _was_purged(app: App, segment: Segment) -> bool:
    """Tell whether policy let a segment go: its audit entry outlives it."""
    entries = app.catalog.audit.about(segment.stream.camera, segment.range)
    return any(entry.key == segment.key and entry.action == "condemn" for entry in entries)


def keep_spool(app: App, service: Running) -> list[Eviction]:
    """Measure the spool and make room in it when it is too full.

    While the catalog is away only what is in a store goes; its rows are dropped afterwards.
    """
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
    with contextlib.suppress(CatalogUnavailable):
        while service.unforgotten:
            _forget(app, service.unforgotten[-1])
            service.unforgotten.pop()
    needed = max(used - limits.max_size, limits.floor - usage["free"])
    if needed <= 0:
        return []
    try:
        items = _items(app)
    except CatalogUnavailable:
        items = _cached(app)
    # what is on its way to the store is left alone: it would arrive there with no row to name it
    busy = service.sender.sending if service.sender is not None else frozenset()
    chosen = make_room([one for one in items if one.key not in busy], needed, limits.shed)
    asking = service.sender is not None
    for eviction in chosen:
        if asking and eviction.item.safe != "here":
            asking = _commit_stored(service, eviction.item.key)
        _let_go(app, service, eviction)
    return chosen


def _commit_stored(service: Running, key: str) -> bool:
    """Commit what the store has although no row says so; false when it does not answer."""
    try:
        if service.sender is not None and service.sender.commit_stored(key):
            log.warning("was in the store already", extra={"key": key})
    except (StoreUnavailable, CatalogUnavailable, IntegrityError) as exc:
        log.warning("the store was not asked", extra={"key": key, "reason": str(exc)})
        return isinstance(exc, IntegrityError)
    return True


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


def _items(app: App) -> list[SpoolItem]:
    importance = {camera.name: camera.importance for camera in app.catalog.cameras.all()}
    held = held_ranges(app.catalog.holds.live(app.clock.now()), app.clock.now())
    items = []
    for folder in ("sealed", "cache"):
        for key, size, _ in app.spool.keys(folder):
            parts = parse_key(key)
            if parts is None or parts.is_end:
                continue
            stream = stream_of_prefix(parts.prefix, app.settings.site)
            safe = "here" if folder == "cache" else _lies_below(app, key, stream)
            items.append(
                SpoolItem(
                    key, size, parts.start, importance.get(stream.camera, 0), safe,
                    not safe and _is_held(app, key, stream, held.get(stream.camera, ())),
                )
            )  # fmt: skip
    return items


def _lies_below(app: App, key: str, stream: StreamId) -> str:
    """Say ``below`` of a segment that the site it came from still has."""
    segment = _segment_of(app, key, stream) if stream.site != app.settings.site else None
    if segment is None:
        return ""
    copies = app.catalog.footage.copies([segment])[segment.key]
    below = (one for one in copies if one.at.below)
    return "below" if any(one.condemned_at is None for one in below) else ""


def _is_held(app: App, key: str, stream: StreamId, held: Sequence[TimeRange]) -> bool:
    """Tell whether a live hold keeps a sealed file."""
    parts = parse_key(key)
    if not held or parts is None:
        return False
    segment = _segment_of(app, key, stream)
    if segment is None:  # the catalog does not know yet how far it reaches
        return any(parts.start < range_.end for range_ in held)
    return any(range_.overlaps(segment.range) for range_ in held)


def _segment_of(app: App, key: str, stream: StreamId) -> Segment | None:
    parts = parse_key(key)
    return (
        app.catalog.footage.segment_by_key(stream, parts.start, key) if parts is not None else None
    )


def _cached(app: App) -> list[SpoolItem]:
    """Return what is in a store: that is told by its folder."""
    found = []
    for key, size, _ in app.spool.keys("cache"):
        parts = parse_key(key)
        if parts is not None and not parts.is_end:
            found.append(SpoolItem(key, size, parts.start, 0, "here"))
    return found


def _let_go(app: App, service: Running, eviction: Eviction) -> None:
    """Take one file out of the spool and out of the catalog's list of copies."""
    key = eviction.item.key
    lost = eviction.shed and (app.spool.root / "sealed" / key).exists()
    app.spool.remove(key)
    try:
        _forget(app, key)
    except CatalogUnavailable:
        service.unforgotten.append(key)
    if lost:
        telemetry.SHED.inc()
        log.error("footage shed", extra={"key": key, "reason": eviction.reason})


def _forget(app: App, key: str) -> None:
    """Drop the row of a file that has left the spool."""
    parts = parse_key(key)
    if parts is None:
        return
    segment = _segment_of(app, key, stream_of_prefix(parts.prefix, app.settings.site))
    if segment is not None:
        app.catalog.commits.forget([Copy(segment, spool_of(app.settings.node))], "spool-full")


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
                place = spool_of(app.settings.node)
                app.catalog.commits.forget([Copy(segment, place)], "no-event")
            dropped += 1
    return dropped
