"""The way of footage through a node: taken in, sent to the store, received, kept within room."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor

from recorder.app import App
from recorder.capture.looks import Looks
from recorder.capture.loop import CaptureLoop
from recorder.capture.sealer import Sealer
from recorder.capture.settings import CaptureSettings
from recorder.ingest.leftovers import Leftovers
from recorder.ingest.register import Register
from recorder.made import find_ffmpeg
from recorder.model.cameras import Camera
from recorder.model.media import Segment
from recorder.model.places import spool_of
from recorder.model.timebase import Instant
from recorder.ship.sender import Sender
from recorder.ship.settings import ShipSettings
from recorder.sites.receive import Receiver
from recorder.spool.folders import used_bytes
from recorder.spool.keeper import Keeper, Limits
from recorder.store.on_disk import mount_of

GUESTS = 0.8
"""Share of the spool that footage from sites below may fill."""

Offer = Callable[[Segment], None]
"""Takes a segment that is sealed, or in the catalog, now."""


def register_of(app: App, camera: Callable[[str], Camera | None], after: Offer) -> Register:
    """Make what takes sealed files into the catalog; ``camera`` knows this site's by name."""
    own = app.settings

    def camera_of(segment: Segment) -> Camera | None:
        return camera(segment.stream.camera) if segment.stream.site == own.site else None

    return Register(
        app.catalog.commits,
        app.catalog.events,
        app.spool,
        app.clock,
        spool_of(own.node),
        camera_of,
        app.waiting,
        before=Leftovers(app.catalog, app.spool, app.clock, own.node, own.site).register,
        after=after,
    )


def capture_of(app: App, term: int, sealed: Offer, executor: Executor) -> CaptureLoop:
    """Make what records; ``sealed`` is told of every segment, in a thread of ``executor``."""
    own = app.settings
    settings = CaptureSettings(
        find_ffmpeg(own.capture.ffmpeg),
        own.node,
        term,
        own.capture.segment,
        own.capture.connect_timeout,
        allowed=app.allowed,
        looks=Looks(app.spool.silence.asking),
    )
    sealer = Sealer(app.spool, sealed)
    return CaptureLoop(
        settings, app.spool, sealer, app.clock, executor, own.site, shared=own.shared
    )  # fmt: skip


def sender_of(
    app: App, may_ship: Callable[[str], bool], segment_of: Callable[[str], Segment | None]
) -> Sender:
    """Make what sends sealed files to the store."""
    settings = app.settings
    name = settings.ship_store
    part = next(part for part in settings.all_stores if part.name == name)
    return Sender(
        app.spool,
        app.stores[name],
        app.catalog.commits,
        app.clock,
        ShipSettings(
            settings.node,
            settings.ship.order == "newest-first",
            settings.ship.workers,
            settings.ship.budget,
            settings.ship.verify == "read-back",
        ),
        lambda: app.admit(name),
        may_ship,
        segment_of,
        lambda: mount_of(part.path) if part.path is not None else "",
    )


def receiver_of(app: App, arrived: Offer) -> Receiver:
    """Make what takes footage of sites below into the spool."""

    def room() -> int:
        usage, limits = app.spool.usage(), app.settings.spool
        used = used_bytes(usage) - usage["cache"]  # which makes room
        most = round(limits.max_size * GUESTS)  # the rest is for the site's own footage
        return min(most - used, usage["free"] - limits.floor)

    own = app.settings
    return Receiver(app.spool, app.catalog, app.clock, own.node, own.site, room, arrived)


def keeper_of(app: App, sender: Sender | None, incoming_bps: Callable[[], float]) -> Keeper:
    """Make what keeps the spool within its room."""
    own, limits = app.settings, app.settings.spool
    return Keeper(
        app.spool,
        app.catalog,
        app.clock,
        Limits(limits.max_size, limits.floor, limits.shed),
        own.node,
        own.site,
        sender,
        incoming_bps,
        app.upkeep.janitor.proof.last,
    )


def incoming_bps(capture: CaptureLoop | None, clock: Callable[[], Instant]) -> float:
    """Bytes per second of all streams, since each was started."""
    now = clock()
    states = capture.states().values() if capture is not None else ()
    return sum(
        state.bytes_in / max(1.0, (now - state.since) / 1e9)
        for state in states
        if state.state == "recording" and now > state.since
    )
