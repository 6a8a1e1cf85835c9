"""Fragments under one header, described as a segment."""

from __future__ import annotations

import itertools
from array import array
from dataclasses import dataclass, replace

from recorder import clean_points, index
from recorder.bmff.init import read_init
from recorder.index import FrameTable, TrackFrames
from recorder.model import clocks
from recorder.model.causes import Cause
from recorder.model.keys import segment_key
from recorder.model.media import InitInfo, Segment
from recorder.model.runs import Run, SpanState
from recorder.model.timebase import SECOND, Instant, ticks_to_ns
from recorder.sealing.timed import Timed
from recorder.segment.arrival import (
    usual_step,
)
from recorder.segment.astray import ASTRAY_NS
from recorder.segment.headers import Header
from recorder.segment.layout import Layout, lay_out, under_head
from recorder.segment.mend import (
    MOST_DELAY,
    missing_frames,
)
from recorder.segment.meta import holes_in
from recorder.segment.sound import RECENT_NS, Taking, gather, on_its_way

EARLY_SOUND_NS = SECOND // 2
"""Sound from so long before a session's first picture is kept with it."""


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
    astray: bool = False


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


@dataclass(frozen=True, slots=True)
class SegmentPart:
    """Fragments of a file under one header, about to become a segment."""

    timed: Timed
    run: Run
    before: SpanState | None
    header: Header
    table: FrameTable
    groups: array[int]
    media: tuple[int, int]
    whole: bool

    def described(self) -> Described:
        """Place the part in its span, and say what it is."""
        timed, before = self.timed, self.before
        taking = self._taking()
        layout, sound_ns = self._layout(taking)
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
        health = replace(health, astray=bool(taking.astray))
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

    def _taking(self) -> Taking:
        """Say which sound is this part's."""
        timed = self.timed
        # in the stamps of sound, which know neither mending nor the picture's delay
        end = self.media[1] - timed.mended.shift - timed.delay
        begin = self.media[0] - timed.delay
        sound_from = ticks_to_ns(begin, timed.scale) - EARLY_SOUND_NS
        if self.before is not None and (timed.follows or self.header.fragment):
            # stamps of the picture may have leapt away from what sound was taken last
            sound_from = max(self.before.sound_ns, sound_from - ASTRAY_NS)
        shown = (ticks_to_ns(self.media[0], timed.scale), ticks_to_ns(self.media[1], timed.scale))
        sound_to = ticks_to_ns(end, timed.scale)
        taking = Taking(
            sound_from, sound_to, timed.mended.shifts, timed.scale, timed.delay, {}, shown
        )
        return replace(taking, astray=timed.astray(taking))

    def _layout(self, taking: Taking) -> tuple[Layout | None, int]:
        """Lay the part out anew where its file is not a segment's body as it is."""
        timed, sound_to = self.timed, taking.end_ns
        sound = gather(timed.raw.sounds, taking)
        begin_ns = ticks_to_ns(self.media[0] - timed.delay, timed.scale)
        short = sound_to - begin_ns < RECENT_NS
        if sound is None and timed.follows and (timed.raw.growing or short):
            sound = on_its_way(timed.raw.sounds, sound_to)
        mended = bool(timed.mended.shifts) or timed.pictures.merged or timed.mended.delay != 0
        head = self.header.head
        if sound is None and self.header.own and self.whole and not mended:
            if head == timed.raw.video[: timed.init.size]:
                return None, sound_to
            return under_head(head, self.table, timed.scan.stop), sound_to
        pictures = replace(timed.pictures, table=self.table, groups=self.groups)
        return lay_out(head, read_init(head), pictures, timed.lead, sound), sound_to


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
