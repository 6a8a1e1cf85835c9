"""A site with an audit log: its catalog, its store, its key."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path

from recorder.audit.entry import Entry, Subject, read_entry
from recorder.audit.note import Key, read_checkpoint
from recorder.audit.tiles import read_bundle, tile_path, write_bundle
from recorder.audit.tree import leaf_hashes
from recorder.catalog.sql import SqlCatalog
from recorder.logbook.keys import own_signer
from recorder.logbook.press import Own, Press
from recorder.logbook.proof import CatalogEvidence, Proof, prove
from recorder.logbook.shelf import Shelf
from recorder.model.caller import Caller, CallerKind
from recorder.store.memory import MemoryStore
from tests.support.clock import FakeClock
from tests.support.make import T0

ANA = Caller(CallerKind.USER, "ana", "10.0.0.7")


class House:
    """A site: its catalog, its store, its key."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, FakeClock(T0)
        self.catalog, self.store = (
            SqlCatalog("sqlite://", site="north", node="n1"),
            MemoryStore("main"),
        )
        self.ids = count(1)
        self.press = self.open()

    def open(self, key: str = "audit.key") -> Press:
        """A process that signs; it knows nothing of an earlier one."""
        own = Own("north", "n1", self.folder / key, lambda: f"id{next(self.ids)}")
        store = self.store
        self.press = Press(self.catalog, lambda: self.store, self.clock, own, store.delete)
        return self.press

    def write(self, number: int, first: int = 0) -> None:
        subject = Subject("north", "gate", "main")
        self.catalog.audit_log.write([
            Entry(T0 + one, ANA, "footage.clip", subject) for one in range(first, first + number)
        ])  # fmt: skip

    def prove(self, kept: str = "", key: Key | None = None) -> Proof:
        own = own_signer(self.folder / "audit.key").key("")
        points = [read_checkpoint(kept)] if kept else []
        given = [key] if key is not None else []
        evidence = CatalogEvidence(self.catalog.audit_tree, self.store, "north")
        return prove(evidence, own, given, points)

    @property
    def shelf(self) -> Shelf:
        return Shelf(self.store, self.catalog.audit_tree.logs()[-1].origin)

    def bundle(self, number: int, width: int) -> list[bytes]:
        return read_bundle(self.shelf.read(tile_path("entries", number, width)) or b"")

    def rewrite(self, number: int, entries: Sequence[bytes], width: int) -> None:
        """Change a bundle, and its tile along with it, as somebody careful would."""
        self.shelf.put(tile_path("entries", number, width), write_bundle(entries))
        self.shelf.put(tile_path(0, number, width), b"".join(leaf_hashes(entries)))

    def lose_catalog(self) -> None:
        self.catalog.close()
        self.catalog = SqlCatalog("sqlite://", site="north", node="n1")
        self.open()

    def said(self) -> Entry:
        """The first entry of the newest log."""
        log = self.catalog.audit_tree.logs()[-1]
        return read_entry(self.catalog.audit_tree.leaves(log.number, 0, 1)[0])
