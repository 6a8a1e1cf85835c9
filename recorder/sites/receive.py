"""Footage from a child: taken in piece by piece, checked whole, handed to the spool.

From there it goes the way of the site's own footage: to the store, verified, committed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from recorder.errors import (
    BadDocument,
    DigestMismatch,
    IndexCorrupt,
    KeyTaken,
    RecorderError,
    SpoolFull,
    TooLarge,
)
from recorder.model.media import Segment
from recorder.model.places import PARENT, spool_of
from recorder.ports import Clock, Commits, Footage, Identities, Sites
from recorder.segment.meta import segment_from_footer
from recorder.segment.tail import of_file, read_tail
from recorder.sites.admitted import check_sender_catalog
from recorder.sites.announced import (
    Announced,
    at_most,
    check_segment,
    check_sender,
    stream_of_transfer,
)
from recorder.sites.documents import sites_through
from recorder.sites.speaker import routes
from recorder.spool.full import full_is_said
from recorder.spool.incoming import Incoming

BLOCK = 1 << 20


class IncomingSpool(Protocol):
    """What receiving needs of the spool."""

    incoming: Incoming

    def size_of(self, key: str, *, stored: bool = True) -> int | None:
        """Return how many bytes a sealed segment has, if it is here; ``stored``: or in a store."""

    def take_in(self, part: Path, key: str) -> Path:
        """Give a whole file its place among the sealed ones; durable when this returns."""


class ReceivingCatalog(Protocol):
    """The parts of the catalog that receiving uses."""

    footage: Footage
    commits: Commits
    sites: Sites
    identities: Identities


class Receiver:
    """Transfers on their way in; they survive restarts, for a part is a file."""

    def __init__(
        self,
        spool: IncomingSpool,
        catalog: ReceivingCatalog,
        clock: Clock,
        node: str,
        site: str,
        room: Callable[[], int],
        arrived: Callable[[Segment], None],
    ) -> None:
        """``room``: bytes the spool can take; ``arrived`` is told of every whole segment."""
        self.spool, self.clock, self.catalog = spool, clock, catalog
        self.place, self.site = spool_of(node), site
        self.room, self.arrived = room, arrived

    def asked_by(self, key: str, child: str, catalog: str) -> None:
        """Answer nobody who has another site's name: it would believe its footage to be here.

        Raises: ``BadDocument``; ``NotAllowed``; ``NameTaken``.
        """
        stream, _ = stream_of_transfer(key, self.site)
        child = child or routes(self.catalog.sites.all()).get(stream.site, "")
        check_sender_catalog(self.catalog.identities, child, catalog)

    def standing(self, key: str, digest: str = "") -> tuple[int, str]:
        """Return how many bytes are here, and the store's name once it is committed there.

        What is damaged there, or missing, is not there; nor is what is not of ``digest``: who asks
        would take it for its own.
        """
        if self._is_other(key, digest):
            return 0, ""
        size, place, damaged = self._known(key)
        if place:
            return size, place
        found = self.spool.size_of(key, stored=not damaged)
        if found is not None:
            return found, ""
        part = self.spool.incoming.part_of(key)
        return (part.stat().st_size if part.exists() else 0), ""

    def _is_other(self, key: str, digest: str) -> bool:
        """Tell whether something else than that of a digest is known under a key."""
        stream, parts = stream_of_transfer(key, self.site)
        known = self.catalog.footage.segment_by_key(stream, parts.start, key)
        return known is not None and bool(digest and known.digest) and known.digest != digest

    def _known(self, key: str) -> tuple[int, str, bool]:
        """Return a segment's size, the store that has it whole, and whether one has it damaged."""
        stream, parts = stream_of_transfer(key, self.site)
        segment = self.catalog.footage.segment_by_key(stream, parts.start, key)
        if segment is None:
            return 0, "", False
        copies = self.catalog.footage.copies([segment])[segment.key]
        stored = [one for one in copies if one.at.own_store]
        whole = [one.place for one in stored if one.damaged_at is None]
        return segment.size_bytes, whole[0] if whole else "", len(whole) < len(stored)

    def append(self, announced: Announced, body: Iterable[bytes]) -> bool:
        """Append bytes to a transfer; true when it is whole, checked and in the spool.

        No bytes, at the end of a part that is whole already, have it checked and taken in.
        Raises: ``BadDocument`` when the offset is not where it stands, or the footer is not its
        key's; ``DigestMismatch`` when the whole is not what was announced, ``TooLarge`` when it
        is more (it is dropped and begins anew); ``KeyTaken`` when another is known under its key;
        ``NotAllowed``; ``NameTaken``; ``SpoolFull``.
        """
        key, offset, size = announced.key, announced.offset, announced.size
        self._admit(announced)
        if self._is_other(key, announced.digest):
            raise KeyTaken(
                f"transfer {key}: something else is here under that key",
                hint="do two nodes have one name, or does one count anew?",
            )
        with self.spool.incoming.writing(key) as part:
            here, place = self.standing(key)
            damaged = self._known(key)[2]
            if place or self.spool.size_of(key, stored=not damaged) is not None:
                return True
            if here > size:  # of something else that was announced under this key
                part.unlink()
                raise TooLarge(f"transfer {key}: more bytes are here than announced")
            if offset != here:
                raise BadDocument(f"transfer {key}: stands at byte {here}, not {offset}")
            self._write(part, announced, body)
            if part.stat().st_size < size:
                return False
            try:
                segment = self._check(part, key, size, announced.digest)
            except RecorderError:
                part.unlink()
                raise
            self.spool.take_in(part, key)
            self.catalog.commits.add_segment(segment, self.place, "", self.clock.now())
        self.arrived(segment)
        return True

    def _write(self, part: Path, announced: Announced, body: Iterable[bytes]) -> None:
        """Append what comes to a part; nothing comes when it was whole as a process died here."""
        what, left = f"transfer {announced.key}", announced.size - announced.offset
        wanted = left - self.room()
        full = left > 0 and wanted > 0
        if full and self.spool.incoming.make_room(wanted, self.clock.now()) < wanted:
            raise SpoolFull(f"{what}: the spool of this site is full")
        try:
            with full_is_said(what), part.open("ab") as file:
                for block in at_most(body, left, what):
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
        except TooLarge:  # it is not what was announced: nothing of it counts
            part.unlink()
            raise

    def _admit(self, announced: Announced) -> None:
        """Let a child send footage of its own, and of what lies below it.

        Raises: ``BadDocument``; ``NotAllowed``; ``NameTaken``.
        """
        self.asked_by(announced.key, announced.child, announced.catalog)
        stream, _ = stream_of_transfer(announced.key, self.site)
        if announced.child:
            below = sites_through(self.catalog.sites, announced.child)
        else:
            below = {beat.name for beat in self.catalog.sites.all() if beat.name != PARENT}
        check_sender(announced.key, stream, below, announced.child)

    def _check(self, part: Path, key: str, size: int, digest: str) -> Segment:
        """Read the whole once, in blocks; its digest and footer must be what was said."""
        found = hashlib.sha256()
        with part.open("rb") as file:
            while block := file.read(BLOCK):
                found.update(block)
            if file.tell() != size or found.hexdigest() != digest:
                raise DigestMismatch(f"transfer {key}: what arrived is not what was announced")
            footer = read_tail(of_file(file), size)
        if footer is None:
            raise IndexCorrupt(f"transfer {key}: the object has no footer of ours")
        segment = segment_from_footer(footer.meta, footer.frames(), key, size, digest)
        check_segment(segment, key, self.clock.now())
        return segment
