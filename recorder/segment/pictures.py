"""Whole pictures: samples that stand on one another are parts of one.  Pure.

A picture of several slices whose sender repeats parameter sets before each reaches us as one
sample a slice, and parameter sets sent as an access unit of their own as a sample before the
picture: ffmpeg puts each one tick after the one before.  A decoder makes a broken picture of a
slice alone, and none of sets alone, so a sample becomes what belongs to one picture.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, replace

from recorder.bmff.nal import units
from recorder.bmff.parameters import Coding, coding_of
from recorder.index import FrameTable, TrackFrames
from recorder.model.buffers import Buffer
from recorder.model.media import InitInfo

_TOGETHER = 2  # ticks; ffmpeg moves a repeated stamp by one


@dataclass(frozen=True, slots=True)
class Pictures:
    """A table whose lead frames are whole pictures.

    ``raw``: the samples as they lie in the file; ``groups``: the number of the first of each
    picture's samples, and their count at the end.  ``merged`` tells whether any has several.
    """

    table: FrameTable
    raw: TrackFrames
    groups: array[int]
    merged: bool


def whole_pictures(buf: Buffer, init: InitInfo, table: FrameTable) -> Pictures:
    """Join the samples of the lead track that belong to one picture."""
    lead = init.tracks.index(init.lead)
    track = table.tracks[lead]
    starts = _starts(buf, coding_of(init.lead), track)
    count = len(track.dts)
    if starts is None:
        return Pictures(table, track, array("q", range(count + 1)), False)
    groups = array("q", [*starts, count])
    tracks = list(table.tracks)
    tracks[lead] = _joined(track, groups)
    return Pictures(replace(table, tracks=tuple(tracks)), track, groups, True)


def _starts(buf: Buffer, coding: Coding | None, track: TrackFrames) -> list[int] | None:
    """Return where pictures begin, ``None`` when every sample is one."""
    near = [i for i in range(1, len(track.dts)) if track.dts[i] - track.dts[i - 1] <= _TOGETHER]
    if coding is None or not near:
        return None
    parts = {
        i
        for i in near
        if _begins(buf, coding, track, i) is False or _begins(buf, coding, track, i - 1) is None
    }
    if not parts:
        return None
    return [i for i in range(len(track.dts)) if i not in parts]


def _begins(buf: Buffer, coding: Coding, track: TrackFrames, i: int) -> bool | None:
    """Tell whether a sample's first slice begins a picture; ``None`` when it has no slice."""
    at = track.offset[i]
    for begin, end in units(buf, at, at + track.size[i], coding.length_size):
        begins = coding.begins_picture(bytes(buf[begin : begin + 3])) if end - begin > 2 else None
        if begins is not None:
            return begins
    return None


def _joined(track: TrackFrames, groups: array[int]) -> TrackFrames:
    """One frame a group: the stamp of its first sample, all its bytes, in the last's fragment."""
    spans = [(groups[k], groups[k + 1]) for k in range(len(groups) - 1)]
    dts = array("q", (track.dts[lo] for lo, _ in spans))
    cts = array("q", (_shown(track, lo, hi) - track.dts[lo] for lo, hi in spans))
    size = array("q", (sum(track.size[lo:hi]) for lo, hi in spans))
    duration = array("q", (sum(track.duration[lo:hi]) for lo, hi in spans))
    sync = array("q", (max(track.sync[lo:hi]) for lo, hi in spans))
    offset = array("q", (track.offset[lo] for lo, _ in spans))
    first, k = array("q"), 0
    for bound in track.first:
        while k < len(spans) and spans[k][1] - 1 < bound:
            k += 1
        first.append(k)
    return TrackFrames(dts, size, duration, cts, sync, offset, first)


def _shown(track: TrackFrames, lo: int, hi: int) -> int:
    """When a picture is shown: by its last sample, without the ticks it was moved by."""
    return track.dts[hi - 1] + track.cts[hi - 1] - (track.dts[hi - 1] - track.dts[lo])
