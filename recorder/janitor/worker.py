"""What the janitor's slow work has in common: whom it asks, where it writes, how fast it reads."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from recorder.attributes import attributes, content_type
from recorder.bmff.init import read_init
from recorder.errors import (
    CopyMissing,
    IntegrityError,
    SiteUnreachable,
    StoreRefused,
    StoreUnavailable,
)
from recorder.janitor.again import Again
from recorder.model.media import Copy, Segment
from recorder.model.offered import offers
from recorder.ports import (
    Audit,
    Clock,
    Commits,
    Footage,
    Integrity,
    LockingStore,
    ObjectStore,
    Planning,
    Progress,
)
from recorder.reading.view import View
from recorder.segment.tail import of_file, read_tail
from recorder.spool.full import full_is_said
from recorder.store.earlier import Read, VersionedStore
from recorder.store.verify import check_answers, told_digest
from recorder.throttle import Throttle

log = logging.getLogger("recorder.janitor")


class WorkCatalog(Protocol):
    """The parts of the catalog that thinning, moving and scrubbing use."""

    planning: Planning
    footage: Footage
    commits: Commits
    integrity: Integrity
    progress: Progress
    audit: Audit


class Worker:
    """Reads segments, no faster than ``throttle`` lets bytes through.

    ``scratch`` is a folder for what is being made.
    """

    def __init__(
        self, catalog: WorkCatalog, view: View, clock: Clock, scratch: Path, throttle: Throttle
    ) -> None:
        self.catalog, self.view, self.clock = catalog, view, clock
        self.scratch, self.throttle = scratch, throttle
        self.again = Again(clock)

    def fetch(self, segment: Segment, but: str) -> Path | None:
        """Fetch a segment from anywhere but one place; ``None`` when nobody has it whole.

        The file is the caller's to remove.
        """
        return self._fetched(segment, self.view.copies.sources(segment, but))

    def fetch_earlier(self, segment: Segment, store: ObjectStore) -> Path | None:
        """Fetch a segment from under what was written over it, where a store keeps that."""
        if not offers(store, VersionedStore):
            return None
        try:
            return self._fetched(segment, store.earlier(segment.key, segment.size_bytes))
        except (StoreUnavailable, StoreRefused) as exc:
            log.warning("no help", extra={"key": segment.key, "reason": str(exc)})
            return None

    def believe_again(self, store: LockingStore, copy: Copy) -> bool:
        """Take a copy that is whole for such, once it is held, too; tell whether it is.

        Who wrote it may have failed before he held it.
        Raises: ``StoreUnavailable``, ``StoreRefused``, where it is the store.
        """
        try:
            _hold_alike(store, copy.segment.key)
        except (StoreUnavailable, StoreRefused) as exc:
            check_answers(store, exc)
            log.error("not held", extra={"key": copy.segment.key, "reason": str(exc)})
            return False
        self.catalog.integrity.mark_verified([copy], self.clock.now())
        return True

    def _fetched(self, segment: Segment, sources: Iterable[Read]) -> Path | None:
        self.scratch.mkdir(parents=True, exist_ok=True)
        path = self.scratch / (hashlib.sha256(segment.key.encode()).hexdigest() + ".mend")
        for blocks in sources:
            digest = hashlib.sha256()
            try:
                with full_is_said(f"fetch {segment.key}"), path.open("wb") as file:
                    for block in blocks():
                        digest.update(block)
                        file.write(block)
            except (CopyMissing, StoreUnavailable, StoreRefused, SiteUnreachable) as exc:
                log.warning("no help", extra={"key": segment.key, "reason": str(exc)})
                continue
            if digest.hexdigest() == segment.digest:
                return path
        path.unlink(missing_ok=True)
        return None


class CachedFiles(Protocol):
    """What mending needs of this node's spool."""

    def path_of(self, key: str) -> Path | None:
        """Return where a sealed segment lies, ``None`` when it is not here."""

    def remove(self, key: str) -> int:
        """Delete a segment from the spool."""


def drop_altered(spool: CachedFiles, segment: Segment) -> bool:
    """Take a segment that is whole in a store out of this node's spool, where it is not; say so.

    The spool is read first, and on one disk with a directory store a file there and the object
    are the same bytes: what damaged one damaged both.
    """
    path = spool.path_of(segment.key)
    if path is None:
        return False
    try:
        with path.open("rb") as file:
            altered = hashlib.file_digest(file, "sha256").hexdigest() != segment.digest
    except FileNotFoundError:  # evicted this moment
        return False
    except OSError:  # a sector that cannot be read
        altered = True
    if altered:
        log.error("altered in the spool, dropped", extra={"key": segment.key})
        spool.remove(segment.key)
    return altered


def put_again(store: LockingStore, segment: Segment, path: Path) -> None:
    """Put a whole segment file into a store, with its attributes, and verify it.

    What is written over an object that has a legal hold gets one.
    Raises: ``StoreUnavailable``; ``IntegrityError`` when it is this one that the store does not
    give back as it was: others may be fine.
    """
    with path.open("rb") as file:
        head = file.read(segment.init_bytes)
        footer = read_tail(of_file(file), segment.size_bytes)
    said = {"sha256": segment.digest}
    if footer is not None:
        said = attributes(segment, read_init(head), footer.frames())
    store.put_file(segment.key, path, content_type(segment), said)
    try:
        _hold_alike(store, segment.key)
    except (StoreUnavailable, StoreRefused) as exc:
        raise IntegrityError(f"put {segment.key}: written, not held as it was: {exc}") from exc
    found = told_digest(store, segment)
    if found != segment.digest:
        why = f"does not give it back: {found}" if " " in found else "gives back other bytes"
        raise IntegrityError(f"put {segment.key}: store {store.name} {why}")


def _hold_alike(store: LockingStore, key: str) -> None:
    """Have the newest version of an object held where one under it is: each is held by itself.

    Raises: ``StoreUnavailable``, ``StoreRefused``.
    """
    if store.protects and store.protected(key):
        store.protect(key, True)
