"""The service: capture, shipping, janitor and API of one node, by role, in one process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from recorder import jobs, telemetry
from recorder.above import link_of
from recorder.app import App
from recorder.capture.loop import CaptureLoop, desired_streams
from recorder.capture.sealer import Sealer
from recorder.capture.share import Share, Wanted
from recorder.capture.supervisor import CaptureSettings
from recorder.catalog.rows import camera_body, read_body
from recorder.errors import BadDocument, CatalogUnavailable, KeyMissing, RecorderError
from recorder.exports.made import runner_of
from recorder.ingest.leftovers import Leftovers
from recorder.ingest.register import Register
from recorder.made import find_ffmpeg
from recorder.model.cameras import Camera
from recorder.model.causes import Cause
from recorder.model.holds import held_ranges
from recorder.model.keys import StreamId, parse_key, said_of, stream_of_prefix
from recorder.model.media import Segment
from recorder.model.places import spool_of
from recorder.model.timebase import TimeRange
from recorder.ports import StreamStatus
from recorder.presence import Presence
from recorder.ship.choose import verdict
from recorder.ship.sender import Sender, ShipSettings
from recorder.sites.link import Link
from recorder.sites.receive import Receiver
from recorder.spool.keeper import Keeper, Limits, used_bytes
from recorder.spool.remembered import HELD, recall, remember
from recorder.store.files import mount_of
from recorder.threads import Patience, in_thread

log = logging.getLogger("recorder.service")

RECONCILE_S = 2
HEARTBEAT_S = 2
ADOPT_S = 10
CATALOG_S = 10.0
"""Capture waits no longer for the catalog: then it goes on with what it knows."""
HAND_OVER_S = 20.0
"""So long a node that is to stop waits for others: they record beside it for some seconds first."""
HANDED_S = 0.5
KEEP_S = 5
SWEEP_S = 60
SIGN_S = 60
SETTLE_S = 60
GAPS_S = 300
"""Of a day's dark time; a timeline per stream."""
PROTECT_S = 3
EXCHANGE_S = 1
CARRY_S = 5
CAMERAS_S = 15
EXPORTS_S = 3
GUESTS = 0.8
"""Share of the spool that footage from sites below may fill."""


class Service:
    """Everything that runs for as long as the process does."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.roles: set[str] = set(app.settings.roles)
        self.executor = ThreadPoolExecutor(4, thread_name_prefix="seal")
        self.register: Register | None = None
        self.capture: CaptureLoop | None = None
        self.sender: Sender | None = None
        self.share: Share | None = None
        self._mine: set[str] | None = None  # streams held, once known
        self.link: Link | None = None
        self.receiver: Receiver | None = None
        self.exports = runner_of(app)
        self.scheduler = AsyncIOScheduler(
            timezone=UTC,
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._cameras: list[Camera] = []
        self.documents: Sequence[Camera] | None = None
        self._modes: dict[tuple[str, str], str] = {}
        self._remembered: dict[str, dict[str, Any]] | None = None
        self._store_known = False
        self._jobs: set[asyncio.Task[Any]] = set()
        self._asking = Patience("reconcile", CATALOG_S)
        self._presence = Presence(app, self)

    # -- start and stop --------------------------------------------------------------------

    async def start(self) -> None:
        """Start what the roles ask for; adopt what earlier processes left."""
        settings = self.app.settings
        if "ship" in self.roles:
            # before anything is waited for: the API answers already, and takes footage in
            self.sender = self._make_sender()
            self.receiver = self._make_receiver()
            with contextlib.suppress(CatalogUnavailable):
                self._modes = _modes(await self._asking.ask(self.app.catalog.cameras.all))
        if "janitor" in self.roles and settings.parent:
            self.link = link_of(self.app)
        if "capture" in self.roles:
            self.register = self._make_register()
            term = await in_thread("term", self.app.spool.next_term, settings.node)
            self.capture = CaptureLoop(
                CaptureSettings(
                    find_ffmpeg(settings.capture.ffmpeg),
                    settings.node,
                    term,
                    settings.capture.segment,
                    settings.capture.connect_timeout,
                    allowed=self.app.allowed,
                ),
                self.app.spool,
                Sealer(self.app.spool, self.on_sealed),
                self.app.clock,
                self.executor,
                settings.site,
                shared=settings.shared,
            )
            if settings.shared:
                self.share = Share(
                    self.app.catalog.leases,
                    self.app.catalog.nodes,
                    self.app.site_clock,
                    settings.site,
                    settings.node,
                    self.capture.is_settled,
                )
            with contextlib.suppress(CatalogUnavailable):
                states = await self._asking.ask(self.app.catalog.statuses.all)
                self.capture.book.recall((one.stream, one.health) for one in states)
                self._presence.recall(states)
            adopting = asyncio.create_task(self.capture.adopt())
            await self.reconcile()
            await adopting
        if self.register is not None:
            self.register.start()
        if self.sender is not None:
            self.sender.start()
        self._schedule()

    def _make_register(self) -> Register:
        app = self.app

        def camera_of(segment: Segment) -> Camera | None:
            own = segment.stream.site == app.settings.site
            named = (one for one in self._cameras if one.name == segment.stream.camera)
            return next(named, None) if own else None

        def committed(segment: Segment) -> None:
            if self.sender is not None:
                self.sender.offer(segment.key, segment)

        leftovers = Leftovers(
            app.catalog, app.spool, app.clock, app.settings.node, app.settings.site
        )
        return Register(
            app.catalog.commits,
            app.catalog.events,
            app.spool,
            app.clock,
            spool_of(app.settings.node),
            camera_of,
            app.waiting,
            before=leftovers.register,
            after=committed,
        )

    def _make_sender(self) -> Sender:
        settings = self.app.settings
        name = settings.ship_store
        part = next(part for part in settings.all_stores if part.name == name)
        return Sender(
            self.app.spool,
            self.app.stores[name],
            self.app.catalog.commits,
            self.app.clock,
            ShipSettings(
                settings.node,
                settings.ship.order == "newest-first",
                settings.ship.workers,
                settings.ship.budget,
                settings.ship.verify == "read-back",
            ),
            lambda: self.app.admit(name),
            self._may_ship,
            self.segment_of,
            lambda: mount_of(part.path) if part.path is not None else "",
        )

    def _make_receiver(self) -> Receiver:
        app = self.app

        def room() -> int:
            usage, limits = app.spool.usage(), app.settings.spool
            used = used_bytes(usage) - usage["cache"]  # which makes room
            most = round(limits.max_size * GUESTS)  # the rest is for the site's own footage
            return min(most - used, usage["free"] - limits.floor)

        def arrived(segment: Segment) -> None:
            if self.sender is not None:
                self.sender.offer(segment.key, segment)

        return Receiver(
            app.spool,
            app.catalog,
            app.clock,
            app.settings.node,
            app.settings.site,
            room,
            arrived,
        )

    def _make_keeper(self) -> Keeper:
        app, limits = self.app, self.app.settings.spool
        return Keeper(
            app.spool,
            app.catalog,
            app.clock,
            Limits(limits.max_size, limits.floor, limits.shed),
            app.settings.node,
            app.settings.site,
            self.sender,
            lambda: jobs.incoming_bps(self),
        )

    def _carry(self) -> None:
        """Send footage up for a while; what is more urgent then is seen the next time."""
        if self.link is not None:
            if not self._store_known:  # the first time it may have to be made
                self.app.admit(self.app.settings.ship_store)
                self._store_known = True
            self.link.carry(self.link.plan(), self.app.clock.monotonic() + CARRY_S)

    # -- event mode ------------------------------------------------------------------------

    def _may_ship(self, key: str) -> bool:
        try:
            return self.verdict(key) == "ship"
        except CatalogUnavailable:
            return False  # asked again when the catalog is back

    def verdict(self, key: str) -> str:
        """Say ``ship``, ``wait`` or ``drop`` of a sealed file: event mode chooses."""
        parts = parse_key(key)
        if parts is None:
            return "ship"
        stream = stream_of_prefix(parts.prefix, self.app.settings.site)
        if stream.site != self.app.settings.site:
            return "ship"  # it came from a site below, because it is wanted here
        if self._modes.get((stream.camera, stream.stream)) != "event":
            return "ship"
        if parts.is_end:  # an end goes with the footage before it
            range_ = TimeRange(parts.start - 1, parts.start)
        else:
            segment = self.segment_of(key)
            if segment is None:
                return "wait"  # not committed yet
            range_ = segment.range
        now, catalog = self.app.clock.now(), self.app.catalog
        held = said_of(held_ranges(catalog.holds.live(now), now), stream.camera_id)
        if any(one.overlaps(range_) for one in held):
            return "ship"
        touched = [one for _, one, _ in catalog.events.windows(range_, stream.camera_id)]
        return verdict(range_, touched, now, self.app.settings.event_wait_ns)

    def event_prefixes(self) -> tuple[str, ...]:
        """Return how the keys of streams in event mode begin."""
        site = self.app.settings.site
        return tuple(
            f"{StreamId(site, *one)}/" for one, how in self._modes.items() if how == "event"
        )

    def segment_of(self, key: str) -> Segment | None:
        """Return the segment of a sealed file, as the catalog knows it."""
        parts = parse_key(key)
        if parts is None or parts.is_end:
            return None
        stream = stream_of_prefix(parts.prefix, self.app.settings.site)
        return self.app.catalog.footage.segment_by_key(stream, parts.start, key)

    def _schedule(self) -> None:
        # all from one instant: jobs that are due together cost one waking of the scheduler
        begun = datetime.fromtimestamp(self.app.clock.now() / 1e9, UTC)

        def every(seconds: int, work: Callable[..., Any], *said: Any, first: int = 0) -> None:
            """``first``: when the first time is, if it is sooner."""
            start = begun - timedelta(seconds=seconds - first if first else 0)
            self.scheduler.add_job(work, "interval", said, seconds=seconds, start_date=start)

        if self.capture is not None:
            every(RECONCILE_S, self.reconcile)
            every(ADOPT_S, self.capture.adopt)
        if self.capture is not None or self.sender is not None:  # either puts footage there
            every(KEEP_S, self._threaded, self._make_keeper().keep)
        if self.sender is not None:
            every(30, self._threaded, self.sender.refresh)
            every(5, self._threaded, jobs.choose_event_footage, self.app, self)
        if "janitor" in self.roles:
            # once, beside the start: recording waits for nothing
            self.scheduler.add_job(self._threaded, args=[jobs.prove_catalog, self.app])
            every(SWEEP_S, self._threaded, jobs.sweep_alone, self.app)
            every(SWEEP_S, self._threaded, jobs.keep_documents, self.app)
            every(SWEEP_S, self._threaded, jobs.scrub_alone, self.app)
            if any(part.kind != "directory" for part in self.app.settings.all_stores):
                every(PROTECT_S, self._threaded, jobs.protect_held, self.app)
            every(SIGN_S, self._threaded, jobs.sign_log, self.app, first=5)
        if "api" in self.roles:  # a bundle is fetched from where it was made
            every(EXPORTS_S, self._threaded, self.exports.tend_exports, first=1)
        self.scheduler.add_job(self._threaded, args=[jobs.note_node, self.app, "start"])
        every(SETTLE_S, self._threaded, jobs.settle_secrets, self.app, first=2)
        if self.link is not None:
            every(EXCHANGE_S, self._threaded, self.link.catch_up)
            every(EXCHANGE_S, self._threaded, self._carry)
        every(HEARTBEAT_S, self.heartbeat)
        every(GAPS_S, self._threaded, jobs.gap_metrics, self.app, first=60)
        every(CAMERAS_S, self._threaded, jobs.camera_metrics, self.app)
        self.scheduler.start()

    async def hand_over(self, hurry: asyncio.Event) -> None:
        """Have other nodes of the site take the streams over, before this one stops.

        For ``HAND_OVER_S`` at most, while there is somebody to take them, until ``hurry``.
        """
        if self.share is None or self.capture is None:
            return
        self._presence.leaving = True
        asking, end = Patience("hand over", CATALOG_S), self.app.clock.monotonic() + HAND_OVER_S
        while not hurry.is_set() and self.app.clock.monotonic() < end:
            states = self.capture.states().items()
            recorded = [stream for stream, one in states if one.state == "recording"]
            try:
                if not self.share.alone_with(recorded) or not await asking.ask(
                    self.share.has_others
                ):
                    return
            except CatalogUnavailable:
                return  # the others cannot ask either
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(hurry.wait(), HANDED_S)

    async def stop(self) -> None:
        """Stop cleanly: last segments sealed, shipped or left in the spool."""
        self.app.ending.set()
        if self.scheduler.running:
            self.scheduler.shutdown(wait=False)
        if self.link is not None:
            self.link.stop()
        if self._jobs:  # they look at ``ending``; one that hangs is left
            await asyncio.wait(self._jobs, timeout=CATALOG_S)
        last = self.capture.statuses() if self.capture is not None else []
        if self.capture is not None:
            await self.capture.stop()
        if self.register is not None:
            await in_thread("ingest ends", self.register.stop, CATALOG_S)
        await in_thread("exports end", self.exports.stop, CATALOG_S)
        await self._leave(last)
        if self.sender is not None:
            await in_thread("ship ends", self.sender.drain, 10)
            await in_thread("ship ends", self.sender.stop, 5)
        if not self.app.settings.shared:  # else other nodes of the site go on
            await self._say([partial(self.app.upkeep.owners.leave, self.app.stores.values())])
        self.executor.shutdown(wait=True)

    async def _leave(self, last: list[StreamStatus]) -> None:
        """Say that this node has stopped; each word is said, whatever becomes of the others."""
        signs = "janitor" in self.roles
        words: list[Callable[[], object]] = [partial(self._presence.tell, "stopped")]
        words.append(partial(jobs.leave_log, self.app, signs=signs))
        stopped = [replace(one, state="stopped", cause=Cause.NODE, condition="") for one in last]
        words.append(partial(self.app.catalog.statuses.put, stopped))
        words.append(partial(self.app.catalog.leases.release, self.app.settings.node))
        if self.sender is not None:
            words.append(self.sender.refresh)
        await self._say(words)

    async def _say(self, words: Iterable[Callable[[], object]]) -> None:
        leaving = Patience("leave", CATALOG_S)
        for word in words:
            try:
                await leaving.ask(word)
            except RecorderError as exc:
                log.warning("stopped without a word", extra={"reason": str(exc)})

    # -- what happens ----------------------------------------------------------------------

    def on_sealed(self, segment: Segment) -> None:
        """Take in a sealed segment; called from sealing threads, which wait for nothing."""
        telemetry.SEALED.inc()
        if self.register is not None:
            self.register.offer(segment)

    async def reconcile(self) -> None:
        """Compare what should be recorded with what is."""
        assert self.capture is not None  # noqa: S101 - scheduled only with capture
        try:
            self._cameras = await self._asking.ask(self.app.catalog.cameras.all)
            self.documents = self._cameras
            await self._remember_cameras()
        except CatalogUnavailable as exc:
            log.warning("catalog away, recording goes on", extra={"reason": str(exc)})
            if self._remembered is None:  # never seen in this process
                kept = await recall(self.app.spool.root)
                self._remembered = self.app.catalog.secrets.uncover(kept)
                self._cameras = list(_remembered_cameras(self._remembered))
                if not self._cameras:
                    raise  # there is nothing that could be recorded
        self._modes = _modes(self._cameras)
        now = self.app.clock.now()
        wanted = desired_streams(self._cameras, self.app.settings.site, now)
        await self.capture.reconcile(await self._own_part(wanted))

    async def _own_part(self, wanted: Wanted) -> Wanted:
        """Return what this node records of what its site wants."""
        if self.share is None:
            return wanted
        root = self.app.spool.root
        try:
            critical = [
                stream
                for stream in wanted
                if any(one.name == stream.camera and one.critical for one in self._cameras)
            ]
            chosen = await self._asking.ask(self.share.choose, wanted, critical)
        except CatalogUnavailable:  # go on with what it held: the others cannot ask either
            if self._mine is None:  # never asked in this process
                self._mine = set(await recall(root, HELD))
            return {stream: how for stream, how in wanted.items() if str(stream) in self._mine}
        names = {str(stream) for stream in chosen}
        if names != self._mine:
            await remember(root, {name: {} for name in names}, HELD)
            self._mine = names
        return chosen

    async def _remember_cameras(self) -> None:
        """Keep the documents beside the spool, for a start while the catalog is away."""
        documents = {camera.name: camera_body(camera) for camera in self._cameras}
        if self._remembered == documents:
            return
        try:
            covered = await self._asking.ask(self.app.catalog.secrets.cover, documents)
        except KeyMissing as exc:  # what was remembered before stays
            log.error("cameras not remembered", extra={"reason": str(exc)})
        else:
            await remember(self.app.spool.root, covered)
        self._remembered = documents

    async def heartbeat(self) -> None:
        """Say that this node lives, and how its streams are."""
        await self._threaded(self._presence.tell)

    def own_statuses(self) -> list[StreamStatus]:
        """Return the states of the streams that this node speaks for."""
        found, share = self.capture.statuses() if self.capture is not None else [], self.share
        return [one for one in found if share is None or share.speaks_for(one.stream)]

    async def _threaded(self, work: Any, *arguments: Any) -> None:
        """Run a job beside the loop; an error in it is logged and the job runs again."""
        job = asyncio.create_task(in_thread(work.__name__, work, *arguments))
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)
        try:
            await asyncio.shield(job)
        except RecorderError as exc:
            log.warning("job failed", extra={"job": work.__name__, "reason": str(exc)})
        except asyncio.CancelledError:
            if not self.app.ending.is_set():  # at the end the scheduler calls off what waits
                raise


def _remembered_cameras(documents: Mapping[str, Mapping[str, Any]]) -> Iterator[Camera]:
    """Read what was remembered; one document that is not understood now keeps no other back."""
    for name, body in documents.items():
        try:
            yield read_body(name, body)
        except BadDocument as exc:
            log.error("camera not understood", extra={"camera": name, "reason": str(exc)})


def _modes(cameras: list[Camera]) -> dict[tuple[str, str], str]:
    """Say how each stream is recorded."""
    return {
        (camera.name, name): source.record
        for camera in cameras
        for name, source in camera.streams.items()
    }
