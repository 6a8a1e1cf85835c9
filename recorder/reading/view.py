"""The view: timeline, segments, frame tables and bytes of any recording.

Bytes come from the first that has them: the open file, the spool, then the stores.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Protocol

from recorder import index
from recorder.bmff.init import read_init
from recorder.bmff.nal import mark_clean_points
from recorder.cut import adjoins, wanted_before
from recorder.errors import IndexCorrupt, NoFootage
from recorder.index import FrameTable
from recorder.model.cameras import Camera
from recorder.model.causes import Cause, cause_before
from recorder.model.keys import StreamId
from recorder.model.media import InitInfo, Segment
from recorder.model.places import parse_place
from recorder.model.timebase import MINUTE, SECOND, Instant, TimeRange, format_instant
from recorder.model.timeline import Gap, Span, Timeline, excuse, hide_thin, timeline
from recorder.ports import Clock, Footage, ObjectStore, Statuses
from recorder.reading.cache import BytesCache
from recorder.reading.copies import Copies, RemoteReader, SealedFiles
from recorder.reading.extent import Blocks, read_blocks
from recorder.reading.growing import (
    Growing,
    GrowingFiles,
    RunSpool,
    Unsealed,
    close_all,
)
from recorder.reading.unsealed import same_media, with_growing
from recorder.segment.tail import read_tail
from recorder.spool.raw import read_sealed

log = logging.getLogger("recorder.reading")

AHEAD = 48
"""So many segments' tails are fetched before the first of them is there."""
BEFORE_NS = 10 * SECOND
"""The segment before ends where one starts, but for holes at the edge."""
UNSEALED_NS = 150 * SECOND
"""What another site, or another node, records is known once its segment is sealed and told."""
MOST_JUST_SEALED = 1024
NODE_SILENT_NS = 15 * SECOND
"""A node not heard of for this long is down: its streams' present gap is called ``node``."""


class ReadSpool(RunSpool, SealedFiles, Protocol):
    """What reading needs of the spool."""


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
        self.spool, self.clock, self.site = spool, clock, site
        self.copies = Copies(footage, spool, stores, site, place=place, remote=remote)
        self._node = parse_place(place).name if place else ""
        self.growing = GrowingFiles(spool, clock)
        self.pending = pending
        self._tables = BytesCache(16 << 20)
        self._inits = BytesCache(1 << 20)
        self._just_sealed: dict[str, Segment] = {}
        self._pool = ThreadPoolExecutor(16, thread_name_prefix="tails")

    def beside(self, files: SealedFiles) -> View:
        """Return the same view, which reads segments from other files where those have them.

        It shares threads and what is remembered, and is not closed.
        """
        other = copy(self)
        other.copies = self.copies.beside(files)
        return other

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
        gaps += [Gap(hole.start, hole.end, Cause.SOURCE) for one in fresh for hole in one.holes]
        late = TimeRange(end, end + 1)
        after = self.footage.next_span(stream, end) if end < now - MINUTE else None
        if after is not None and any(span.range.overlaps(late) for span in spans):
            after = None
        first = self._first_start(stream, spans, asked)
        since = camera.created if camera is not None else 0
        if stream.site != self.site:  # documents of other sites are not known here
            since = self._first_start(stream, (), asked) or 0
        since = min(since, first) if since and first is not None else since
        tail = "" if after is None else cause_before(after.gap_cause)
        elsewhere = not unsealed.growing and self._is_elsewhere(stream)
        if after is None and end >= now - (UNSEALED_NS if elsewhere else 2 * SECOND):
            end_of_footage = max((span.end for span in spans), default=0)
            if elsewhere:
                end_of_footage = self._sealed_end(stream, asked) or end_of_footage
            asked = self._live_edge(asked, end_of_footage, stream, unsealed.growing, elsewhere)
            if elsewhere and asked.end < end:  # somebody goes on with it
                spans = [replace(one, open=one.end == end_of_footage) for one in spans]
        line = timeline(spans, gaps, asked, self._present_cause(stream, camera), since, tail)
        source = camera.streams.get(stream.stream) if camera is not None else None
        table = source.timetable if source is not None else None
        return excuse(line, table.off(line.range)) if table is not None else line

    def _live_edge(
        self,
        asked: TimeRange,
        footage_end: Instant,
        stream: StreamId,
        growing: Sequence[Growing],
        elsewhere: bool,
    ) -> TimeRange:
        """End a range that reaches the present where a recording stream's footage does.

        What was filmed in the last seconds is still on its way; it is no gap.  ``growing``:
        unsealed files of it are here, though the last word on its state may be older; of a
        camera with few frames more seconds are on their way.  ``elsewhere``: only what is sealed is
        known here, and what was filmed since may be in a file that another still writes.
        """
        state = self.statuses.of(stream)
        fresh = state is not None and state.at > self.clock.now() - NODE_SILENT_NS
        recording = bool(growing)
        if fresh and state is not None:
            recording = state.state == "recording"
        late = self.clock.now() - UNSEALED_NS if elsewhere else asked.end - 5 * SECOND
        late -= 3 * max((one.last_fragment_ns for one in growing), default=0)
        if recording and late < footage_end < asked.end:
            return TimeRange(asked.start, max(asked.start, footage_end))
        return asked

    def _is_elsewhere(self, stream: StreamId) -> bool:
        """Tell whether another site records a stream, or another node of this one."""
        if stream.site != self.site:
            return True
        state = self.statuses.of(stream) if self._node else None
        return state is not None and state.node != self._node

    def _sealed_end(self, stream: StreamId, asked: TimeRange) -> Instant:
        """Return where what is sealed of a stream ends; 0 where that is long ago, or goes on."""
        if self.footage.next_span(stream, asked.end) is not None:
            return asked.end
        lately = TimeRange(max(0, asked.end - UNSEALED_NS), asked.end)
        return max((span.end for span in self.footage.spans(stream, lately)), default=0)

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
            return Cause.OFF_SCHEDULE
        if here and source is not None and not source.wanted(self.clock.now()):
            return Cause.OFF_SCHEDULE
        state = self.statuses.of(stream)
        if state is None or state.at < self.clock.now() - NODE_SILENT_NS:
            return Cause.NODE
        return state.cause if state.state != "recording" else Cause.SOURCE

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
            raise NoFootage(
                f"{stream} has no footage from {format_instant(asked.start, 3)} "
                f"to {format_instant(asked.end, 3)}",
                hint=self.nearest(stream, asked),
            )
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
                if one.key not in found.growing and self._tables.get(one.key) is None:
                    waiting[ahead] = self._pool.submit(self._packed, one, found)
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


def total_gaps(line: Timeline) -> dict[str, int]:
    """Sum a timeline's gaps by cause, in ns."""
    sums: dict[str, int] = {}
    for gap in line.gaps:
        sums[gap.cause] = sums.get(gap.cause, 0) + gap.range.duration_ns
    return sums


__all__ = ["Found", "Gap", "View", "total_gaps"]
