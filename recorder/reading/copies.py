"""Bytes of sealed segments, from the nearest copy that has them."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from recorder.errors import CopyMissing, StoreRefused, StoreUnavailable
from recorder.model.media import Copy, Segment
from recorder.model.offered import offers
from recorder.model.places import PARENT, SPOOLS, parse_place
from recorder.ports import Footage, ObjectStore
from recorder.reading.answering import Answering
from recorder.reading.extent import Block, Blocks, OnDisk, lend, read_blocks, standing, taken

log = logging.getLogger("recorder.reading")

NODES = SPOOLS
"""Said to another node that is read from: it is not to ask a node in turn."""


class RemoteReader(Protocol):
    """What reading needs of another site."""

    def read(
        self, key: str, offset: int, length: int, avoid: str, hops: int = 1
    ) -> Iterator[bytes]:
        """Yield exactly ``length`` bytes of an object there; it asks not ``avoid`` in turn.

        ``hops``: how many sites away it lies.
        """


class SealedFiles(Protocol):
    """What reading needs of the spool's sealed files."""

    def path_of(self, key: str) -> Path | None:
        """Return where a sealed segment lies."""


@dataclass(frozen=True, slots=True)
class _Either:
    first: SealedFiles
    second: SealedFiles

    def path_of(self, key: str) -> Path | None:
        return self.first.path_of(key) or self.second.path_of(key)


class Copies:
    """The copies of segments, here and at other sites."""

    def __init__(
        self,
        footage: Footage,
        spool: SealedFiles,
        stores: Mapping[str, ObjectStore],
        site: str,
        *,
        place: str = "",
        remote: Callable[[str], RemoteReader | None] = lambda _: None,
    ) -> None:
        """``place`` and ``remote``: as the view's."""
        self.footage, self.spool, self.stores, self.site = footage, spool, stores, site
        self.place, self.remote = place, remote
        self._answering = Answering()

    def beside(self, files: SealedFiles) -> Copies:
        """Return the same, which reads from other files first."""
        other = copy(self)
        other.spool = _Either(files, self.spool)
        return other

    def elsewhere(self, segments: Sequence[Segment]) -> dict[str, list[str]]:
        """Return where copies are but in this node's own spool, the nearest first, by key."""
        return {key: self._nearest(copies) for key, copies in self.footage.copies(segments).items()}

    def far(self, segments: Sequence[Segment]) -> dict[str, list[str]]:
        """Return where copies are of those that have none on a disk or in a store of this node."""
        found = self.elsewhere([one for one in segments if not self._lies_here(one.key)]).items()
        return {key: at for key, at in found if not any(one in self.stores for one in at)}

    def gives(self, segment: Segment, place: str) -> bool:
        """Tell whether a place gives a byte of a segment at this moment."""
        try:
            return len(b"".join(read_blocks(self._blocks(place, segment.key, 1)))) == 1
        except (CopyMissing, StoreUnavailable, StoreRefused):
            return False

    def _nearest(self, copies: Iterable[Copy]) -> list[str]:
        """Return places by distance; those whose copy is known not to be whole are the last."""
        found = (copy for copy in copies if copy.place != self.place)
        ranked = sorted(found, key=lambda one: (one.damaged_at is not None, one.at.distance))
        return [one.place for one in ranked]

    def read(
        self,
        segment: Segment,
        offset: int,
        length: int,
        places: Sequence[str] | None = None,
        avoid: str = "",
    ) -> Blocks:
        """Yield exactly ``length`` bytes of a segment, from the nearest copy that has them.

        Falls over to another copy when one breaks off; continues where it broke.
        ``places``: as :meth:`elsewhere` told.  ``avoid``: a site that is not to be asked, for
        it is the one that asks.
        Raises: ``CopyMissing``, ``StoreUnavailable`` when no copy can give them.
        """
        problems: list[str] = []
        away: StoreUnavailable | StoreRefused | None = None
        for blocks in self._ways(segment, places, avoid):
            try:
                for block in blocks(offset, length):
                    before = standing(block)
                    yield block
                    got = taken(block, before)
                    offset, length = offset + got, length - got
                return
            except (CopyMissing, StoreUnavailable, StoreRefused) as exc:
                away = away or (None if isinstance(exc, CopyMissing) else exc)
                problems.append(str(exc))
                log.error("copy failed", extra={"key": segment.key, "reason": str(exc)})
        if not problems:
            problems.append("no store has it, and it is not in this node's spool")
        said = f"read {segment.key}: " + "; ".join(problems)
        if away is not None:
            raise StoreUnavailable(said, hint=away.hint)
        raise CopyMissing(said, hint="run `recorder check` to see what else is missing")

    def _ways(
        self, segment: Segment, places: Sequence[str] | None, avoid: str
    ) -> Iterator[Callable[[int, int], Iterator[Block]]]:
        """Yield ways to read a range of a segment, the nearest first."""
        key = segment.key
        try:
            file = self._spooled(key)
        except OSError as exc:  # another copy may be had
            said = f"this node's spool: {exc.strerror or exc}"
            yield lambda _, __: _refused(said)
        else:
            if file is not None:
                yield lambda offset, length: lend(file, offset, length, key)
        # not looked up yet, or shipped since
        for place in places or self.elsewhere([segment])[key]:
            yield lambda offset, length, place=place: self._from(  # type: ignore[misc]
                place, key, offset, length, avoid
            )

    def _spooled(self, key: str) -> BinaryIO | None:
        path = self.spool.path_of(key)
        if path is not None:
            with contextlib.suppress(FileNotFoundError):  # evicted this moment: it is in a store
                return path.open("rb", buffering=0)
        return None

    def sources(self, segment: Segment, but: str) -> Iterator[Callable[[], Iterator[bytes]]]:
        """Yield ways to read a whole segment, the nearest first; none of them from ``but``."""
        size, key = segment.size_bytes, segment.key
        if self._lies_here(key):
            yield lambda: read_blocks(self._lent(key, size))
        for place in (one for one in self.elsewhere([segment])[key] if one != but):
            yield lambda place=place: read_blocks(  # type: ignore[misc]
                self._blocks(place, key, size)
            )

    def _lies_here(self, key: str) -> bool:
        """Tell whether this node's spool has a segment, and can say so."""
        try:
            return self.spool.path_of(key) is not None
        except OSError:
            return False

    def _lent(self, key: str, size: int) -> Blocks:
        try:
            file = self._spooled(key)
        except OSError as exc:
            raise StoreUnavailable(f"this node's spool: {exc.strerror or exc}") from exc
        if file is None:
            raise CopyMissing(f"read {key}: it has left this node's spool")
        yield from lend(file, 0, size, key)

    def _blocks(self, place: str, key: str, length: int) -> Blocks:
        yield from self._from(place, key, 0, length, "")

    def _from(self, place: str, key: str, offset: int, length: int, avoid: str) -> Iterator[Block]:
        """Read from one place: a store here, or another site (``<site>/<place there>``)."""
        store = self.stores.get(place)
        if offers(store, OnDisk):
            file = self._answering.ask(place, lambda: store.open(key))  # a mount may hang
            return lend(file, offset, length, f"{key} from store {place}")
        if store is not None:
            return self._answering.read(place, lambda: store.read(key, offset, length))
        at = parse_place(place)
        if at.own_spool:
            return self._from_node(place, key, offset, length, avoid)
        site = at.next_site
        if at.former:
            raise StoreUnavailable(
                f"the copy is at site {at.former}, which was above this one once"
            )
        if at.own:
            raise CopyMissing(f"store {place} is not configured here")
        if site == avoid:
            raise CopyMissing(f"site {site} is the one that asks")
        remote = self.remote(site)
        if remote is None:
            raise StoreUnavailable(f"the copy is at site {site}, whose address is not known")
        # down: it must not ask us; up: the parent knows us by our name
        asker = self.site if at.above else PARENT
        return remote.read(key, offset, length, asker, len(at.way))

    def _from_node(
        self, place: str, key: str, offset: int, length: int, avoid: str
    ) -> Iterator[bytes]:
        """Read from the spool of another node of this site, which asks no third one."""
        if avoid == NODES:
            raise CopyMissing("it is not in this node's spool")
        node = self.remote(place)
        if node is None:
            raise StoreUnavailable(f"the copy is at {place}, whose address is not known")
        return node.read(key, offset, length, NODES)


def _refused(said: str) -> Iterator[Block]:
    raise StoreUnavailable(said)
    yield
