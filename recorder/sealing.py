"""Seal: turn what capture left of a file into segments that describe themselves.

:func:`describe` thinks (scan, true times, clocks, span rule, sound) for finished and growing
files alike; :func:`seal` adds digest and trailer.  Both are pure; the spool writes what they say.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import struct
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from recorder import clean_points, index
from recorder.bmff.footer import build_footer
from recorder.bmff.fragments import build_mfra
from recorder.bmff.init import read_init
from recorder.bmff.nal import mark_clean_points
from recorder.errors import MalformedMedia
from recorder.index import FrameTable, Scan, TrackFrames
from recorder.model import clocks
from recorder.model.causes import Cause
from recorder.model.keys import segment_key
from recorder.model.media import InitInfo, Segment
from recorder.model.runs import Run, SpanState
from recorder.model.timebase import SECOND, Instant, ticks_to_ns
from recorder.segment.arrival import (
    Arrival,
    Follower,
    credible,
    observations,
    usual_step,
    written_at,
)
from recorder.segment.headers import Header, headers_of
from recorder.segment.layout import Layout, Part, lay_out, under_head
from recorder.segment.mend import (
    MOST_DELAY,
    begins_squeezed,
    mend,
    missing_frames,
    shown_in_full,
)
from recorder.segment.meta import footer_meta, holes_in
from recorder.segment.pictures import whole_pictures
from recorder.segment.sound import SoundFile, gather, on_its_way

EARLY_SOUND_NS = SECOND // 2
"""Sound from so long before a session's first picture is kept with it."""


@dataclass(frozen=True, slots=True)
class Raw:
    """What capture left of one file of a run, and what is known around it.

    ``number``: the file's, from 0; ``video``: its bytes; ``arrivals`` say when it had which
    length, the last one when it was closed; ``follower``: the first frame of the file after it;
    ``growing``: it is still being written; ``sounds``: the files of sound beside it.
    """

    number: int
    video: Any
    arrivals: Sequence[Arrival]
    follower: Follower | None = None
    growing: bool = False
    sounds: tuple[SoundFile, ...] = ()


@dataclass(frozen=True, slots=True)
class SegmentHealth:
    """How well a segment was recorded.

    Units: ns.  ``rate``: of our clock in one of media time; ``late_ns``: how late its bytes came
    at most, against the least late (nine in ten of them); ``key_ns``: the longest way from one
    clean point to the next.  ``opens``, ``refreshes``: some clean point needs frames before it,
    or is whole only later; ``own_header``: the one announced was not the one sent.
    """

    length_ns: int
    frames: int
    missing: int
    sound: bool
    rate: float
    late_ns: int
    key_ns: int
    opens: bool = False
    refreshes: bool = False
    own_header: bool = False


@dataclass(frozen=True, slots=True)
class Described:
    """A segment without digest and trailer; ``table`` lists its frames.

    ``layout``: how its body is laid out, ``None`` when it is the file's own up to ``stop``.
    ``new_span`` says that the previous span ended.
    """

    segment: Segment
    table: FrameTable
    init: InitInfo
    layout: Layout | None
    stop: int
    state: SpanState
    new_span: bool
    health: SegmentHealth


@contextlib.contextmanager
def _made_sense_of() -> Iterator[None]:
    """Name what bytes that lie make fail: one damaged file must not keep the rest from sealing.

    Raises: ``MalformedMedia``.
    """
    try:
        yield
    except (ArithmeticError, LookupError, ValueError, struct.error) as exc:
        raise MalformedMedia(f"times or sizes make no sense ({exc})") from exc


@_made_sense_of()
def survey(buf: Any) -> tuple[InitInfo, Scan]:
    """Read a file as far as it is whole.

    Raises: ``MalformedMedia`` when not even one fragment can be read.
    """
    init = read_init(buf)
    scan = index.scan(buf, init)
    lead = init.tracks.index(init.lead)
    if not scan.table.offsets or not scan.table.tracks[lead].dts:
        raise MalformedMedia("no whole fragment")
    return init, replace(scan, table=mark_clean_points(buf, init, scan.table))


def follower_of(buf: Any, arrivals: Sequence[Arrival] = ()) -> Follower | None:
    """Return the first frame of a file, for the file before it; ``None`` while it has none."""
    try:
        init, scan = survey(buf)
    except MalformedMedia:
        return None
    lead = init.tracks.index(init.lead)
    track = scan.table.tracks[lead]
    stop = max(1, track.first[1])
    shown = (dts + cts for dts, cts in zip(track.dts[:stop], track.cts[:stop], strict=True))
    end = track.presentation()[1]
    came = observations(scan.table, lead, init.lead.timescale, arrivals, end, 0)
    return Follower(track.dts[0], min(shown), begins_squeezed(track), tuple(came))


@_made_sense_of()
def describe(raw: Raw, run: Run, previous: SpanState | None) -> list[Described]:
    """Place a file in time and in its span; more than one segment where its header changes.

    Pure.  Raises: ``MalformedMedia`` when nothing of it can be kept.
    """
    init, scan = survey(raw.video)
    timed = _Timed(raw, run, init, scan, previous)
    headers = headers_of(raw.video, init, scan.table, timed.sets_before())
    found: list[Described] = []
    state = previous
    for i, header in enumerate(headers):
        stop = headers[i + 1].fragment if i + 1 < len(headers) else len(scan.table.offsets)
        one = timed.part(run, state, header, stop, whole=len(headers) == 1)
        found.append(one)
        state = one.state
    return found


class _Timed:
    """A file whose frames have their true times, and its place by our clock."""

    def __init__(
        self, raw: Raw, run: Run, init: InitInfo, scan: Scan, previous: SpanState | None
    ) -> None:
        self.raw, self.init, self.scan, self.previous = raw, init, scan, previous
        self.run = run
        self.lead = init.tracks.index(init.lead)
        self.scale = init.lead.timescale
        self.follows = previous is not None and previous.file + 1 == raw.number
        self.pictures = whole_pictures(raw.video, init, scan.table)
        self.follower = credible(raw.follower, scan.table.tracks[self.lead], self.scale)
        self.mended = mend(
            self.pictures.table, self.lead, self.scale,
            written_at(scan.table, raw.arrivals, self._closed_before()),
            opens=raw.number == 0, follower=self.follower, held=run.held,
        )  # fmt: skip
        tracks = list(scan.table.tracks)
        tracks[self.lead] = shown_in_full(self.mended.track) if raw.growing else self.mended.track
        self.table = replace(scan.table, tracks=tuple(tracks))
        self.delay = self._delay()
        self.start, self.end = self._media_range()
        clock = previous.clock if previous is not None and self.follows else None
        if clock is not None and clock.media_end != self.start:
            clock = clock.at(self.start, self.scale)
        self.seen = self._seen()
        self.placed = clocks.place(
            clock, self.start, self.end, self.scale, self.seen, self._ahead()
        )

    def _delay(self) -> int:
        """Return how much later than sound the picture is stamped: with B-frames."""
        if self.previous is not None and self.follows:
            return self.previous.delay
        return self.mended.delay or max(0, self.pictures.raw.cts[0])

    def _closed_before(self) -> Instant | None:
        return self.previous.closed if self.previous is not None and self.follows else None

    def sets_before(self) -> list[bytes]:
        """Return the parameter sets that the file before ended with."""
        known = self.previous.sets if self.previous is not None and self.follows else ()
        return [bytes.fromhex(unit) for unit in known]

    def _media_range(self) -> tuple[int, int]:
        track = self.table.tracks[self.lead]
        start, end = track.presentation()
        follower = self.follower
        if follower is not None and not self.mended.leap:
            end = max(end if self.raw.growing else start + 1, follower.pts + self.mended.shift)
        return start, end

    def _seen(self) -> list[clocks.Observation]:
        follower = self.end if self.follower is not None or self.raw.growing else None
        held = self.run.held
        found = observations(
            self.table, self.lead, self.scale, self.raw.arrivals, follower, held,
            self.run.flush_ns,
        )  # fmt: skip
        return found or [(ticks_to_ns(self.end, self.scale), self.raw.arrivals[-1][1])]

    def _ahead(self) -> list[clocks.Observation]:
        """Say what the arrivals of the next file tell, in the times of this one."""
        if self.follower is None or self.mended.leap:
            return []
        held_ns = ticks_to_ns(self.run.held * usual_step(self.mended.track), self.scale)
        late_ns = 0
        if 0 < self.run.flush_ns < held_ns:
            held_ns, late_ns = 0, self.run.flush_ns
        on_ns = ticks_to_ns(self.mended.shift, self.scale) + held_ns
        return [(media + on_ns, wall - late_ns) for media, wall in self.follower.came]

    def late_ns(self) -> int:
        """Say how late bytes came, against the least late: nine in ten of them."""
        rate = self.placed.clock.rate
        rest = sorted(wall - round(media * rate) for media, wall in self.seen)
        return rest[(len(rest) - 1) * 9 // 10] - rest[0]

    def instant_at(self, ticks: int) -> Instant:
        length = max(1, self.end - self.start)
        wall = self.placed.end - self.placed.start
        return self.placed.start + (2 * (ticks - self.start) * wall + length) // (2 * length)

    def part(
        self, run: Run, before: SpanState | None, header: Header, stop: int, *, whole: bool
    ) -> Described:
        """Describe the segment of the fragments from a header up to the next."""
        begin, end = self.start, self.end
        table, groups = self.table, self.pictures.groups
        if not whole:
            first = table.tracks[self.lead].first
            groups = groups[first[header.fragment] : first[stop] + 1]
            table = table.slice(header.fragment, stop)
            begin = table.tracks[self.lead].presentation()[0] if header.fragment else begin
            if stop < len(self.table.offsets):
                end = self.table.slice(stop, stop + 1).tracks[self.lead].presentation()[0]
        return _Part(self, run, before, header, table, groups, (begin, end), whole).described()


@dataclass(frozen=True, slots=True)
class _Part:
    """Fragments of a file under one header, about to become a segment."""

    timed: _Timed
    run: Run
    before: SpanState | None
    header: Header
    table: FrameTable
    groups: array[int]
    media: tuple[int, int]
    whole: bool

    def described(self) -> Described:
        timed, before = self.timed, self.before
        layout, sound_ns = self._layout()
        table, init = (layout.table, layout.init) if layout else (self.table, timed.init)
        lead = init.tracks.index(init.lead)
        start, end = (timed.instant_at(ticks) for ticks in self.media)
        follows = before is not None and (timed.follows or bool(self.header.fragment))
        same = before is not None and follows and not self._breaks(before, init)
        span_start = before.span_start if before is not None and same else start
        counter = before.counter + 1 if before is not None and same else 0
        table = with_walls(table, lead, self.media, (start, end))
        known = before if follows else None
        camera, offset = watch_camera(table, lead, timed.scale, known.camera if known else None)
        track = table.tracks[lead]
        scores, quiet = index.activity(track, known.quiet if known else (0, 0))
        stop = layout.size if layout else timed.scan.stop
        segment = Segment(
            stream=self.run.stream, writer=self.run.writer, span_start=span_start, counter=counter,
            start=start, end=end, media_start=self.media[0], media_end=self.media[1],
            timescale=timed.scale, size_bytes=stop, digest="", init_bytes=init.size,
            decoder_digest=init.decoder_digest, codecs=init.codecs,
            key=segment_key(str(self.run.stream), start, self.run.writer, counter),
            frames=len(track.dts), width=init.lead.width, height=init.lead.height,
            camera_offset_ns=offset, gap_cause=self._gap_cause() if counter == 0 else "",
            points=clean_points.pack_points(clean_points.fragment_points(table, lead)),
        )  # fmt: skip
        segment = replace(segment, holes=holes_in(segment, track), activity=scores)
        state = SpanState(
            span_start, counter, init.decoder_digest, self._clock(end), timed.raw.number, sound_ns,
            timed.raw.arrivals[-1][1], timed.delay,
            camera, quiet, tuple(unit.hex() for unit in self.header.sets.values()),
        )  # fmt: skip
        health = self._health(segment, track, sound=len(init.tracks) > 1)
        return Described(segment, table, init, layout, stop, state, not same, health)

    def _health(self, segment: Segment, track: TrackFrames, *, sound: bool) -> SegmentHealth:
        clean = [at for at, sync in zip(track.dts, track.sync, strict=True) if sync]
        clean.append(max(track.dts_end, *clean) if clean else 0)
        longest = max((b - a for a, b in itertools.pairwise(clean)), default=0)
        return SegmentHealth(
            segment.range.duration_ns, len(track.dts),
            missing_frames(track, opens=self.timed.raw.number == 0), sound,
            self.timed.placed.clock.rate, self.timed.late_ns(),
            ticks_to_ns(longest, segment.timescale),
            index.OPEN in track.sync, max(track.sync) > index.OPEN, not self.header.own,
        )  # fmt: skip

    def _gap_cause(self) -> str:
        return self.run.gap_cause if self.before is None else Cause.SOURCE

    def _breaks(self, before: SpanState, init: InitInfo) -> bool:
        """Tell whether a file that follows must open a span all the same."""
        if before.decoder_digest != init.decoder_digest:
            return True
        if self.header.fragment:
            return False
        apart = abs(before.clock.media_end - self.media[0])
        return self.timed.placed.stepped or apart > self._allowed()

    def _allowed(self) -> int:
        """Say by how much stamps of a file may miss its span's: its own delay, with B-frames."""
        track = self.table.tracks[self.timed.lead]
        return MOST_DELAY * usual_step(track) if any(track.cts) else 0

    def _clock(self, end: Instant) -> clocks.SpanClock:
        """The run's clock after this part; stamps of the file that follows may be others."""
        return replace(self.timed.placed.clock, media_end=self.media[1], wall_end=end)

    def _layout(self) -> tuple[Layout | None, int]:
        """Lay the part out anew where its file is not a segment's body as it is."""
        timed = self.timed
        shifts = timed.mended.shifts
        # in the stamps of sound, which know neither mending nor the picture's delay
        end = self.media[1] - timed.mended.shift - timed.delay
        begin = self.media[0] - timed.delay
        sound_from = ticks_to_ns(begin, timed.scale) - EARLY_SOUND_NS
        if self.before is not None and (timed.follows or self.header.fragment):
            sound_from = self.before.sound_ns
        sound_to = ticks_to_ns(end, timed.scale)
        sound = gather(timed.raw.sounds, sound_from, sound_to, shifts, timed.scale, timed.delay)
        if sound is None and timed.raw.growing and timed.follows:
            sound = on_its_way(timed.raw.sounds, sound_to)
        mended = bool(shifts) or timed.pictures.merged or timed.mended.delay != 0
        head = self.header.head
        if sound is None and self.header.own and self.whole and not mended:
            if head == timed.raw.video[: timed.init.size]:
                return None, sound_to
            return under_head(head, self.table, timed.scan.stop), sound_to
        pictures = replace(timed.pictures, table=self.table, groups=self.groups)
        return lay_out(head, read_init(head), pictures, timed.lead, sound), sound_to


@dataclass(frozen=True, slots=True)
class Sealed:
    """A segment, and what makes it: its body of ``keep_bytes``, then ``trailer``."""

    segment: Segment
    keep_bytes: int
    trailer: bytes


@dataclass(frozen=True, slots=True)
class SealedFile:
    """All that a file became.

    ``reason`` and ``lost_bytes``: why and how much of a torn end was cut off.
    """

    segments: tuple[Sealed, ...]
    described: tuple[Described, ...]
    reason: int
    lost_bytes: int

    @property
    def state(self) -> SpanState:
        """Where the run stands after it."""
        return self.described[-1].state


ReadPart = Callable[[Part], Any]
"""Gives the bytes of a part of a layout."""


@_made_sense_of()
def seal(raw: Raw, run: Run, previous: SpanState | None, read: ReadPart) -> SealedFile:
    """Decide everything about a finished file; see :func:`describe`.

    Raises: ``MalformedMedia`` when nothing of it can be kept.
    """
    described = describe(raw, run, previous)
    scan = index.scan(raw.video, read_init(raw.video))
    lost = 0 if scan.whole else len(raw.video) - scan.stop
    sealed = tuple(_sealed(raw, one, run, read) for one in described)
    return SealedFile(sealed, tuple(described), scan.reason, lost)


def _sealed(raw: Raw, found: Described, run: Run, read: ReadPart) -> Sealed:
    body = hashlib.sha256()
    for block in body_blocks(raw, found, read):
        body.update(block)
        if isinstance(block, memoryview):
            block.release()
    whole = body.copy()
    meta = footer_meta(found.segment, run.node, run.term, run.source, body.hexdigest())
    trailer = build_footer(meta, found.table) + build_mfra(found.table, found.init)
    whole.update(trailer)
    size = found.stop + len(trailer)
    segment = replace(found.segment, size_bytes=size, digest=whole.hexdigest())
    return Sealed(segment, found.stop, trailer)


def body_blocks(raw: Raw, found: Described, read: ReadPart) -> Iterator[Any]:
    """Yield the bytes of a segment before its footer."""
    if found.layout is None:
        yield memoryview(raw.video)[: found.stop]
        return
    for part in found.layout.parts:
        yield read(part)


def with_walls(
    table: FrameTable, lead: int, media: tuple[int, int], wall: tuple[Instant, Instant]
) -> FrameTable:
    """Give each fragment our time of its first lead frame."""
    track = table.tracks[lead]
    begin, stop = media
    start, end = wall
    length = max(stop - begin, 1)
    walls = array("q")
    last = start
    for i in range(len(table.offsets)):
        lo = track.first[i]
        if lo < track.first[i + 1]:
            into = track.dts[lo] + track.cts[lo] - begin
            last = start + into * (end - start) // length
        walls.append(last)
    return replace(table, walls=walls)


def watch_camera(
    table: FrameTable, lead: int, timescale: int, before: clocks.CameraClock | None
) -> tuple[clocks.CameraClock | None, int | None]:
    """Follow the camera's clock through a file; see :func:`recorder.model.clocks.watch_camera`."""
    track: TrackFrames = table.tracks[lead]
    media, walls, prfts = [], [], []
    for i in range(len(table.offsets)):
        lo = track.first[i]
        if lo < track.first[i + 1]:
            media.append(ticks_to_ns(track.dts[lo] + track.cts[lo], timescale))
            walls.append(table.walls[i])
            prfts.append(table.prfts[i])
    return clocks.watch_camera(before, walls, prfts, media)
