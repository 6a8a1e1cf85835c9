"""The view: timeline, segments, frame tables and bytes of any recording.

Bytes come from the first that has them: the open file, the spool, then the stores.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from typing import Protocol

from recorder import index
from recorder.bmff.init import read_init
from recorder.bmff.nal import mark_clean_points
from recorder.cut import adjoins, wanted_before
from recorder.errors import IndexCorrupt, NoFootage
from recorder.index import FrameTable
from recorder.model.cameras import Camera
from recorder.model.keys import StreamId
from recorder.model.media import InitInfo, Segment
from recorder.model.places import parse_place
from recorder.model.timebase import SECOND, TimeRange, format_instant
from recorder.model.timeline import Timeline
from recorder.ports import Clock, Footage, ObjectStore, Statuses
from recorder.reading.cache import BytesCache, own_name
from recorder.reading.copies import Copies, RemoteReader, SealedFiles
from recorder.reading.extent import Blocks, read_blocks
from recorder.reading.found import Found
from recorder.reading.growing import (
    Growing,
    GrowingFiles,
    RunSpool,
    Unsealed,
    close_all,
)
from recorder.reading.reach import Reach
from recorder.reading.timelines import TimelineMaker
from recorder.reading.unsealed import same_media
from recorder.segment.tail import read_tail
from recorder.spool.raw import read_sealed

log = logging.getLogger("recorder.reading")

MOST_SCANNED = 1 << 30
"""Bytes of an object without a footer: another site may say anything of its own."""

AHEAD = 48
"""So many segments' tails are fetched before the first of them is there."""
BEFORE_NS = 10 * SECOND
"""The segment before ends where one starts, but for holes at the edge."""
MOST_JUST_SEALED = 1024


class ReadSpool(RunSpool, SealedFiles, Protocol):
    """What reading needs of the spool."""


class View:
    """All footage a node can see."""

    def __init__(
        self,
        footage: Footage,
        statuses: Statuses,
        spool: ReadSpool,
        stores: Mapping[str, ObjectStore],
        clock: Clock,
        site: str,
        *,
        place: str = "",
        remote: Callable[[str], RemoteReader | None] = lambda _: None,
        pending: Callable[[], Sequence[Segment]] = list,
    ) -> None:
        """``place`` is what the catalog calls this node's spool.

        ``remote`` returns another site, by name, where copies may lie that are not here;
        ``pending`` the segments that this process has sealed and not committed yet.
        """
        self.footage, self.statuses = footage, statuses
        self.spool, self.clock, self.site = spool, clock, site
        self.copies = Copies(footage, spool, stores, site, place=place, remote=remote)
        node = parse_place(place).name if place else ""
        self._lines = TimelineMaker(footage, statuses, clock, site, node)
        self.growing = GrowingFiles(spool, clock)
        self.pending = pending
        self._reach = Reach(clock)
        self._tables = BytesCache(16 << 20)
        self._inits = BytesCache(1 << 20)
        self._just_sealed: dict[str, Segment] = {}
        # a store that hangs keeps threads waiting: each has its own, all other places have some
        self._pools = {
            place: ThreadPoolExecutor(16, thread_name_prefix="tails") for place in ("", *stores)
        }

    def beside(self, files: SealedFiles) -> View:
        """Return the same view, which reads segments from other files where those have them.

        It shares threads and what is remembered, and is not closed.
        """
        other = copy(self)
        other.copies = self.copies.beside(files)
        return other

    def close(self) -> None:
        """Stop the threads that fetch tails."""
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)

    # -- what there is ---------------------------------------------------------------------

    def timeline(self, stream: StreamId, asked: TimeRange, camera: Camera | None) -> Timeline:
        """Return spans and gaps of a recording; the range is cut off at the present."""
        unsealed = self.growing.of(stream)  # before the catalog: a file sealed between is in both
        unsealed.close()
        pending = self._pending(stream, unsealed)
        return self._lines.line(stream, asked, camera, unsealed.growing, pending)

    def find(self, stream: StreamId, asked: TimeRange) -> Found:
        """Return the segments that touch a range, open ones included; may be empty."""
        unsealed = self.growing.of(stream)
        growing, pending = unsealed.growing, self._pending(stream, unsealed)
        try:
            segments = self._touching(stream, asked, growing, pending)
            before: list[Segment] = []
            while wanted := wanted_before(segments, before, asked):
                more = []
                for segment in wanted:
                    near = TimeRange(max(0, segment.start - BEFORE_NS), segment.start)
                    touching = self._touching(stream, near, growing, pending)
                    more += [one for one in touching if adjoins(one, segment)]
                if not more:
                    break
                before += more
        except BaseException:
            unsealed.close()
            raise
        taken = {id(segment) for segment in (*segments, *before)}
        close_all(one for one in growing if id(one.segment) not in taken)
        extra = {one.segment.key: one for one in growing if id(one.segment) in taken}
        return Found(segments, extra, before=before, ask_away=lambda: self._away(segments))

    def _away(self, segments: Sequence[Segment]) -> frozenset[str]:
        return self._reach.away(self.copies, segments)

    def _touching(
        self,
        stream: StreamId,
        asked: TimeRange,
        growing: Sequence[Growing],
        pending: Sequence[Segment],
    ) -> list[Segment]:
        sealed = self.footage.segments(stream, asked)
        known = {segment.key for segment in sealed}
        sealed += [one for one in pending if one.range.overlaps(asked) and one.key not in known]
        fresh = [
            one.segment
            for one in growing
            if one.segment.range.overlaps(asked)
            and one.segment.key not in known
            and not any(same_media(one.segment, segment) for segment in sealed)
        ]
        return sorted(sealed + fresh, key=lambda segment: (segment.start, segment.writer))

    def _pending(self, stream: StreamId, unsealed: Unsealed) -> list[Segment]:
        """Return segments sealed a moment ago, which the catalog may not know yet."""
        found = {one.key: one for one in self.pending() if one.stream == stream}
        for key in unsealed.sealed:
            if key in found:
                continue
            with contextlib.suppress(OSError, IndexCorrupt):  # shipped and gone this moment
                if (path := self.spool.path_of(key)) is not None:
                    found[key] = self._just_sealed.get(key) or read_sealed(path, key)
                    self._just_sealed[key] = found[key]
        while len(self._just_sealed) > MOST_JUST_SEALED:
            self._just_sealed.pop(next(iter(self._just_sealed)))
        return list(found.values())

    def find_some(self, stream: StreamId, asked: TimeRange) -> Found:
        """Return the segments that touch a range.

        Raises: ``NoFootage`` naming the nearest footage when there are none.
        """
        found = self.find(stream, asked)
        if not found.segments:
            found.close()
            start, end = format_instant(asked.start, 3), format_instant(asked.end, 3)
            when = f"of {start}" if start == end else f"from {start} to {end}"
            raise NoFootage(f"{stream} has no footage {when}", hint=self.nearest(stream, asked))
        return found

    def nearest(self, stream: StreamId, asked: TimeRange) -> str:
        """Say where the footage is that is nearest to a range; unsealed footage is some, too."""
        unsealed = self.growing.of(stream)
        unsealed.close()
        fresh = [*self._pending(stream, unsealed), *(one.segment for one in unsealed.growing)]
        before = self.footage.spans(stream, TimeRange(0, asked.start)) if asked.start > 0 else []
        ends = [min(span.end, asked.start) for span in before]
        ends += [min(one.end, asked.start) for one in fresh if one.start < asked.start]
        after = self.footage.next_span(stream, asked.end)
        starts = [one.start for one in fresh if one.start >= asked.end]
        starts += [after.start] if after is not None else []
        near = [f"before it ends {format_instant(max(ends), 3)}"] if ends else []
        near += [f"after it begins {format_instant(min(starts), 3)}"] if starts else []
        return "the nearest footage " + " and ".join(near) if near else "nothing is recorded yet"

    # -- tables ----------------------------------------------------------------------------

    def tables(self, found: Found, segments: Sequence[Segment]) -> Iterator[FrameTable]:
        """Yield the frame tables of segments, in order; tails are fetched side by side."""
        self._look_up(found, segments)
        waiting: dict[int, Future[bytes]] = {}
        seen = 0
        for i, segment in enumerate(segments):
            for ahead in range(seen, min(i + AHEAD, len(segments))):
                one = segments[ahead]
                if one.key not in found.growing and self._tables.get(own_name(one)) is None:
                    place = next(iter(found.places.get(one.key, ())), "")
                    pool = self._pools.get(place, self._pools[""])
                    waiting[ahead] = pool.submit(self._packed, one, found)
            seen = min(i + AHEAD, len(segments))
            if segment.key in found.growing:
                yield found.growing[segment.key].table
                continue
            tail = waiting.pop(i, None)
            packed = tail.result() if tail is not None else self._packed(segment, found)
            yield index.decode(packed, segment.init_bytes)

    def _look_up(self, found: Found, segments: Sequence[Segment]) -> None:
        """Ask the catalog once for all copies that reading will need."""
        unknown = [
            segment
            for segment in segments
            if segment.key not in found.growing and segment.key not in found.places
        ]
        found.places |= self.copies.elsewhere(unknown)

    def _packed(self, segment: Segment, found: Found) -> bytes:
        known = self._tables.get(own_name(segment))
        if known is not None:
            return known
        footer = read_tail(
            lambda at, length: b"".join(self.read(segment, at, length, found)), segment.size_bytes
        )
        packed = footer.table if footer is not None else self._scan_foreign(segment)
        self._tables.put(own_name(segment), packed)
        return packed

    def _scan_foreign(self, segment: Segment) -> bytes:
        """Make the frame table of an object of another recorder, of which all is read at once."""
        if segment.size_bytes > MOST_SCANNED:
            raise IndexCorrupt(f"{segment.key}: no footer, and more than {MOST_SCANNED} bytes")
        body = b"".join(self.read(segment, 0, segment.size_bytes))
        init = read_init(body)
        table = mark_clean_points(body, init, index.scan(body, init).table)
        return index.encode(table, init.size)

    def init(self, found: Found, segment: Segment) -> tuple[InitInfo, bytes]:
        """Return a segment's init segment, read and raw."""
        one = found.growing.get(segment.key)
        if one is not None:
            return one.init, b"".join(one.read(0, one.init.size))
        name = own_name(segment, segment.decoder_digest)
        raw = self._inits.get(name)
        if raw is None:
            raw = b"".join(self.read(segment, 0, segment.init_bytes))
            self._inits.put(name, raw)
        return read_init(raw), raw

    # -- bytes -----------------------------------------------------------------------------

    def read(
        self, segment: Segment, offset: int, length: int, found: Found | None = None
    ) -> Iterator[bytes]:
        """Yield exactly ``length`` bytes of a segment.  Raises as :meth:`Copies.read`."""
        return read_blocks(self.blocks(segment, offset, length, found))

    def blocks(
        self,
        segment: Segment,
        offset: int,
        length: int,
        found: Found | None = None,
        avoid: str = "",
    ) -> Blocks:
        """Yield the same as blocks: of what lies in files here, extents.

        ``avoid``: a site that is not to be asked, for it is the one that asks.
        """
        one = found.growing.get(segment.key) if found is not None else None
        if one is not None:
            yield from one.read(offset, length)
            return
        places = found.places.get(segment.key) if found is not None else None
        yield from self.copies.read(segment, offset, length, places, avoid)
