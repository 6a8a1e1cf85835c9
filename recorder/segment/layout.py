"""Lay out a segment: fragments of ours around the samples that capture's files hold.  Pure.

A file of one video track that ffmpeg timed right is a segment's body as it is.  Where sound lies
in files of its own, or times had to be mended, the same samples get new fragment headers: the
pictures of each of ffmpeg's fragments and the sound that belongs to them.

Source: ISO/IEC 14496-12, movie fragments (8.8.4 to 8.8.8, 8.8.12), ``prft`` (8.16.5).
"""

from __future__ import annotations

import itertools
import struct
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from recorder.bmff.boxes import box, full_box
from recorder.bmff.init import read_init
from recorder.index import FrameTable, TrackFrames
from recorder.model.media import InitInfo
from recorder.segment.pictures import Pictures
from recorder.segment.sound_header import SoundFrames, with_sound

NTP_UNIX_S = 2_208_988_800
SYNC, NON_SYNC = 0x02000000, 0x01010000
"""Sample flags: depends on no other; depends on others and is no sync sample."""

Part = bytes | tuple[int, int, int]
"""Bytes of our own, or ``(source, offset, length)``: source 0 is the video file."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A segment's body: its parts in order, and the table of the frames in it.

    ``head``: these bytes in place of the file's first make it the body; empty when there is more
    to do.
    """

    parts: tuple[Part, ...]
    init: InitInfo
    table: FrameTable
    size: int
    head: bytes = b""


def under_head(head: bytes, table: FrameTable, size: int) -> Layout:
    """Lay out a file that is a body of ``size`` bytes but for its header, which is as long."""
    parts: tuple[Part, ...] = (head, (0, len(head), size - len(head)))
    return Layout(parts, read_init(head), table, size, head)


def lay_out(
    head: bytes, init: InitInfo, pictures: Pictures, lead: int, sound: SoundFrames | None
) -> Layout:
    """Lay out the lead track of ``pictures`` and sound, fragment by fragment.

    ``head`` is the init segment read as ``init``; offsets in the table are bytes of source 0.
    """
    table = pictures.table
    if sound is not None:
        head = with_sound(head, init, sound)
        init = read_init(head)
    writing = _Writing(head, init.tracks[lead].track_id, pictures, sound)
    track = table.tracks[lead]
    bounds = _sound_bounds(table, track, init.tracks[lead].timescale, sound)
    for i in range(len(table.offsets)):
        writing.fragment(track, (track.first[i], track.first[i + 1]), bounds[i], table.prfts[i])
    made = writing.table(track)
    return Layout(tuple(writing.parts), init, made, writing.at)


def _sound_bounds(
    table: FrameTable, track: TrackFrames, timescale: int, sound: SoundFrames | None
) -> list[tuple[int, int]]:
    """Say which frames of sound each fragment takes: up to where the next one's pictures begin."""
    count = len(table.offsets)
    if sound is None:
        return [(0, 0)] * count
    cuts = [0]
    for i in range(1, count):
        frame = track.first[i]
        if frame >= len(track.dts):
            cuts.append(len(sound.dts))
            continue
        at = track.dts[frame] * sound.info.timescale // timescale
        cuts.append(max(cuts[-1], bisect_left(sound.dts, at)))
    cuts.append(len(sound.dts))
    return list(itertools.pairwise(cuts))


class _Writing:
    """Parts and columns as they come."""

    def __init__(
        self, head: bytes, track_id: int, pictures: Pictures, sound: SoundFrames | None
    ) -> None:
        self.pictures = pictures
        self.parts: list[Part] = [head]
        self.at = len(head)
        self.track_id, self.sound = track_id, sound
        self.sequence = 0
        self.offsets, self.ends, self.prfts = array("q"), array("q"), array("q")
        self.places = [array("q"), array("q")]
        self.firsts = [array("q"), array("q")]

    def fragment(
        self, track: TrackFrames, frames: tuple[int, int], heard: tuple[int, int], prft: int
    ) -> None:
        """Add one fragment; one that holds nothing is left out."""
        if frames[0] == frames[1] and heard[0] == heard[1]:
            return
        self.sequence += 1
        begin = self.at
        video, sound = self._runs(track, frames, heard)
        media: list[tuple[int, int, int]] = [
            (0, offset, size) for offset, size in self._stretches(*frames)
        ]
        if self.sound is not None:
            media += _sound_stretches(self.sound, heard)
        sizes = [sum(track.size[slice(*frames)])]
        if self.sound is not None:
            sizes.append(sum(self.sound.size[slice(*heard)]))
        moof = _moof(self.sequence, (video, sound), sizes)
        own = _prft(self.track_id, prft, track.dts[frames[0]] if frames[0] < frames[1] else 0)
        own += moof + struct.pack(">I4s", 8 + sum(sizes), b"mdat")
        self.parts += [own, *media]
        self._place(begin + len(own), track, frames, heard)
        self.at = begin + len(own) + sum(sizes)
        for column, value in zip(
            (self.offsets, self.ends, self.prfts), (begin, self.at, prft), strict=True
        ):
            column.append(value)

    def _stretches(self, lo: int, hi: int) -> list[tuple[int, int]]:
        """Join samples that follow one another in the file into ``(offset, length)``."""
        raw, groups = self.pictures.raw, self.pictures.groups
        found: list[tuple[int, int]] = []
        for i in range(groups[lo], groups[hi]):
            if found and sum(found[-1]) == raw.offset[i]:
                found[-1] = (found[-1][0], found[-1][1] + raw.size[i])
            else:
                found.append((raw.offset[i], raw.size[i]))
        return found

    def _runs(
        self, track: TrackFrames, frames: tuple[int, int], heard: tuple[int, int]
    ) -> tuple[bytes, bytes]:
        """Build the ``traf`` payloads of video and sound, without data offsets."""
        lo, hi = frames
        video = b""
        if lo < hi:
            flags = [SYNC if sync else NON_SYNC for sync in track.sync[lo:hi]]
            duration, cts = track.duration[lo:hi], track.cts[lo:hi]
            if track.dts[lo] < 0:
                duration, cts = _from_zero(track.dts[lo:hi], duration, cts)
            columns = (duration, track.size[lo:hi], flags, cts)
            video = _traf(self.track_id, track.dts[lo], 0xF01, columns)
        if self.sound is None or heard[0] == heard[1]:
            return video, b""
        lo, hi = heard
        heard_columns = (self.sound.duration[lo:hi], self.sound.size[lo:hi])
        return video, _traf(self.track_id + 1, self.sound.dts[lo], 0x301, heard_columns)

    def _place(
        self, at: int, track: TrackFrames, frames: tuple[int, int], heard: tuple[int, int]
    ) -> None:
        for number, (size, bounds) in enumerate(
            ((track.size, frames), (self.sound.size if self.sound else array("q"), heard))
        ):
            self.firsts[number].append(len(self.places[number]))
            for length in size[slice(*bounds)]:
                self.places[number].append(at)
                at += length

    def table(self, track: TrackFrames) -> FrameTable:
        """Return the frame table of what was laid out, without wall-clock times."""
        for number in (0, 1):
            self.firsts[number].append(len(self.places[number]))
        tracks = [
            TrackFrames(
                track.dts,
                track.size,
                track.duration,
                track.cts,
                track.sync,
                self.places[0],
                self.firsts[0],
            )
        ]
        if self.sound is not None:
            sound = self.sound
            count = len(sound.dts)
            zero, one = array("q", [0]) * count, array("q", [1]) * count
            tracks.append(
                TrackFrames(
                    sound.dts,
                    sound.size,
                    sound.duration,
                    zero,
                    one,
                    self.places[1],
                    self.firsts[1],
                )
            )
        walls = array("q", [0]) * len(self.offsets)
        return FrameTable(self.offsets, self.ends, self.prfts, walls, tuple(tracks))


def _sound_stretches(sound: SoundFrames, heard: tuple[int, int]) -> list[tuple[int, int, int]]:
    found: list[tuple[int, int, int]] = []
    for i in range(*heard):
        source, offset, size = sound.source[i], sound.offset[i], sound.size[i]
        if found and found[-1][0] == source and sum(found[-1][1:]) == offset:
            found[-1] = (source, found[-1][1], found[-1][2] + size)
        else:
            found.append((source, offset, size))
    return found


def _from_zero(
    dts: array[int], duration: array[int], cts: array[int]
) -> tuple[array[int], array[int]]:
    """Let frames that decode before zero, a session's first, decode at zero instead.

    Readers take decode times for unsigned; the table tells what is true.
    """
    for i, at in enumerate(dts):
        if at >= 0:
            break
        late = min(-at, duration[i])
        duration[i] -= late
        cts[i] = max(0, cts[i] + at)
    return duration, cts


def _traf(track_id: int, dts: int, flags: int, columns: Sequence[Sequence[int]]) -> bytes:
    """Build a ``traf``; the four bytes of its data offset, :func:`_moof` fills in."""
    tfhd = full_box("tfhd", 0, 0x020000, struct.pack(">I", track_id))  # default-base-is-moof
    tfdt = full_box("tfdt", 1, 0, struct.pack(">Q", max(0, dts)))
    rows = array("I", (value & 0xFFFFFFFF for row in zip(*columns, strict=True) for value in row))
    rows.byteswap()  # the machines this runs on are little-endian; the file is not
    head = struct.pack(">II", len(columns[0]), 0)
    trun = full_box("trun", 1, flags, head, rows.tobytes())
    return box("traf", tfhd, tfdt, trun)


_RUN_AT = 8 + 16 + 20 + 12 + 4
"""From a ``traf`` to the data offset in its ``trun``: heads, ``tfhd``, ``tfdt``, count."""


def _moof(sequence: int, trafs: Sequence[bytes], sizes: Sequence[int]) -> bytes:
    mfhd = full_box("mfhd", 0, 0, struct.pack(">I", sequence))
    present = [traf for traf in trafs if traf]
    moof = bytearray(box("moof", mfhd, *present))
    at, data = 8 + len(mfhd), len(moof) + 8
    for traf, size in zip(trafs, sizes, strict=False):
        if traf:
            struct.pack_into(">I", moof, at + _RUN_AT, data)
            at += len(traf)
        data += size
    return bytes(moof)


def _prft(track_id: int, prft_ns: int, dts: int) -> bytes:
    if prft_ns < 0:
        return b""
    seconds, rest = divmod(prft_ns, 1_000_000_000)
    fraction = -(-(rest << 32) // 1_000_000_000)  # up, so that reading gives the same ns
    ntp = (seconds + NTP_UNIX_S) << 32 | min(fraction, 0xFFFFFFFF)
    return full_box("prft", 1, 24, struct.pack(">IQq", track_id, ntp, dts))
