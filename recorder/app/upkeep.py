"""What keeps footage as policy, holds and time want it, made when it is first asked for."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from recorder.catalog.sql import SqlCatalog
from recorder.clock import is_own_address, new_id, synchronized_time
from recorder.config import Settings
from recorder.model.timebase import Instant, format_instant
from recorder.ports import Clock
from recorder.store.watched import WatchedStore
from recorder.throttle import Throttle

if TYPE_CHECKING:
    from recorder.janitor.carry_out import Janitor
    from recorder.janitor.expiry import EventExpiry
    from recorder.janitor.keeping import Keeper
    from recorder.janitor.keeping_events import EventKeeper
    from recorder.janitor.move import Mover
    from recorder.janitor.owners import Owners
    from recorder.janitor.protect import Protector
    from recorder.janitor.scrub import Scrubber
    from recorder.janitor.sought import Seeker
    from recorder.janitor.thin import Thinner
    from recorder.janitor.uploads import UploadEnder
    from recorder.logbook.book import Book
    from recorder.reading.view import View
    from recorder.spool.disk import Spool
    from recorder.store.uploads import Upload


_DATABASE, _STORE = "the database", "store "


class Node(Protocol):
    """What upkeep is made of."""

    settings: Settings
    ending: threading.Event

    @property
    def clock(self) -> Clock:
        """The machine's time."""

    @property
    def catalog(self) -> SqlCatalog:
        """The catalog."""

    @property
    def catalog_id(self) -> str:
        """What this catalog is told apart by."""

    @property
    def stores(self) -> Mapping[str, WatchedStore]:
        """All stores, by name."""

    @property
    def spool(self) -> Spool:
        """Footage on this node's disk."""

    @property
    def view(self) -> View:
        """All footage."""

    @property
    def book(self) -> Book:
        """The audit log."""


class Upkeep:
    """The janitor, and who works beside it."""

    def __init__(self, node: Node) -> None:
        self.node = node

    @functools.cached_property
    def thinner(self) -> Thinner:
        """What makes thin segments."""
        from recorder.janitor.thin import Thinner

        return Thinner(
            self.node.catalog,
            self.node.view,
            self.node.clock,
            self.node.spool.root / "thin",
            Throttle(self.node.clock, self.node.settings.janitor.rate, self.node.ending.wait),
        )

    @functools.cached_property
    def mover(self) -> Mover:
        """What puts segments into the store where they belong by now."""
        from recorder.janitor.move import Mover

        return Mover(
            self.node.catalog,
            self.node.view,
            self.node.clock,
            self.node.spool.root / "moving",
            Throttle(self.node.clock, self.node.settings.janitor.rate, self.node.ending.wait),
        )

    @functools.cached_property
    def scrubber(self) -> Scrubber:
        """What reads copies again, and repairs them."""
        return self.make_scrubber(self.node.settings.janitor.rate)

    @functools.cached_property
    def seeker(self) -> Seeker:
        """What looks for what a store that was put back should have."""
        from recorder.janitor.sought import Seeker

        return Seeker(self.scrubber)

    def make_scrubber(self, rate_bps: int) -> Scrubber:
        """Make a scrubber that reads so fast; 0: as fast as it can."""
        from recorder.janitor.scrub import Scrubber

        return Scrubber(
            self.node.catalog,
            self.node.view,
            self.node.clock,
            self.node.spool.root / "mending",
            Throttle(self.node.clock, rate_bps, self.node.ending.wait),
            self.node.spool,
        )

    @functools.cached_property
    def janitor(self) -> Janitor:
        """What carries the policy out."""
        from recorder.janitor.carry_out import Janitor, Workers
        from recorder.janitor.meter import Meter
        from recorder.janitor.proof import ClockProof

        catalog = self.node.catalog
        proof = ClockProof(
            self.node.clock,
            catalog.progress,
            catalog.planning,
            self.other_clocks,
            self.is_own_clock,
            catalog.commits.date_anew,
        )
        return Janitor(
            catalog,
            self.node.clock,
            proof,
            Meter(catalog.planning),
            lambda: Workers(self.thinner, self.mover),
            lambda: [self.node.spool],
            self.deletes.take,
            level=self.node.settings.level,
            grace_ns=self.node.settings.grace_ns,
        )

    @property
    def other_clocks(self) -> dict[str, Callable[[], Instant | None]]:
        """Clocks besides this machine's own that can say whether it is right, by name."""
        from recorder.janitor.proof import SERVICE

        clocks: dict[str, Callable[[], Instant | None]] = {
            SERVICE: synchronized_time,
            _DATABASE: self.node.catalog.database.now,
        }
        for name, store in self.node.stores.items():
            clocks[_STORE + name] = store.date
        return clocks

    def is_own_clock(self, name: str) -> bool:
        """Tell of one of these whether it is known to be this machine's own, by its address."""
        if name == _DATABASE:
            return is_own_address(self.node.catalog.database.engine.url.host or "")
        store = name.removeprefix(_STORE)
        endpoints = {part.name: part.endpoint for part in self.node.settings.all_stores}
        host = urlsplit(endpoints.get(store, "")).hostname
        return host is not None and is_own_address(host)

    @functools.cached_property
    def protector(self) -> Protector:
        """What keeps legal holds in line with the holds."""
        from recorder.janitor.protect import Protector

        return Protector(self.node.catalog.holds, self.node.catalog.object_locks)

    @functools.cached_property
    def uploads(self) -> UploadEnder:
        """What ends uploads of ours that broke off."""
        from recorder.audit.entry import Subject
        from recorder.janitor.uploads import UploadEnder
        from recorder.model.caller import Caller, CallerKind
        from recorder.model.places import PARENT

        node, settings = self.node, self.node.settings

        def note(store: str, upload: Upload) -> None:
            about = Subject(settings.site, name=store)
            caller = Caller(CallerKind.NODE, settings.node)
            begun = format_instant(upload.begun, 9)
            node.book.note(caller, "store.end-upload", about, key=upload.key, begun=begun)

        def below() -> set[str]:
            return {one.name for one in node.catalog.sites.all() if one.name != PARENT}

        return UploadEnder(settings.site, below, node.clock, note, settings.uploads_ns)

    @functools.cached_property
    def keeper(self) -> Keeper:
        """What keeps documents and holds in the stores."""
        from recorder.janitor.keeping import Keeper

        return Keeper(self.node.catalog, self.node.settings.site)

    @functools.cached_property
    def event_keeper(self) -> EventKeeper:
        """What keeps events in the stores."""
        from recorder.janitor.keeping_events import EventKeeper

        return EventKeeper(self.node.catalog, self.node.settings.site)

    @functools.cached_property
    def expiry(self) -> EventExpiry:
        """What forgets events whose time is over."""
        from recorder.audit.entry import Result, Subject
        from recorder.janitor.expiry import EventExpiry
        from recorder.model.caller import Caller, CallerKind

        node, settings = self.node, self.node.settings
        caller, about = Caller(CallerKind.NODE, settings.node), Subject(settings.site)

        def note(action: str, **details: object) -> None:
            node.book.note(caller, action, about, Result.ALLOWED, **details)

        return EventExpiry(node.catalog, settings.site, note, settings.grace_ns)

    def doubt(self, store: str) -> None:
        """Let no copy go because of others in a store, until those are proven again."""
        from recorder.janitor.adopted import note_adopted

        note_adopted(self.node.catalog.progress, store, self.node.clock.now())

    @functools.cached_property
    def owners(self) -> Owners:
        """What says in the stores that this recorder lives, and sees who else does."""
        from recorder.janitor.owners import Owners
        from recorder.janitor.signs import NotedSigns
        from recorder.spool.instance import instance_of
        from recorder.store.owners import Owner

        node, settings = self.node, self.node.settings
        spool = functools.cache(lambda: instance_of(settings.spool_path, new_id))
        beside = settings.spool_path / "signs.json"
        signs = NotedSigns(
            node.catalog.progress, node.clock, new_id, beside, lambda: node.catalog_id
        )
        return Owners(
            lambda: Owner(settings.site, node.catalog_id, settings.node, spool()), node.clock, signs
        )

    @functools.cached_property
    def deletes(self) -> Throttle:
        """How fast objects are deleted."""
        return Throttle(self.node.clock, self.node.settings.janitor.deletes, self.node.ending.wait)
