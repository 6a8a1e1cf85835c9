"""Keeping what only the catalog knows in the stores, and telling a catalog older than those.

The catalog counts each time it writes; a store that shows a higher count was written by a
catalog that knew more than this one: it was lost, or a backup took its place.  Until a
rebuild has settled that, nothing is written over what the store keeps and nothing deleted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from recorder import telemetry
from recorder.errors import DigestMismatch, StoreRefused, StoreUnavailable
from recorder.janitor.put_back import note_put_back
from recorder.model.kept import Said
from recorder.model.timebase import HOUR, MINUTE, Instant, format_instant
from recorder.ports import Kept, ObjectStore, OwedEvents, Progress
from recorder.store.kept import PAST_DAMAGED, KeptDocuments, read_kept, write_kept

NAME = "kept documents"
"""What the count is kept under, among how far long jobs are."""
BEHIND = (
    "nothing is deleted until: recorder rebuild, or recorder restore of a newer backup; "
    f"where what the store keeps is damaged, {PAST_DAMAGED}"
)
AGAIN = HOUR
"""Written again so often though nothing changed: a backup older than this is told as such."""
LOOK = 5 * MINUTE
"""So often it is looked whether a store shows what was written there last."""


class KeepingCatalog(Protocol):
    """The parts of the catalog that keeping uses."""

    @property
    def kept(self) -> Kept:
        """What only the catalog knows."""

    @property
    def progress(self) -> Progress:
        """How often it was written."""

    @property
    def owed_events(self) -> OwedEvents:
        """Which events a store has not."""


class Keeper:
    """Writes a site's documents into its stores; remembers which stores it has proven."""

    def __init__(self, catalog: KeepingCatalog, site: str) -> None:
        self._catalog, self._site = catalog, site
        self._written: dict[str, tuple[int, str]] = {}
        self._looked: dict[str, Instant] = {}
        self._proven: set[str] = set()
        self.older = ""
        """What :meth:`behind` said last."""
        self.knew: frozenset[str] = frozenset()
        """The cameras of what a store keeps that an older catalog did not write."""
        self._seq = 0
        """The count that the catalog showed last."""
        self._same: object = None
        """What was last found to be written."""
        self._digest: tuple[object, str] = (None, "")
        """What was last written out for its digest, and that."""

    def behind(self, stores: Iterable[ObjectStore]) -> str:
        """Say why the catalog is older than a store; nothing when it is not.

        A store that does not answer, or refuses, says nothing now, and is asked again.
        """
        self.older = self._behind(stores)
        if not self.older:
            self.knew = frozenset()
        return self.older

    def _behind(self, stores: Iterable[ObjectStore]) -> str:
        unproven = [store for store in stores if store.name not in self._proven]
        facts = self._catalog.progress.of(NAME) if unproven else {}
        for store in unproven:
            try:
                shown = read_kept(store, self._site)
            except (StoreUnavailable, StoreRefused):
                continue
            except DigestMismatch as exc:
                return str(exc)
            own = max(int(facts.get("seq", 0)), int(facts.get("settled", {}).get(store.name, 0)))
            if shown is not None and shown.seq > own:
                self.knew = frozenset(Said(shown.content).cameras())
                return (
                    f"the catalog is older than store {store.name}, which keeps documents "
                    f"of {format_instant(shown.at, 0)} that this catalog did not write"
                )
            self._proven.add(store.name)
        return ""

    def doubt(self, store: ObjectStore) -> str:
        """Say why nothing may be deleted in a store: it keeps documents that are not known here.

        Nothing is where it did not say, either: what is held may stand in them.
        Raises: ``StoreUnavailable``, ``StoreRefused`` while it does not.
        """
        if store.name in self._proven:
            return ""
        try:
            read_kept(store, self._site)
        except DigestMismatch as exc:
            return str(exc)
        return self._behind([store])

    def changed(self) -> bool:
        """Tell whether there is what was not written yet."""
        content = self._catalog.kept.take()
        if content is self._same:  # nobody has written since
            return False
        digest = self._digest_of(content)
        facts = self._catalog.progress.of(NAME)
        self._went_back(int(facts.get("seq", 0)))
        changed = bool(digest != facts.get("digest"))
        self._same = None if changed else content
        return changed

    def _digest_of(self, content: Mapping[str, object]) -> str:
        """Return its digest: it is the same object until it is another, and may be long."""
        if self._digest[0] is not content:
            self._digest = content, KeptDocuments(0, 0, content).digest
        return self._digest[1]

    def keep(self, stores: Iterable[ObjectStore], now: Instant) -> int:
        """Write what changed since it was written last; return to how many stores.

        Only when :meth:`behind` says nothing.
        """
        content = self._catalog.kept.take()
        facts = self._catalog.progress.of(NAME)
        seq, digest = int(facts.get("seq", 0)), self._digest_of(content)
        if self._went_back(seq):
            return 0  # it is older than what is kept, until that is settled
        if digest != facts.get("digest") or not 0 <= now - int(facts.get("at", 0)) < AGAIN:
            # counted before it is written: else a death in between would look like an old catalog
            seq = max(seq, *facts.get("settled", {}).values(), 0) + 1
            facts = {**facts, "seq": seq, "digest": digest, "at": now}
            self._catalog.progress.put(NAME, facts, now)
        self._seq = max(self._seq, seq)
        written = 0
        for store in stores:
            same = self._written.get(store.name) == (seq, digest)
            if same and 0 <= now - self._looked.get(store.name, now - LOOK) < LOOK:
                continue
            self._looked[store.name] = now
            if self._was_put_back(store, now) or not same:
                write_kept(store, self._site, KeptDocuments(seq, now, content))
                self._written[store.name] = (seq, digest)
                self._note_written(store.name, seq, now)
                written += 1
        return written

    def _was_put_back(self, store: ObjectStore, now: Instant) -> bool:
        """Tell whether a store shows an older count than was written there last; note it then.

        Before that is written over: nothing else would tell.
        """
        telemetry.PUT_BACK.labels(store.name)  # from 0 on: else its first step is none to alerts
        last = int(self._catalog.progress.of(NAME).get("written", {}).get(store.name, 0))
        if not last:
            return False
        try:
            shown = read_kept(store, self._site)
        except DigestMismatch:  # of no count at all
            return False
        if shown is not None and shown.seq >= last:
            return False
        note_put_back(self._catalog, store.name, shown.at if shown is not None else 0, now)
        return True

    def _note_written(self, name: str, seq: int, now: Instant) -> None:
        facts = self._catalog.progress.of(NAME)
        written = facts.get("written", {})
        if written.get(name) != seq:
            facts = {**facts, "written": {**written, name: seq}}
            self._catalog.progress.put(NAME, facts, now)

    def _went_back(self, seq: int) -> bool:
        """Tell whether the catalog was put back while this process ran: its count fell.

        Then nothing is proven of it any more.
        """
        before, self._seq = self._seq, seq
        if seq < before:
            self._proven.clear()
        return seq < before

    def newest(self, stores: Iterable[ObjectStore]) -> KeptDocuments | None:
        """Return the newest documents that any of some stores keeps.

        Raises: ``DigestMismatch``, ``StoreUnavailable``.
        """
        shown = (read_kept(store, self._site) for store in stores)
        return max((one for one in shown if one is not None), key=lambda one: one.seq, default=None)

    def settle(self, store: ObjectStore, now: Instant) -> None:
        """Take the catalog as no older than a store: a rebuild has read all of it.

        When footage was committed that says otherwise of itself is taken back before: else it
        would be as old as it says, and go.
        """
        facts = self._catalog.progress.of(NAME)
        try:
            shown = read_kept(store, self._site)
        except DigestMismatch:  # of no use to anybody any more
            shown = KeptDocuments(int(facts.get("seq", 0)), now, self._catalog.kept.take())
            write_kept(store, self._site, shown)
        if shown is not None:
            self._catalog.kept.date_back(shown.content, now)
            settled = {**facts.get("settled", {}), store.name: shown.seq}
            written = {**facts.get("written", {}), store.name: shown.seq}
            facts = {**facts, "settled": settled, "written": written}
            self._catalog.progress.put(NAME, facts, now)
