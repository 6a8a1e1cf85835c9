"""The app joins the rooms: the only place that knows every concrete class.

``App`` holds what every command needs (catalog, spool, stores, view), each made when it is
first used; :mod:`recorder.service` runs capture, shipping and janitor on top of it.  The rooms
are imported then, too: a command that only asks the catalog starts in a third of the time.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from recorder.admission import Admission
from recorder.app.log_stores import left_bundles, make_press
from recorder.app.upkeep import Upkeep
from recorder.catalog.documents import CATALOG
from recorder.catalog.sql import SqlCatalog
from recorder.clock import SiteClock, SystemClock, new_id
from recorder.config import Settings
from recorder.door import is_loopback
from recorder.made import make_keys, make_store
from recorder.model.keys import StreamId
from recorder.model.places import spool_of
from recorder.ports import DeletableStore
from recorder.private import make_folder, prepare
from recorder.store.watched import WatchedStore, Writes

if TYPE_CHECKING:
    from recorder.accounts.known import Knower
    from recorder.accounts.peers import Signatures, Signer
    from recorder.accounts.people import People
    from recorder.capture.allowed import Allowed
    from recorder.export.kept import Bundles
    from recorder.ingest.waiting import Waiting
    from recorder.logbook.book import Book
    from recorder.logbook.press import Press
    from recorder.logbook.sealed import SealedLog
    from recorder.logbook.witness import Witness
    from recorder.reading.finder import Finder
    from recorder.reading.view import View
    from recorder.sites.changing import Changer
    from recorder.sites.remote import RemoteSite
    from recorder.spool.disk import Spool


log = logging.getLogger("recorder.app")


class App:
    """Components of a node, made from its settings when first used."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = SystemClock()
        self.damage = ""
        """What is wrong with the catalog's file, once that was found."""
        self.ending = threading.Event()
        """Set when the process is to end: what waits in a thread stops waiting."""

    @functools.cached_property
    def site_clock(self) -> SiteClock:
        """The time that all nodes of this site share; what they compare is kept by it."""
        return SiteClock(self.clock, self.catalog.database.now)

    @functools.cached_property
    def catalog(self) -> SqlCatalog:
        """The catalog."""
        prepare(self.settings.data, make=not self.settings.catalog)
        return SqlCatalog(
            self.settings.catalog_url,
            parent=bool(self.settings.parent),
            site=self.settings.site,
            node=self.settings.node,
            keys=make_keys(self.settings),
            bundles=left_bundles(self.settings, lambda: self.log_store, lambda: self.stores),
        )

    @functools.cached_property
    def book(self) -> Book:
        """What writes the audit log."""
        from recorder.logbook.book import Book

        return Book(self.catalog.audit_log, self.clock, required=self.settings.audit.required)

    @functools.cached_property
    def press(self) -> Press:
        """What signs the audit log, and puts it into a store."""
        stores, own = (lambda: self.log_store, lambda: self.stores), self.settings
        return make_press(own, self.catalog, self.clock, *stores, self._drop_tiles, self.admit)

    @functools.cached_property
    def sealed_log(self) -> SealedLog:
        """What writes the digests of sealed segments into the audit log."""
        from recorder.logbook.sealed import SealedLog

        own = self.settings
        return SealedLog(self.catalog, lambda: self.log_store, self.clock, own.site, own.node)

    def _drop_tiles(self, keys: Sequence[str]) -> None:
        """Delete tiles of the audit log that full ones have taken the place of; nothing else."""
        from recorder.logbook.shelf import is_partial

        self.log_store.delete([key for key in keys if is_partial(key)])

    @functools.cached_property
    def witness(self) -> Witness:
        """What vouches for the audit logs of sites below."""
        from recorder.logbook.witness import Witness

        path = self.settings.audit_key.with_name("audit-witness.key")
        site = self.settings.site
        return Witness(self.catalog.witnessed, lambda: self.book, self.clock, site, path)

    @functools.cached_property
    def bundles(self) -> Bundles:
        """The bundles of evidence that were asked for, on this node's disk."""
        from recorder.export.kept import Bundles

        part = self.settings.exports
        folder = part.path or self.settings.data / "exports"
        return Bundles(folder, part.max_size, part.floor)

    @functools.cached_property
    def log_store(self) -> DeletableStore:
        """Where the audit log is put: the store that footage goes to, else the folder of data."""
        from recorder.store.files import FileStore

        if self.settings.ship_store:
            return self.stores[self.settings.ship_store]
        make_folder(self.settings.data / "audit")
        return FileStore("audit", self.settings.data / "audit")

    @functools.cached_property
    def people(self) -> People:
        """Accounts of people and services."""
        from recorder.accounts.people import People

        return People(self.catalog, self.clock, self.settings.api.limits)

    @functools.cached_property
    def knower(self) -> Knower:
        """What knows who shows a session or a token."""
        from recorder.accounts.known import Knower

        part, mark = self.settings.api, self.settings.data / "access-on"
        beyond = not is_loopback(part.listen) or bool(part.oidc.issuer)
        return Knower(self.catalog, self.clock, part.access, mark, beyond=beyond)

    @functools.cached_property
    def signer(self) -> Signer:
        """What says, to other sites and nodes, that it is this node that asks."""
        from recorder.accounts.peers import Signer

        path, own = self.settings.data / "node.key", self.settings
        return Signer(path, self.catalog.peers, self.clock, own.node, site=own.site)

    @functools.cached_property
    def signatures(self) -> Signatures:
        """What knows which site or node has signed a request."""
        from recorder.sites.joining import signatures_of

        return signatures_of(self.catalog, self.clock, self.settings.site, self.settings.node)

    @functools.cached_property
    def spool(self) -> Spool:
        """The spool; whoever reads or writes footage has it, and an index that is right."""
        from recorder import index
        from recorder.spool.disk import Spool

        index.self_test()
        return Spool(self.settings.spool_path)

    @functools.cached_property
    def catalog_id(self) -> str:
        """What this catalog is told apart by from one made anew, or of another site."""
        return self.catalog.identities.register(CATALOG, new_id())

    @functools.cached_property
    def waiting(self) -> Waiting:
        """What is sealed and not committed yet."""
        from recorder.ingest.waiting import Waiting

        return Waiting()

    @functools.cached_property
    def stores(self) -> Mapping[str, WatchedStore]:
        """All stores, by name."""
        parts = self.settings.all_stores
        return {part.name: WatchedStore(make_store(part), self.clock) for part in parts}

    @property
    def writes(self) -> dict[str, Writes]:
        """How writes of this process to stores went; of stores not used yet nothing is said."""
        made: Mapping[str, WatchedStore] = self.__dict__.get("stores", {})
        return {name: store.writes for name, store in made.items() if store.writes != Writes()}

    @property
    def planned_stores(self) -> Mapping[str, WatchedStore]:
        """The stores that the janitor plans for: those it may write to."""
        parts = self.settings.all_stores
        return {part.name: self.stores[part.name] for part in parts if not part.readonly}

    @functools.cached_property
    def view(self) -> View:
        """All footage this node can see."""
        from recorder.reading.view import View

        return View(
            self.catalog.footage,
            self.catalog.statuses,
            self.spool,
            self.stores,
            self.clock,
            self.settings.site,
            place=spool_of(self.settings.node),
            remote=self.remote_site,
            pending=self.waiting.all,
        )

    @property
    def allowed(self) -> Allowed:
        """What cameras may be on this node."""
        from recorder.capture.allowed import Allowed

        part = self.settings.capture
        return Allowed(part.synthetic, str(part.files) if part.files is not None else "")

    @property
    def changer(self) -> Changer:
        """What changes this site's cameras."""
        from recorder.sites.changing import Changer

        own, stores = self.settings, self.planned_stores
        check = self.allowed.check_camera
        return Changer(self.catalog, own.site, own.level, list(stores), check)

    @functools.cached_property
    def remote_site(self) -> Callable[[str], RemoteSite | None]:
        """What finds the parent (``..``), a child, or a node (``spool:NAME``) by its name."""
        from recorder.sites.known import KnownSites

        return KnownSites(self.catalog, self.sign_for).find

    def sign_for(self, name: str) -> Callable[[str, str, int], str]:
        """Return what signs requests to the parent (``..``), a child, or a node."""
        from recorder.sites.joining import sign_for

        return sign_for(self.settings.site, name, lambda: (self.catalog.peers, self.signer))

    @property
    def grace_ns(self) -> int:
        """How long what is condemned waits."""
        return self.settings.grace_ns

    @property
    def levels(self) -> dict[str, str]:
        """Level of each store of this site, by name."""
        return {part.name: self.settings.level for part in self.settings.all_stores}

    @functools.cached_property
    def admission(self) -> Admission:
        """What takes stores as this site's own, or refuses them."""
        parts, owners = self.settings.all_stores, lambda: self.upkeep.owners
        return Admission(parts, self.stores, self.catalog.identities, owners, self.upkeep.doubt)

    def admit(
        self, name: str, *, adopt: bool = False, over: bool = False, sure: bool = False
    ) -> str:
        """Check a store's identity and owner.  See :meth:`Admission.admit`."""
        return self.admission.admit(name, adopt=adopt, over=over, sure=sure)

    @functools.cached_property
    def upkeep(self) -> Upkeep:
        """What keeps footage as policy, holds and time want it."""
        return Upkeep(self)

    @functools.cached_property
    def finder(self) -> Finder:
        """What finds cameras and streams by the names that people give."""
        from recorder.reading.finder import Finder

        def recorded() -> Iterator[StreamId]:
            yield from (run.stream for run, _ in self.spool.runs())
            yield from (one.stream for one in self.waiting.all())

        return Finder(self.catalog, self.settings.site, recorded)

    def close(self) -> None:
        """Let go of connections and threads."""
        for name in ("view", "catalog"):
            if name in self.__dict__:
                self.__dict__[name].close()
