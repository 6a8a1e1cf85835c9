"""Clips: exact to the frame, computed from frame tables, served from stored bytes."""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from recorder import index
from recorder.bmff.movie import MovieTrack, build_header, merge_chunks
from recorder.cut import Piece, cut_segments, fragments_of, frames_of, runs_of, slices
from recorder.errors import MixedCodecs, NoFootage
from recorder.export.virtual import VirtualFile
from recorder.index import FrameCut, FrameTable
from recorder.model.media import InitInfo, Segment, TrackInfo
from recorder.model.timebase import SECOND, Instant, TimeRange, format_instant, ticks_to_ns
from recorder.reading.view import Found, View


@dataclass(frozen=True, slots=True)
class ClipPart:
    """A stretch of a clip without a seam, and the wall-clock time it shows.

    Units: ``clip_start_ns`` counts from the clip's first shown frame.
    """

    clip_start_ns: int
    clip_end_ns: int
    range: TimeRange
    camera_offset_ns: int | None
    codecs: str
    frames: int


@dataclass(slots=True)
class Clip:
    """A clip ready to be read: the virtual file and the true times of what it shows."""

    file: VirtualFile
    parts: list[ClipPart]
    found: Found
    view: View

    def read(self, start: int = 0, end: int | None = None) -> Any:
        """Yield the bytes ``[start, end)``; all of them by default."""
        stop = self.file.size if end is None else end

        def reader(segment: Segment, offset: int, length: int) -> Any:
            return self.view.read(segment, offset, length, self.found)

        return self.file.read(start, stop, reader)

    def close(self) -> None:
        """Let go of open files."""
        self.found.close()


@dataclass(slots=True)
class _TrackBuild:
    """One track while its tables grow; the last stretch waits for its final duration."""

    info: TrackInfo
    tables: Any
    entries: list[bytes] = field(default_factory=list)
    entry_of_part: list[int] = field(default_factory=list)
    waiting: tuple[int, tuple[Any, ...], int, int] | None = None
    waiting_ticks: int = 0
    media_time: int = 0
    empty_ticks: int = 0
    started: bool = False
    next_dts: int | None = None

    @property
    def ticks(self) -> int:
        """Length so far, with what is waiting."""
        return int(self.tables.ticks) + self.waiting_ticks

    def push(self, part: int, columns: tuple[Any, ...], lo: int, hi: int) -> None:
        """Append frames, after those that waited."""
        self.flush(-1)
        if hi > lo:
            self.waiting = (part, columns, lo, hi)
            dts, duration = columns[0], columns[2]
            self.waiting_ticks = dts[hi - 1] + duration[hi - 1] - dts[lo]
            self.next_dts = dts[hi - 1] + duration[hi - 1]
            self.started = True

    def join(self, dts: int) -> None:
        """Let the next frame, in the same run, begin at its own decode time."""
        if self.next_dts is not None:
            self.stretch(dts - self.next_dts)

    def flush(self, last_duration: int) -> None:
        """Write out what waits, its last frame with another duration when not negative."""
        if self.waiting is not None:
            self.tables.add(*self.waiting, last_duration)
            self.waiting, self.waiting_ticks = None, 0

    def stretch(self, ticks: int) -> None:
        """Lengthen (or shorten) the frame that waits last."""
        if self.waiting is not None and ticks:
            columns, hi = self.waiting[1], self.waiting[3]
            self.flush(max(1, columns[2][hi - 1] + ticks))


class _Builder:
    """Gathers the sample tables of a clip, piece by piece."""

    def __init__(self, view: View, found: Found) -> None:
        self.view, self.found = view, found
        self.tracks: list[_TrackBuild] = []
        self.segments: list[Segment] = []
        self.parts: list[ClipPart] = []
        self.shown_ns = 0
        self.shown_ticks = 0
        self._inits: dict[str, InitInfo] = {}
        self._lead: _TrackBuild | None = None

    def init_of(self, segment: Segment) -> InitInfo:
        if segment.decoder_digest not in self._inits:
            self._inits[segment.decoder_digest] = self.view.init(self.found, segment)[0]
        return self._inits[segment.decoder_digest]

    def add_run(self, run: Sequence[Piece], tables: Any) -> None:
        """Add one seamless run of pieces."""
        first_pts = end_pts = 0
        begin: Instant | None = None
        end = run[0].range.start
        frames = 0
        for piece, table in zip(run, tables, strict=False):
            init = self.init_of(piece.segment)
            lead = init.tracks.index(init.lead)
            chosen = frames_of(piece, table, lead, first=not self.parts and begin is None)
            if chosen.empty:
                continue
            self._join(piece.segment, init)
            if begin is None:
                begin, first_pts = piece.segment.instant_at(chosen.first_pts), chosen.first_pts
                self._align(init, table, lead, chosen)
            else:
                self._join_times(init, table, lead, chosen)
            self._add_frames(init, table, lead, chosen)
            end_pts = chosen.end_pts
            end = piece.segment.instant_at(end_pts)
            frames += chosen.shown
        if begin is None:
            return
        segment = run[0].segment
        shown = end_pts - first_pts
        start_ns = self.shown_ns
        self.shown_ticks += shown
        self.shown_ns += ticks_to_ns(shown, segment.timescale)
        self.parts.append(
            ClipPart(
                start_ns, self.shown_ns, TimeRange(begin, max(begin, end)),
                segment.camera_offset_ns, segment.codecs, frames,
            )
        )  # fmt: skip

    def _join(self, segment: Segment, init: InitInfo) -> None:
        """Make a source file known: its tracks, and which sample entry each uses."""
        part = len(self.segments)
        self.segments.append(segment)
        for info in self.tracks_info(init):
            build = self._build_of(info)
            if build is None:
                build = _TrackBuild(info, index.track_tables(), entry_of_part=[1] * part)
                self.tracks.append(build)
            if build.info.timescale != info.timescale:
                continue
            entry = info.entry[8:]
            if entry not in build.entries:
                build.entries.append(entry)
            build.entry_of_part.append(build.entries.index(entry) + 1)
            if info == init.lead:
                self._lead = build
        for build in self.tracks:
            while len(build.entry_of_part) <= part:
                build.entry_of_part.append(1)

    def _build_of(self, info: TrackInfo) -> _TrackBuild | None:
        return next((build for build in self.tracks if build.info.kind == info.kind), None)

    @staticmethod
    def tracks_info(init: InitInfo) -> list[TrackInfo]:
        """The tracks a clip takes: the lead track, and the first of sound."""
        chosen = [init.lead]
        for track in init.tracks:
            if track.kind == "audio" and track not in chosen and init.lead.kind != "audio":
                chosen.append(track)
                break
        return chosen

    def _align(self, init: InitInfo, table: FrameTable, lead: int, chosen: FrameCut) -> None:
        """Set each track's start at a seam, so that sound and picture stay together."""
        lead_info = init.tracks[lead]
        first = not self.parts
        for build, number in self._pairs(init):
            frames = table.tracks[number]
            if number == lead:
                if first:
                    build.media_time = chosen.first_pts - frames.dts[chosen.clean]
                continue
            scale = (build.info.timescale, lead_info.timescale)
            want = chosen.first_pts * scale[0] // scale[1]
            lo = _first_from(frames, want)
            begins = frames.dts[lo] if lo < len(frames.dts) else want
            if first or not build.started:
                build.media_time = max(0, want - begins)
                before = self.shown_ticks * scale[0] // scale[1]
                late = max(0, begins - want) + before
                build.empty_ticks = late * lead_info.timescale // build.info.timescale
            else:
                target = self.shown_ticks * scale[0] // scale[1] + build.media_time
                build.stretch(target + max(0, begins - want) - build.ticks)

    def _join_times(self, init: InitInfo, table: FrameTable, lead: int, chosen: FrameCut) -> None:
        for build, number in self._pairs(init):
            dts = table.tracks[number].dts
            if number == lead:
                build.join(dts[chosen.clean])
            elif dts:
                build.join(dts[0])

    def _add_frames(self, init: InitInfo, table: FrameTable, lead: int, chosen: FrameCut) -> None:
        part = len(self.segments) - 1
        scale_lead = init.tracks[lead].timescale
        for build, number in self._pairs(init):
            frames = table.tracks[number]
            if number == lead:
                build.push(part, frames.columns(), chosen.clean, chosen.stop)
                continue
            low, high = chosen.first_pts, chosen.end_pts
            whole_end = chosen.stop == len(table.tracks[lead].dts)
            whole_start = chosen.clean == 0 and low <= table.tracks[lead].presentation()[0]
            scale = build.info.timescale
            fresh = not build.started
            lo = 0 if whole_start and not fresh else _first_from(frames, low * scale // scale_lead)
            hi = len(frames.dts) if whole_end else _first_at(frames, high * scale // scale_lead)
            build.push(part, frames.columns(), lo, hi)

    def _pairs(self, init: InitInfo) -> list[tuple[_TrackBuild, int]]:
        pairs = []
        for info in self.tracks_info(init):
            build = self._build_of(info)
            if build is not None and build.info.timescale == info.timescale:
                pairs.append((build, init.tracks.index(info)))
        return pairs

    def finish(self, created: Instant) -> VirtualFile:
        """Close the tables and compute the header."""
        tracks = []
        lead = self._lead
        for build in self.tracks:
            build.flush(-1)
            build.tables.close()
            if not build.tables.samples:
                continue
            if build is lead:
                shown = self.shown_ticks
            else:
                shown = max(0, int(build.tables.ticks) - build.media_time)
                if lead is not None:  # sound ends with the picture
                    most = self.shown_ticks - build.empty_ticks
                    shown = min(shown, most * build.info.timescale // lead.info.timescale)
            tracks.append(
                MovieTrack(
                    build.info, build.tables, build.entries, build.entry_of_part,
                    build.media_time, shown, build.empty_ticks,
                )
            )  # fmt: skip
        places, chunks = merge_chunks(tracks)
        timescale = tracks[0].info.timescale
        header = build_header(tracks, places, created // SECOND, timescale)
        return VirtualFile(header, self.segments, *chunks)


def _first_from(frames: index.TrackFrames, ticks: int) -> int:
    """First frame that still sounds at ``ticks``."""
    at = index.locate(frames.dts, ticks)
    if at >= 0 and frames.dts[at] + frames.duration[at] <= ticks:
        at += 1
    return max(0, at)


def _first_at(frames: index.TrackFrames, ticks: int) -> int:
    """First frame that starts at or after ``ticks``."""
    at = index.locate(frames.dts, ticks - 1)
    return at + 1


def make_clip(view: View, found: Found, asked: TimeRange) -> Clip:
    """Make the progressive MP4 of a range; gaps are skipped, their true times kept.

    Raises: ``NoFootage`` when no frame lies in the range; ``MixedCodecs``.
    """
    pieces = cut_segments(found.segments, asked)
    builder = _Builder(view, found)
    _one_codec(pieces)
    tables = view.tables(found, [piece.segment for piece in pieces])
    for run in runs_of(pieces):
        builder.add_run(run, tables)
    if not builder.parts:
        stream = found.segments[0].stream if found.segments else "recording"
        raise NoFootage(f"{stream}: no frame in the range", hint="ask for a longer range")
    file = builder.finish(builder.parts[0].range.start)
    return Clip(file, builder.parts, found, view)


def _one_codec(pieces: Sequence[Piece]) -> None:
    """Refuse a clip over a change from H.264 to H.265: players would show a part, silently."""
    for before, after in itertools.pairwise(piece.segment for piece in pieces):
        kinds = [one.codecs.partition(".")[0] for one in (before, after)]
        if kinds[0] != kinds[1]:
            raise MixedCodecs(
                f"{after.stream}: the codec changes from {kinds[0]} to {kinds[1]} at "
                f"{format_instant(after.start, 3)}; one MP4 cannot hold both",
                hint="ask with format=zip for one file per span, or for a range on one side",
            )


def make_native(view: View, found: Found, asked: TimeRange) -> Clip:
    """Make the byte-joined natives of a range: init segment and fragments, untouched.

    Starts at the clean point at or before the range; a change of decoder configuration
    brings its own init segment.
    """
    pieces = cut_segments(found.segments, asked)
    parts, offsets, lengths = array("q"), array("q"), array("q")
    segments: list[Segment] = []
    shown: list[ClipPart] = []
    decoder, at_ns = "", 0
    for piece in pieces:
        fragments = fragments_of(piece)
        if not fragments:
            continue
        ranges = slices(fragments)
        segment = piece.segment
        if segment.decoder_digest != decoder:
            decoder = segment.decoder_digest
            ranges = [(0, segment.init_bytes), *ranges]
        for offset, length in ranges:
            parts.append(len(segments))
            offsets.append(offset)
            lengths.append(length)
        segments.append(segment)
        begin = segment.instant_at(segment.media_start + fragments[0].start_ticks)
        last = fragments[-1]
        end = segment.instant_at(segment.media_start + last.start_ticks + last.duration_ticks)
        shown.append(
            ClipPart(
                at_ns, at_ns + end - begin, TimeRange(begin, end), segment.camera_offset_ns,
                segment.codecs, 0,
            )
        )  # fmt: skip
        at_ns += end - begin
    if not segments:
        raise NoFootage("no fragment in the range", hint="ask for a longer range")
    return Clip(VirtualFile(b"", segments, parts, offsets, lengths), shown, found, view)
