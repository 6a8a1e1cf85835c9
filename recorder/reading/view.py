"""The view: timeline, segments, frame tables and bytes of any recording.

Bytes come from the first that has them: the open file, the spool, then the stores.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from recorder import index
from recorder.bmff.init import read_init
from recorder.bmff.nal import mark_clean_points
from recorder.cut import adjoins, wanted_before
from recorder.errors import CopyMissing, IndexCorrupt, NoFootage, StoreUnavailable
from recorder.index import FrameTable
from recorder.model.cameras import Camera
from recorder.model.keys import StreamId
from recorder.model.media import Copy, InitInfo, Segment
from recorder.model.places import PARENT, SPOOLS, parse_place
from recorder.model.timebase import MINUTE, SECOND, Instant, TimeRange, format_instant
from recorder.model.timeline import Gap, Span, Timeline, excuse, hide_thin, timeline
from recorder.ports import Clock, Footage, ObjectStore, Statuses
from recorder.reading.cache import BytesCache
from recorder.reading.growing import (
    Growing,
    GrowingFiles,
    RunSpool,
    Unsealed,
    close_all,
    read_fd,
)
from recorder.reading.unsealed import same_media, with_growing
from recorder.segment.tail import read_tail
from recorder.spool.raw import read_sealed

log = logging.getLogger("recorder.reading")

BEFORE_NS = 10 * SECOND
"""The segment before ends where one starts, but for holes at the edge."""
NODES = SPOOLS
"""Said to another node that is read from: it is not to ask a node in turn."""
UNSEALED_NS = 150 * SECOND
"""What another site records is known once its segment is sealed and told."""
MOST_JUST_SEALED = 1024
NODE_SILENT_NS = 15 * SECOND
"""A node not heard of for this long is down: its streams' present gap is called ``node``."""


class RemoteReader(Protocol):
    """What reading needs of another site."""

    def read(
        self, key: str, offset: int, length: int, avoid: str, hops: int = 1
    ) -> Iterator[bytes]:
        """Yield exactly ``length`` bytes of an object there; it asks not ``avoid`` in turn.

        ``hops``: how many sites away it lies.
        """


class ReadSpool(RunSpool, Protocol):
    """What reading needs of the spool."""

    def path_of(self, key: str) -> Path | None:
        """Return where a sealed segment lies."""


@dataclass(slots=True)
class Found:
    """Segments that touch a range; the growing ones come with their open files.

    ``before``: segments in front of them that decoding the range's first frames needs.
    ``places``: stores that hold a segment, by key, where already looked up.
    Use as a context manager, or call :meth:`close`: open files are let go then.
    """

    segments: list[Segment]
    growing: dict[str, Growing] = field(default_factory=dict)
    places: dict[str, list[str]] = field(default_factory=dict)
    before: list[Segment] = field(default_factory=list)

    def close(self) -> None:
        """Let go of open files."""
        close_all(self.growing.values())

    def __enter__(self) -> Found:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


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
        self.spool, self.stores = spool, stores
        self.clock, self.site = clock, site
        self.growing = GrowingFiles(spool, clock)
        self.place, self.remote, self.pending = place, remote, pending
        self._tables = BytesCache(16 << 20)
        self._inits = BytesCache(1 << 20)
        self._just_sealed: dict[str, Segment] = {}
        self._pool = ThreadPoolExecutor(16, thread_name_prefix="tails")

    def close(self) -> None:
        """Stop the threads that fetch tails."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    # -- what there is ---------------------------------------------------------------------

    def timeline(self, stream: StreamId, asked: TimeRange, camera: Camera | None) -> Timeline:
        """Return spans and gaps of a recording; the range is cut off at the present."""
        now = self.clock.now()
        end = max(asked.start, min(asked.end, now))
        asked = TimeRange(asked.start, end)
        unsealed = self.growing.of(stream)  # before the catalog: a file sealed between is in both
        unsealed.close()
        pending = self._pending(stream, unsealed)
        spans = self.footage.spans(stream, asked)
        fresh = [*pending, *(one.segment for one in unsealed.growing)]
        spans = hide_thin(with_growing(spans, fresh))
        gaps = self.footage.gaps(stream, asked)
        gaps += [Gap(hole.start, hole.end, "source") for one in fresh for hole in one.holes]
        late = TimeRange(end, end + 1)
        after = self.footage.next_span(stream, end) if end < now - MINUTE else None
        if after is not None and any(span.range.overlaps(late) for span in spans):
            after = None
        first = self._first_start(stream, spans, asked)
        since = camera.created if camera is not None else 0
        if stream.site != self.site:  # documents of other sites are not known here
            since = self._first_start(stream, (), asked) or 0
        since = min(since, first) if since and first is not None else since
        tail = "" if after is None else after.gap_cause or "lost"
        if end >= now - 2 * SECOND:
            end_of_footage = max((span.end for span in spans), default=0)
            asked = self._live_edge(asked, end_of_footage, stream, unsealed.growing)
        line = timeline(spans, gaps, asked, self._present_cause(stream, camera), since, tail)
        source = camera.streams.get(stream.stream) if camera is not None else None
        table = source.timetable if source is not None else None
        return excuse(line, table.off(line.range)) if table is not None else line

    def _live_edge(
        self, asked: TimeRange, footage_end: Instant, stream: StreamId,
        growing: Sequence[Growing],
    ) -> TimeRange:  # fmt: skip
        """End a range that reaches the present where a recording stream's footage does.

        What was filmed in the last seconds is still on its way; it is no gap.  ``growing``:
        unsealed files of it are here, though the last word on its state may be older; of a
        camera with few frames more seconds are on their way.
        """
        state = self.statuses.of(stream)
        fresh = state is not None and state.at > self.clock.now() - NODE_SILENT_NS
        recording = bool(growing)
        if fresh and state is not None:
            recording = state.state == "recording"
        # of another site only sealed segments are known here
        late = 5 * SECOND if stream.site == self.site else UNSEALED_NS
        late += 3 * max((one.last_fragment_ns for one in growing), default=0)
        if recording and asked.end - late < footage_end < asked.end:
            return TimeRange(asked.start, max(asked.start, footage_end))
        return asked

    def _first_start(
        self, stream: StreamId, spans: Sequence[Span], asked: TimeRange
    ) -> Instant | None:
        if spans:
            return spans[0].start
        found = self.footage.next_span(stream, 0)
        return found.start if found is not None else None

    def _present_cause(self, stream: StreamId, camera: Camera | None) -> str:
        """Say why there is nothing after a recording's last footage."""
        source = camera.streams.get(stream.stream) if camera is not None else None
        here = stream.site == self.site
        if here and (camera is None or source is None or not camera.enabled):
            return "off-schedule"
        if here and source is not None and not source.wanted(self.clock.now()):
            return "off-schedule"
        state = self.statuses.of(stream)
        if state is None or state.at < self.clock.now() - NODE_SILENT_NS:
            return "node"
        return state.cause if state.state != "recording" else "source"

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
        return Found(segments, extra, before=before)

    def _touching(
        self, stream: StreamId, asked: TimeRange, growing: Sequence[Growing],
        pending: Sequence[Segment],
    ) -> list[Segment]:  # fmt: skip
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
            path = self.spool.path_of(key) if key not in found else None
            if path is None:
                continue
            with contextlib.suppress(OSError, IndexCorrupt):  # shipped and gone this moment
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
            raise self.no_footage(stream, asked)
        return found

    def no_footage(self, stream: StreamId, asked: TimeRange) -> NoFootage:
        """Make the error that says where the nearest footage is."""
        near = []
        before = self.footage.spans(stream, TimeRange(0, asked.start)) if asked.start > 0 else []
        if before:
            near.append(f"before it ends {format_instant(max(s.end for s in before), 3)}")
        after = self.footage.next_span(stream, asked.end)
        unsealed = self.growing.of(stream)
        unsealed.close()
        starts = [one.segment.start for one in unsealed.growing if one.segment.start >= asked.end]
        starts += [after.start] if after is not None else []
        if starts:
            near.append(f"after it begins {format_instant(min(starts), 3)}")
        said = f"{format_instant(asked.start, 3)} to {format_instant(asked.end, 3)}"
        return NoFootage(
            f"{stream} has no footage from {said}",
            hint="the nearest footage " + " and ".join(near) if near else "nothing is recorded yet",
        )

    # -- tables ----------------------------------------------------------------------------

    def tables(self, found: Found, segments: Sequence[Segment]) -> Iterator[FrameTable]:
        """Yield the frame tables of segments, in order; tails are fetched side by side."""
        ahead = 48
        self._look_up(found, segments)
        waiting = {
            i: self._pool.submit(self._packed, segment, found)
            for i, segment in enumerate(segments[:ahead])
            if segment.key not in found.growing
        }
        for i, segment in enumerate(segments):
            later = i + ahead
            if later < len(segments) and segments[later].key not in found.growing:
                waiting[later] = self._pool.submit(self._packed, segments[later], found)
            if segment.key in found.growing:
                yield found.growing[segment.key].table
            else:
                yield index.decode(waiting.pop(i).result(), segment.init_bytes)

    def _look_up(self, found: Found, segments: Sequence[Segment]) -> None:
        """Ask the catalog once for all copies that reading will need."""
        unknown = [
            segment
            for segment in segments
            if segment.key not in found.growing and segment.key not in found.places
        ]
        for key, copies in self.footage.copies(unknown).items():
            found.places[key] = self._elsewhere(copies)

    def _elsewhere(self, copies: Iterable[Copy]) -> list[str]:
        """Return where copies are but in this node's own spool, the nearest first."""
        found = (copy.at for copy in copies if copy.place != self.place)
        return [str(one) for one in sorted(found, key=lambda one: one.distance)]

    def _packed(self, segment: Segment, found: Found) -> bytes:
        known = self._tables.get(segment.key)
        if known is not None:
            return known
        footer = read_tail(
            lambda at, length: b"".join(self.read(segment, at, length, found)), segment.size_bytes
        )
        packed = footer.table if footer is not None else self._scan_foreign(segment)
        self._tables.put(segment.key, packed)
        return packed

    def _scan_foreign(self, segment: Segment) -> bytes:
        """Make the frame table of an object written by another recorder: read all of it."""
        body = b"".join(self.read(segment, 0, segment.size_bytes))
        init = read_init(body)
        table = mark_clean_points(body, init, index.scan(body, init).table)
        return index.encode(table, init.size)

    def init(self, found: Found, segment: Segment) -> tuple[InitInfo, bytes]:
        """Return a segment's init segment, read and raw."""
        one = found.growing.get(segment.key)
        if one is not None:
            return one.init, b"".join(one.read(0, one.init.size))
        raw = self._inits.get(segment.decoder_digest)
        if raw is None:
            raw = b"".join(self.read(segment, 0, segment.init_bytes))
            self._inits.put(segment.decoder_digest, raw)
        return read_init(raw), raw

    # -- bytes -----------------------------------------------------------------------------

    def read(
        self, segment: Segment, offset: int, length: int, found: Found | None = None,
        avoid: str = "",
    ) -> Iterator[bytes]:  # fmt: skip
        """Yield exactly ``length`` bytes of a segment, from the nearest copy that has them.

        Falls over to another copy when one breaks off; continues where it broke.
        ``avoid``: a site that is not to be asked, for it is the one that asks.
        Raises: ``CopyMissing`` when no copy can give them.
        """
        one = found.growing.get(segment.key) if found is not None else None
        if one is not None:
            yield from one.read(offset, length)
            return
        path = self.spool.path_of(segment.key)
        if path is not None:
            try:
                with path.open("rb", buffering=0) as file:
                    yield from read_fd(file.fileno(), offset, length, segment.key)
                return
            except FileNotFoundError:
                pass  # evicted this moment: it is in a store
        places = found.places.get(segment.key) if found is not None else None
        yield from self._read_stores(segment, offset, length, places, avoid)

    def _read_stores(
        self, segment: Segment, offset: int, length: int, places: Sequence[str] | None,
        avoid: str,
    ) -> Iterator[bytes]:  # fmt: skip
        problems: list[str] = []
        away = False
        if not places:  # not looked up yet, or shipped since
            copies = self.footage.copies([segment])[segment.key]
            places = self._elsewhere(copies)
        for place in places:
            try:
                for block in self._from(place, segment.key, offset, length, avoid):
                    offset += len(block)
                    length -= len(block)
                    yield block
                return
            except (CopyMissing, StoreUnavailable) as exc:
                away = away or isinstance(exc, StoreUnavailable)
                problems.append(str(exc))
                log.error("copy failed", extra={"key": segment.key, "reason": str(exc)})
        if not places:
            problems.append("no store has it, and it is not in this node's spool")
        said = f"read {segment.key}: " + "; ".join(problems)
        if away:
            raise StoreUnavailable(said)
        raise CopyMissing(said, hint="run `recorder check` to see what else is missing")

    def sources(
        self, segment: Segment, but: str
    ) -> Iterator[Callable[[], Iterator[bytes]]]:  # fmt: skip
        """Yield ways to read a whole segment, the nearest first; none of them from ``but``."""
        path = self.spool.path_of(segment.key)
        if path is not None:
            yield lambda: read_path(path, segment)
        copies = self.footage.copies([segment])[segment.key]
        for place in (one for one in self._elsewhere(copies) if one != but):
            yield lambda place=place: self._from(  # type: ignore[misc]
                place, segment.key, 0, segment.size_bytes, ""
            )

    def _from(
        self, place: str, key: str, offset: int, length: int, avoid: str
    ) -> Iterator[bytes]:  # fmt: skip
        """Read from one place: a store here, or another site (``<site>/<place there>``)."""
        store = self.stores.get(place)
        if store is not None:
            return store.read(key, offset, length)
        at = parse_place(place)
        if at.own_spool:
            return self._from_node(place, key, offset, length, avoid)
        site = at.next_site
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
    ) -> Iterator[bytes]:  # fmt: skip
        """Read from the spool of another node of this site, which asks no third one."""
        if avoid == NODES:
            raise CopyMissing("it is not in this node's spool")
        node = self.remote(place)
        if node is None:
            raise StoreUnavailable(f"the copy is at {place}, whose address is not known")
        return node.read(key, offset, length, NODES)


def read_path(path: Path, segment: Segment) -> Iterator[bytes]:
    """Yield all bytes of a segment's file."""
    with path.open("rb", buffering=0) as file:
        yield from read_fd(file.fileno(), 0, segment.size_bytes, segment.key)


def total_gaps(line: Timeline) -> dict[str, int]:
    """Sum a timeline's gaps by cause, in ns."""
    sums: dict[str, int] = {}
    for gap in line.gaps:
        sums[gap.cause] = sums.get(gap.cause, 0) + gap.range.duration_ns
    return sums


__all__ = ["Found", "Gap", "View", "total_gaps"]
