"""A clip, built run by run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from recorder import index
from recorder.bmff.movie import MovieTrack, build_header, merge_chunks
from recorder.cut import Piece, frames_of
from recorder.errors import MixedCodecs
from recorder.export.identity import ClipPart, notes_of
from recorder.export.tracks import TrackBuild
from recorder.export.virtual import VirtualFile
from recorder.index import FrameCut, FrameTable, TrackFrames
from recorder.model.media import InitInfo, Segment, TrackInfo
from recorder.model.timebase import SECOND, Instant, TimeRange, format_instant, ticks_to_ns
from recorder.reading.found import Found
from recorder.reading.view import View

SAME_RATE = 0.002
"""Twice what slewing (500 ppm, either way) makes of two segments."""


def _by_rate(shown: Sequence[tuple[Segment, FrameCut]]) -> list[list[tuple[Segment, FrameCut]]]:
    """Group the segments of a run whose wall-clock time passes alike."""
    groups: list[list[tuple[Segment, FrameCut]]] = []
    rate = 0.0
    for segment, cut in shown:
        now = segment.range.duration_ns / max(1, segment.media_duration_ns)
        if groups and abs(now - rate) <= SAME_RATE:
            groups[-1].append((segment, cut))
        else:
            groups.append([(segment, cut)])
            rate = now
    return groups


class Builder:
    """Gathers the sample tables of a clip, piece by piece."""

    def __init__(self, view: View, found: Found) -> None:
        self.view, self.found = view, found
        self.tracks: list[TrackBuild] = []
        self.segments: list[Segment] = []
        self.parts: list[ClipPart] = []
        self.shown_ns = 0
        self.shown_ticks = 0
        self._inits: dict[str, InitInfo] = {}
        self._lead: TrackBuild | None = None

    def init_of(self, segment: Segment) -> InitInfo:
        """Return how a segment is decoded."""
        if segment.decoder_digest not in self._inits:
            self._inits[segment.decoder_digest] = self.view.init(self.found, segment)[0]
        return self._inits[segment.decoder_digest]

    def add_run(self, run: Sequence[Piece], tables: Iterator[FrameTable]) -> None:
        """Add one seamless run of pieces; ``tables`` are those of the segments of it."""
        shown: list[tuple[Segment, FrameCut]] = []
        before: list[tuple[Segment, FrameTable]] = []
        for piece in run:
            before += [(segment, next(tables)) for segment in piece.before]
            table = next(tables)
            init = self.init_of(piece.segment)
            lead = init.tracks.index(init.lead)
            if not shown:  # nothing of it so far: what was passed over serves decoding
                piece = replace(piece, joined=False)
            cuts = frames_of(piece, table, lead, [one for _, one in before])
            if cuts[-1].empty:
                before.append((piece.segment, table))
                continue
            hidden = before[len(before) - len(cuts) + 1 :]
            self._add_piece([*hidden, (piece.segment, table)], cuts, shown)
            shown.append((piece.segment, cuts[-1]))
            before = []
        if shown:
            self._end_run(shown)

    def _add_piece(
        self,
        sources: Sequence[tuple[Segment, FrameTable]],
        cuts: Sequence[FrameCut],
        shown: Sequence[tuple[Segment, FrameCut]],
    ) -> None:
        """Add the frames of a piece, after those of the segments before it that it needs."""
        init = self.init_of(sources[-1][0])
        lead = init.tracks.index(init.lead)
        chosen = cuts[-1]
        for number, ((segment, table), cut) in enumerate(zip(sources, cuts, strict=True)):
            build = self._join(segment, init)
            if not shown and number == 0:
                tracks = [one.tracks[lead] for _, one in sources]
                build.begin_run(list(zip(tracks, cuts, strict=True)))
            already = build.run_ticks
            build.push_pictures(len(self.segments) - 1, table.tracks[lead], cut)
        for sound, number in self._sounds(init):
            frames, pictures = table.tracks[number], table.tracks[lead]
            if not shown or not sound.started:
                self._align(sound, init.lead, frames, chosen.first_pts, already)
            self._add_sound(sound, frames, pictures, init.lead, chosen, len(self.segments) - 1)

    def _end_run(self, shown: Sequence[tuple[Segment, FrameCut]]) -> None:
        length = self._lead.end_run() if self._lead is not None else 0
        self.shown_ticks += length
        run_end = self.shown_ns + ticks_to_ns(length, shown[0][0].timescale)
        stretches = _by_rate(shown)
        for number, stretch in enumerate(stretches, 1):
            (segment, first), (final, last) = stretch[0], stretch[-1]
            ticks = sum(cut.end_pts - cut.first_pts for _, cut in stretch)
            stop = self.shown_ns + ticks_to_ns(ticks, segment.timescale)
            stop = run_end if number == len(stretches) else min(stop, run_end)
            begin = segment.instant_at(first.first_pts)
            end = max(begin, final.instant_at(last.end_pts))
            self.parts.append(
                ClipPart(
                    self.shown_ns,
                    stop,
                    TimeRange(begin, end),
                    segment.camera_offset_ns,
                    segment.codecs,
                    sum(cut.shown for _, cut in stretch),
                )
            )
            self.shown_ns = stop

    def _join(self, segment: Segment, init: InitInfo) -> TrackBuild:
        """Make a source file known, and which sample entry each track uses; return the lead's."""
        part = len(self.segments)
        self.segments.append(segment)
        for info in self.tracks_info(init):
            build = self._build_of(info)
            if build is None:
                build = TrackBuild(info, index.track_tables(), entry_of_part=[1] * part)
                self.tracks.append(build)
            if build.info.timescale != info.timescale:
                continue
            entry = info.entry[8:]
            if entry not in build.entries:
                build.entries.append(entry)
            build.entry_of_part.append(build.entries.index(entry) + 1)
        for build in self.tracks:
            while len(build.entry_of_part) <= part:
                build.entry_of_part.append(1)
        lead = self._build_of(init.lead)
        if lead is None or lead.info.timescale != init.lead.timescale:
            raise mixed(segment, "the unit of its time stamps changes")
        self._lead = lead
        return lead

    def _build_of(self, info: TrackInfo) -> TrackBuild | None:
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

    def _align(
        self, build: TrackBuild, lead: TrackInfo, frames: TrackFrames, first_pts: int, already: int
    ) -> None:
        """Set where sound stands in a run, so that sound and picture stay together.

        ``already``: what the run has shown without sound, in the lead track's ticks.
        """
        ours, its = build.info.timescale, lead.timescale
        want = first_pts * ours // its
        lo = _first_from(frames, want)
        if lo == len(frames.dts):
            return
        late = max(0, frames.dts[lo] - want)
        before = (self.shown_ticks + already) * ours // its
        if not build.started:
            build.edits = [(max(0, want - frames.dts[lo]), 0)]
            build.empty_ticks = (late + before) * its // ours
        else:
            silent = build.empty_ticks * ours // its
            build.offset = build.edits[0][0] + before - silent + late - frames.dts[lo]

    @staticmethod
    def _add_sound(
        build: TrackBuild,
        frames: TrackFrames,
        pictures: TrackFrames,
        lead: TrackInfo,
        chosen: FrameCut,
        part: int,
    ) -> None:
        """Add the sound that goes with the frames of a piece; whole at a file's edges."""
        ours, its = build.info.timescale, lead.timescale
        whole_start = chosen.clean == 0 and chosen.first_pts <= pictures.presentation()[0]
        lo, hi = 0, len(frames.dts)
        if not whole_start or not build.started:
            lo = _first_from(frames, chosen.first_pts * ours // its)
        if chosen.stop < len(pictures.dts):
            hi = _first_at(frames, chosen.end_pts * ours // its)
        build.push(part, frames.columns(), lo, hi)

    def _sounds(self, init: InitInfo) -> list[tuple[TrackBuild, int]]:
        pairs = []
        for info in self.tracks_info(init):
            build = self._build_of(info)
            if info != init.lead and build is not None and build.info.timescale == info.timescale:
                pairs.append((build, init.tracks.index(info)))
        return pairs

    def finish(self, created: Instant) -> VirtualFile:
        """Close the tables and compute the header."""
        tracks = []
        lead = self._lead
        for build in self.tracks:
            build.close()
            if not build.tables.samples:
                continue
            if build is not lead:
                begin = build.edits[0][0]
                shown = max(0, build.ticks - begin)
                if lead is not None:  # sound ends with the picture
                    most = self.shown_ticks - build.empty_ticks
                    shown = min(shown, most * build.info.timescale // lead.info.timescale)
                build.edits = [(begin, max(0, shown))]
            tracks.append(
                MovieTrack(
                    build.info,
                    build.tables,
                    build.entries,
                    build.entry_of_part,
                    build.edits,
                    build.empty_ticks,
                )
            )
        places, chunks = merge_chunks(tracks)
        timescale = tracks[0].info.timescale
        notes = notes_of(self.parts, self.segments)
        header = build_header(tracks, places, created // SECOND, timescale, notes)
        return VirtualFile(header, self.segments, *chunks)


def _first_from(frames: TrackFrames, ticks: int) -> int:
    """First frame that still sounds at ``ticks``."""
    at = index.locate(frames.dts, ticks)
    if at >= 0 and frames.dts[at] + frames.duration[at] <= ticks:
        at += 1
    return max(0, at)


def _first_at(frames: TrackFrames, ticks: int) -> int:
    """First frame that starts at or after ``ticks``."""
    at = index.locate(frames.dts, ticks - 1)
    return at + 1


def mixed(segment: Segment, change: str) -> MixedCodecs:
    """Say that one file cannot hold what is before a segment, and it."""
    return MixedCodecs(
        f"{segment.stream}: {change} at {format_instant(segment.start, 3)}; "
        "one MP4 cannot hold both",
        hint="ask with format=zip for one file per span, or for a range on one side",
    )
