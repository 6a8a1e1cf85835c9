"""NAL units of H.264 and H.265 samples: from when on frames decode after a clean point.  Pure.

Source: ISO/IEC 14496-15 (avcC 5.3.3, hvcC 8.3.3); ITU-T H.264 7.3.1, 7.4.1 (NAL unit types),
D.1.8 (recovery point SEI); ITU-T H.265 7.3.1.2, 7.4.2.2, D.2.8.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from operator import sub

from recorder.bmff.boxes import find
from recorder.errors import MalformedMedia
from recorder.index import OPEN, FrameTable, TrackFrames
from recorder.model.buffers import Buffer
from recorder.model.media import InitInfo, TrackInfo

MOST_UNITS = 64
"""An access unit has a handful before its first slice."""
_MOST_SEI = 1 << 14
_MOST_RECOVERY = 1024
"""A refresh takes a second or so; a greater number says nothing."""
_RECOVERY_POINT = 6
_AVC_SLICES, _AVC_IDR, _AVC_SEI = (1, 2, 5), 5, 6
_HEVC_IDR_OR_BLA, _HEVC_CRA, _HEVC_RASL, _HEVC_SEI = range(16, 21), 21, (8, 9), 39


def length_size(track: TrackInfo) -> int | None:
    """Return how many bytes give a NAL unit's length; ``None`` when it is no such codec."""
    kind = track.codec[:4]
    name, at = ("hvcC", 21) if kind in ("hvc1", "hev1") else ("avcC", 4)
    if name == "avcC" and kind not in ("avc1", "avc3"):
        return None
    try:
        entry = find(track.entry, 8, len(track.entry), kind)
        config = entry and find(track.entry, entry[0] + 78, entry[1], name)
    except MalformedMedia:
        return None
    if not config or config[1] - config[0] <= at:
        return None
    return (track.entry[config[0] + at] & 3) + 1


def units(buf: Buffer, at: int, end: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield begin and end of the NAL units in ``[at, end)``; the last may be cut off there."""
    for _ in range(MOST_UNITS):
        begin = at + size
        if begin >= end:
            return
        at = begin + int.from_bytes(buf[at:begin], "big")
        if at <= begin:
            return
        yield begin, min(at, end)
        if at > end:
            return


def mark_clean_points(buf: Buffer, init: InitInfo, table: FrameTable) -> FrameTable:
    """Say of each clean point of the lead track from when on frames decode after it."""
    lead = init.tracks.index(init.lead)
    size = length_size(init.lead)
    if size is None or not any(table.tracks[lead].sync):
        return table
    kind = _Avc if init.lead.codec.startswith("avc") else _Hevc
    track = table.tracks[lead]
    sync = kind(buf, track, size).column()
    if sync == track.sync:
        return table
    tracks = list(table.tracks)
    tracks[lead] = replace(track, sync=sync)
    return replace(table, tracks=tuple(tracks))


@dataclass(slots=True)
class _Reader:
    """Reads the access units of one track, as few of them as will do."""

    buf: Buffer
    track: TrackFrames
    size: int

    def column(self) -> array[int]:
        """Return the ``sync`` column, its ones replaced where a GOP is not closed."""
        found = array("q", self.track.sync)
        reorders = len(set(self.track.cts)) > 1
        for i, clean in enumerate(self.track.sync):
            if clean and not self.closed(i):
                later = self.recovery(i)
                alone = reorders and next(self.leading(i), None) is None
                if later or alone or self.leads(i):
                    found[i] = OPEN + later
        return found

    def closed(self, i: int) -> bool:
        """Tell whether no frame after this one needs a frame before it."""
        raise NotImplementedError

    def recovery(self, i: int) -> int:
        """Return how many ticks after this frame the pictures are whole."""
        raise NotImplementedError

    def leads(self, i: int) -> bool:
        """Tell whether frames follow this one that are shown before it."""
        return next(self.leading(i), None) is not None

    def leading(self, i: int) -> Iterator[int]:
        """Yield the frames that follow a clean point and are shown before it."""
        track = self.track
        shown = track.dts[i] + track.cts[i]
        for j in range(i + 1, len(track.dts)):
            if track.sync[j] or track.dts[j] >= shown:
                return
            if track.dts[j] + track.cts[j] < shown:
                yield j

    def units_of(self, i: int) -> Iterator[tuple[int, int]]:
        """Yield the NAL units of a frame, as far as they lie in the file."""
        begin = self.track.offset[i]
        return units(self.buf, begin, min(len(self.buf), begin + self.track.size[i]), self.size)

    def shown_at(self, i: int) -> int:
        """Return a frame's presentation time."""
        return self.track.dts[i] + self.track.cts[i]


class _Avc(_Reader):
    """H.264: a clean point is an IDR picture, or carries a recovery point SEI."""

    _references: array[int] | None = None

    def closed(self, i: int) -> bool:
        return self._slice(i) & 31 not in (1, 2)

    def _slice(self, i: int) -> int:
        """Return the first byte of a frame's first slice, 0 without one."""
        for begin, _ in self.units_of(i):
            if self.buf[begin] & 31 in _AVC_SLICES:
                return int(self.buf[begin])
        return 0

    def recovery(self, i: int) -> int:
        frames = 0
        for begin, end in self.units_of(i):
            kind = self.buf[begin] & 31
            if kind in _AVC_SLICES:
                break
            if kind == _AVC_SEI:
                frames = frames or _recovery_count(
                    self.buf[begin + 1 : min(end, begin + _MOST_SEI)]
                )
        return max(0, self._recovered(i, frames) - self.shown_at(i)) if frames > 0 else 0

    def _recovered(self, i: int, frames: int) -> int:
        """Return when the reference picture is shown whose ``frame_num`` is ``frames`` higher.

        Beyond the file's end they are taken to follow as slowly as they ever do in it.
        """
        if self._references is None:
            self._references = array(
                "q", (j for j in range(len(self.track.dts)) if self._slice(j) & 0x60)
            )
        references = self._references
        wanted = bisect_left(references, i) + frames
        if wanted < len(references):
            return self.shown_at(references[wanted])
        shown = [self.shown_at(j) for j in references]
        apart = max(map(sub, shown[1:], shown), default=self.track.duration[i])
        return shown[-1] + (wanted - len(references) + 1) * apart if shown else 0


class _Hevc(_Reader):
    """H.265: a clean point is an IDR, BLA or CRA picture, or carries a recovery point SEI."""

    def closed(self, i: int) -> bool:
        kind = self._slice(i)
        return kind < 0 or kind in _HEVC_IDR_OR_BLA

    def _slice(self, i: int) -> int:
        """Return the type of a frame's first slice, -1 without one."""
        for begin, _ in self.units_of(i):
            kind = self.buf[begin] >> 1 & 63
            if kind < 32:
                return int(kind)
        return -1

    def leads(self, i: int) -> bool:
        """Tell whether skipped leading pictures follow; decodable ones need nothing before."""
        if self._slice(i) != _HEVC_CRA:
            return next(self.leading(i), None) is not None
        return any(self._slice(j) in _HEVC_RASL for j in self.leading(i))

    def recovery(self, i: int) -> int:
        if self._slice(i) == _HEVC_CRA:
            return 0
        pictures = 0
        for begin, end in self.units_of(i):
            kind = self.buf[begin] >> 1 & 63
            if kind < 32:
                break
            if kind == _HEVC_SEI:
                count = _recovery_count(self.buf[begin + 2 : min(end, begin + _MOST_SEI)])
                pictures = pictures or (count + 1 >> 1 if count & 1 else -(count >> 1))
        if pictures <= 0:
            return 0
        shown = sorted(map(self.shown_at, range(len(self.track.dts))))
        at = bisect_left(shown, self.shown_at(i)) + pictures
        beyond = max(0, at - len(shown) + 1) * self.track.duration[-1]
        return max(0, shown[min(at, len(shown) - 1)] - self.shown_at(i)) + beyond


def _recovery_count(sei: Buffer) -> int:
    """Return the Exp-Golomb number a recovery point SEI begins with; 0 where there is none."""
    body = bytes(sei).replace(b"\0\0\3", b"\0\0")  # emulation prevention
    at = 0
    while at + 2 < len(body):
        values = []
        for _ in range(2):  # payload type, payload size
            value = 0
            while at < len(body) and body[at] == 255:
                value, at = value + 255, at + 1
            if at == len(body):
                return 0
            values.append(value + body[at])
            at += 1
        if values[0] == _RECOVERY_POINT:
            found = _exp_golomb(body[at : at + min(values[1], 8)])
            return found if found <= _MOST_RECOVERY else 0
        at += values[1]
    return 0


def _exp_golomb(body: bytes) -> int:
    """Read ``ue(v)``; 0 when it is torn.

    >>> _exp_golomb(bytes([0b00001001, 0b10000000]))
    18
    """
    bits = int.from_bytes(body, "big")
    length = 8 * len(body)
    zeros = length - bits.bit_length()
    if 2 * zeros + 1 > length or not bits:
        return 0
    return (bits >> length - 2 * zeros - 1) - 1
