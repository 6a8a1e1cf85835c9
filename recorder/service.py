"""The service: capture, shipping, janitor and API of one node, by role, in one process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from recorder import telemetry
from recorder.app import App
from recorder.capture.loop import CaptureLoop
from recorder.capture.share import Share
from recorder.errors import CatalogUnavailable, ConfigError, RecorderError
from recorder.event_mode import EventMode
from recorder.exports.made import runner_of
from recorder.flow import (
    capture_of,
    incoming_bps,
    keeper_of,
    receiver_of,
    register_of,
    sender_of,
)
from recorder.ingest.register import Register
from recorder.jobs import news, retention, signing
from recorder.model.media import Segment
from recorder.patience import Patience
from recorder.ports import StreamStatus
from recorder.ports.states import STOPPED
from recorder.presence import Presence, stopped
from recorder.rounds import Rounds
from recorder.ship.sender import Sender
from recorder.sites.receive import Receiver
from recorder.spool.keeper import Keeper
from recorder.threads import Pool, in_thread
from recorder.wanted import WantedStreams, modes_of

if TYPE_CHECKING:
    from recorder.jobs.speaking import Speaking

log = logging.getLogger("recorder.service")

# What is done often is done at the same instants, for each waking costs: multiples of two.
RECONCILE_S = 2
HEARTBEAT_S = 2
ADOPT_S = 10
CATALOG_S = 10.0
"""Capture waits no longer for the catalog: then it goes on with what it knows."""
ENDING_S, LEAST_S = 15.0, 1.0
"""So long a clean stop waits for what is outside altogether, and for each that is asked at least:
one that hangs keeps no other from its last word."""
HAND_OVER_S = 20.0
"""So long a node that is to stop waits for others: they record beside it for some seconds first."""
HANDED_S = 0.5
KEEP_S = 4
SWEEP_S = SIGN_S = SETTLE_S = 60
GAPS_S = LEAVE_S = 300
"""Of a day's dark time, a timeline per stream; of the audit log's old rows."""
PROTECT_S, EXCHANGE_S, EXPORTS_S, CHANGED_S = 3, 1, 4, 6
CAMERAS_S, ABSENT_S = 15, 1800


class Service:
    """Everything that runs for as long as the process does."""

    def __init__(
        self, app: App, must_end: Callable[[ConfigError], object] = lambda _: None
    ) -> None:
        """``must_end`` is told, from a thread, why this node must not go on."""
        self.app = app
        self.roles: set[str] = set(app.settings.roles)
        self.executor = Pool("seal", 4)
        self.lacks_spool = False
        """Its spool is waited for: nothing is recorded until that answers."""
        self.register: Register | None = None
        self.capture: CaptureLoop | None = None
        self.sender: Sender | None = None
        self.keeper: Keeper | None = None
        self.link: Speaking | None = None
        self.receiver: Receiver | None = None
        self.exports = runner_of(app)
        self.rounds = Rounds(app.clock.monotonic)
        self.event_mode = EventMode(app)
        self._asking = Patience("reconcile", CATALOG_S)
        self.wanted = WantedStreams(app, self._asking)
        self._presence = Presence(app, self, must_end)

    # -- start and stop --------------------------------------------------------------------

    async def start(self) -> None:
        """Start what the roles ask for; adopt what earlier processes left."""
        if "ship" in self.roles:
            # before anything is waited for: the API answers already, and takes footage in
            self.sender = sender_of(self.app, self.event_mode.may_ship, self.event_mode.segment_of)
            self.receiver = receiver_of(self.app, self._offer)
            with contextlib.suppress(CatalogUnavailable):
                cameras = await self._asking.ask(self.app.catalog.cameras.all)
                self.event_mode.modes = modes_of(cameras)
        if "janitor" in self.roles and self.app.settings.parent:
            from recorder.above import link_of  # what speaks to other sites: few nodes do
            from recorder.jobs.speaking import Speaking

            self.link = Speaking(self.app, link_of(self.app))
        if "capture" in self.roles:
            await self._start_capture()
        if self.register is not None:
            self.register.start()
        if self.sender is not None:
            self.sender.start()
        self._schedule()

    async def _start_capture(self) -> None:
        app, settings = self.app, self.app.settings
        self.register = register_of(app, self.wanted.camera, self._offer)
        apart = app.clock.jitter()
        term = await in_thread("term", app.spool.next_term, settings.node, apart)
        self.capture = capture_of(app, term, self.on_sealed, self.executor)
        if settings.shared:
            leases, nodes, settled = app.catalog.leases, app.catalog.nodes, self.capture.is_settled
            self.wanted.share = Share(
                leases, nodes, app.site_clock, settings.site, settings.node, settled
            )
        with contextlib.suppress(CatalogUnavailable):
            states = await self._asking.ask(app.catalog.statuses.all)
            self.capture.book.recall((one.stream, one.health) for one in states)
            self._presence.recall(states)
        adopting = asyncio.create_task(self.capture.adopt())
        try:
            await self.reconcile()
        except CatalogUnavailable:  # and no camera is known here
            if not self._asking.is_owed:
                raise
        await adopting

    def _offer(self, segment: Segment) -> None:
        """Send on a segment that is in the catalog now."""
        if self.sender is not None:
            self.sender.offer(segment.key, segment)

    def _schedule(self) -> None:
        app, every, threaded = self.app, self.rounds.every, self.rounds.every_threaded
        if self.capture is not None:
            every(RECONCILE_S, self.reconcile)
            every(ADOPT_S, self.capture.adopt)
        if self.capture is not None or self.sender is not None:  # either puts footage there
            coming = partial(incoming_bps, self.capture, app.clock.now)
            self.keeper = keeper_of(app, self.sender, coming)
            threaded(KEEP_S, self.keeper.keep)
        if self.sender is not None:
            threaded(30, self.sender.refresh)
            every(4, self._choose, self.sender)
        if "janitor" in self.roles:
            self._schedule_janitor()
        if "api" in self.roles:  # a bundle is fetched from where it was made
            threaded(EXPORTS_S, self.exports.tend_exports, first=2)
        self.rounds.once(signing.note_node, app, "start")
        threaded(SETTLE_S, signing.settle_secrets, app, first=2)
        if self.link is not None:
            threaded(EXCHANGE_S, self.link.catch_up)
            threaded(EXCHANGE_S, self.link.carry)
        if (reserve := app.catalog.database.reserve) is not None:
            threaded(SETTLE_S, reserve.keep_reserve, first=4)
        threaded(HEARTBEAT_S, self._presence.tell)
        threaded(GAPS_S, news.gap_metrics, app, first=60)
        threaded(CAMERAS_S, news.CameraNews(app, self._presence.told).camera_metrics)
        threaded(ABSENT_S, news.absent_metrics, app, first=45)
        self.rounds.start()

    def _schedule_janitor(self) -> None:
        app, threaded = self.app, self.rounds.every_threaded
        for job in (retention.prove_catalog, signing.make_key):  # once: nothing waits for them
            self.rounds.once(job, app)
        for job in (retention.sweep_alone, retention.keep_documents, retention.scrub_alone):
            threaded(SWEEP_S, job, app)
        threaded(CHANGED_S, retention.keep_changed, app)
        if any(part.kind != "directory" for part in app.settings.all_stores):
            threaded(PROTECT_S, retention.protect_held, app)
        threaded(SIGN_S, signing.sign_log, app, first=5)
        threaded(LEAVE_S, signing.let_rows_leave, app, first=60)
        threaded(LEAVE_S, signing.refill_log, app, first=90)

    async def hand_over(self, hurry: asyncio.Event) -> None:
        """Have other nodes of the site take the streams over, before this one stops.

        For ``HAND_OVER_S`` at most, while there is somebody to take them, until ``hurry``.
        """
        if self.wanted.share is None or self.capture is None or self._presence.has_elder:
            return
        self._presence.leaving = True
        asking, end = Patience("hand over", CATALOG_S), self.app.clock.monotonic() + HAND_OVER_S
        while not hurry.is_set() and self.app.clock.monotonic() < end:
            states = self.capture.states().items()
            recorded = [stream for stream, one in states if one.state == "recording"]
            try:
                if not self.wanted.share.alone_with(recorded) or not await asking.ask(
                    self.wanted.share.has_others
                ):
                    return
            except CatalogUnavailable:
                return  # the others cannot ask either
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(hurry.wait(), HANDED_S)

    async def stop(self) -> None:
        """Stop cleanly: last segments sealed, shipped or left in the spool."""
        self.app.ending.set()
        left = partial(self._left_s, self.app.clock.monotonic() + ENDING_S)
        if self.link is not None:
            self.link.stop()
        await self.rounds.stop(left())  # jobs look at ``ending``
        last = self.own_statuses()
        if self.capture is not None:
            await self.capture.stop()
        if self.register is not None:
            await in_thread("ingest ends", self.register.stop, left())
        await in_thread("exports end", self.exports.stop, left())
        await self._leave(last, left)
        if self.sender is not None:
            await in_thread("ship ends", self.sender.drain, left())
            await in_thread("ship ends", self.sender.stop, min(5, left()))
        if not self.app.settings.shared:  # else other nodes of the site go on
            await self._say([self.app.admission.leave], left)
        self.executor.close()

    def _left_s(self, end_s: float) -> float:
        """Say how long the next one that may hang is waited for."""
        return min(CATALOG_S, max(LEAST_S, end_s - self.app.clock.monotonic()))

    async def _leave(self, last: list[StreamStatus], left: Callable[[], float]) -> None:
        """Say that this node has stopped; each word is said, whatever becomes of the others."""
        signs = "janitor" in self.roles
        words = list[Callable[[], object]]()
        if not self._presence.has_elder:  # which goes on
            words.append(partial(self._presence.tell, STOPPED))
            words.append(partial(self.app.catalog.statuses.put, list(map(stopped, last))))
            words.append(partial(self.app.catalog.leases.release, self.app.settings.node))
        if self.sender is not None:
            words.append(self.sender.refresh)
        # the log is signed into a store, which may hang: the catalog is told all the same
        signed = [partial(signing.leave_log, self.app, signs=signs)]
        await asyncio.gather(self._say(words, left), self._say(signed, left))

    async def _say(self, words: Iterable[Callable[[], object]], left: Callable[[], float]) -> None:
        leaving = Patience("leave", CATALOG_S)
        for word in words:
            leaving.patience_s = left()
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
        wanted = await self.wanted.look()
        self.event_mode.modes = self.wanted.modes
        if not self.app.ending.is_set():  # while the catalog was waited for
            await self.capture.reconcile(wanted)

    async def _choose(self, sender: Sender) -> None:
        if self.event_mode.is_used:
            await self.rounds.threaded(self.event_mode.choose, sender)

    @property
    def untold_s(self) -> float:
        """For how long the catalog has taken no sign of life."""
        return self._presence.untold_s

    def own_statuses(self) -> list[StreamStatus]:
        """Return the states of the streams that this node speaks for."""
        found, share = self.capture.statuses() if self.capture else [], self.wanted.share
        return [one for one in found if share is None or share.speaks_for(one.stream)]
