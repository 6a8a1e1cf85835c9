"""What a node says of itself, and what metrics say of cameras."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from recorder import telemetry
from recorder.app import App
from recorder.capture.loop import CaptureLoop
from recorder.catalog.unchanged import Remembered
from recorder.ingest.register import Register
from recorder.janitor.absent import ADVICE, absent_from
from recorder.model.causes import UNWANTED
from recorder.model.keys import StreamId
from recorder.model.places import spool_of
from recorder.model.timebase import DAY, TimeRange
from recorder.ports import NodeBeat, StreamStatus
from recorder.reading.timelines import total_gaps
from recorder.ship.sender import Sender
from recorder.sites import listing, survey
from recorder.wanted import WantedStreams

log = logging.getLogger("recorder.jobs")


class Running(Protocol):
    """What the jobs need to know of the running service."""

    app: App
    roles: set[str]
    capture: CaptureLoop | None
    sender: Sender | None
    register: Register | None
    wanted: WantedStreams

    def own_statuses(self) -> list[StreamStatus]:
        """Return the states of the streams that this node speaks for."""


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
        "full": app.spool.takes_nothing(),
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


class CameraNews:
    """How the cameras of this site and of those below do."""

    def __init__(self, app: App, told: Callable[[], Mapping[StreamId, StreamStatus]]) -> None:
        """``told``: what this process said last of its streams, which it wrote quietly."""
        self._app, self._told = app, told
        look = partial(survey.look, app.catalog, app.settings.site)
        # what else is written quietly, the beats of this site's nodes, has no part in what is seen
        self._known = Remembered(app.catalog.database.mark, look)

    def camera_metrics(self) -> None:
        """Publish it."""
        known = survey.with_told(self._known.get(), self._told())
        found = survey.seen(known, self._app.site_clock.now())
        telemetry.replace(telemetry.CAMERAS, listing.counted(found))
        telemetry.replace(telemetry.DARK, listing.dark_since(found))


def absent_metrics(app: App) -> None:
    """Say what the catalog has in this node's spool, and what is not there."""
    place = spool_of(app.settings.node)
    found = absent_from(app.catalog.planning, app.catalog.footage, place, app.spool.path_of)
    telemetry.SPOOL_ABSENT.set(len(found.alone))
    if found.segments:
        first = {"first": found.segments[0].key, "hint": ADVICE}
        log.error("footage is not in the spool", extra={"why": str(found), **first})
