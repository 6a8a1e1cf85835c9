"""The scan in plain Python: boxes of a file, to columns of its frames."""

from __future__ import annotations

from array import array
from typing import Any

from recorder.model.buffers import Buffer

END, TORN, MALFORMED = 0, 1, 2
MAX_SAMPLES = 1 << 20  # of one run; 2 s at 60 fps is 120, of 48 kHz AAC 94


NTP_UNIX_S = 2_208_988_800


NON_SYNC = 0x0001_0000


Columns = tuple[Any, ...]


class _Stop(Exception):
    """The scan met something that is not a whole fragment."""


def _u32(buf: Buffer, at: int) -> int:
    return int.from_bytes(buf[at : at + 4], "big")


def _u64(buf: Buffer, at: int) -> int:
    return int.from_bytes(buf[at : at + 8], "big")


def _i32(buf: Buffer, at: int) -> int:
    return int.from_bytes(buf[at : at + 4], "big", signed=True)


def _box(buf: Buffer, at: int, end: int) -> tuple[bytes, int, int]:
    """Return type, payload start and end of the box at ``at``; it must fit before ``end``."""
    if end - at < 8:
        raise _Stop
    size, head = _u32(buf, at), 8
    if size == 1:
        if end - at < 16:
            raise _Stop
        size, head = _u64(buf, at + 8), 16
    if size < head or size > end - at:
        raise _Stop
    return bytes(buf[at + 4 : at + 8]), at + head, at + size


class _Track:
    def __init__(self, track_id: int, duration: int, size: int, flags: int) -> None:
        self.track_id = track_id
        self.defaults = (duration, size, flags)
        self.next_dts = 0
        self.rows: list[tuple[int, int, int, int, int, int]] = []
        self.first = array("q")


def scan(buf: Buffer, start: int, specs: list[tuple[int, int, int, int]]) -> Columns:
    """Walk the fragments of a file from byte ``start``.

    ``specs``: per track its id and ``trex`` default duration, size, flags.
    Returns ``(offsets, ends, prfts, tracks, stop, reason)``: columns of the whole
    fragments, per track ``(dts, size, duration, cts, sync, offset, first)``, the byte
    after the last whole fragment, and ``END``, ``TORN`` or ``MALFORMED``.
    ``first[i]`` is the index of the first frame of fragment ``i`` (one more than
    fragments).  No length in the file is trusted.
    """
    total = len(buf)
    if start < 0 or start > total:
        raise ValueError("start outside the buffer")
    tracks = [_Track(*spec) for spec in specs]
    offsets, ends, prfts = array("q"), array("q"), array("q")
    at = begin = stop = start
    prft, reason = -1, END
    while at < total:
        try:
            kind, payload, after = _box(buf, at, total)
        except _Stop:
            reason = TORN
            break
        if kind == b"mfra":
            break
        if kind == b"prft":
            prft = _prft(buf, payload, after)
        elif kind == b"moof":
            marks = [len(track.rows) for track in tracks]
            dts = [track.next_dts for track in tracks]
            try:
                mdat, data, data_end = _box(buf, after, total)
            except _Stop:
                reason = TORN
                break
            try:
                if mdat != b"mdat":
                    raise _Stop
                _moof(buf, at, payload, after, data, data_end, tracks)
            except _Stop:
                for track, mark, value in zip(tracks, marks, dts, strict=True):
                    del track.rows[mark:]
                    track.next_dts = value
                reason = MALFORMED
                break
            for track, mark in zip(tracks, marks, strict=True):
                track.first.append(mark)
            offsets.append(begin)
            ends.append(data_end)
            prfts.append(prft)
            prft, at, begin, stop = -1, data_end, data_end, data_end
            continue
        at = after
        if kind != b"prft":
            begin, prft = at, -1
    return offsets, ends, prfts, [_columns(track) for track in tracks], stop, reason


def _columns(track: _Track) -> Columns:
    track.first.append(len(track.rows))
    columns = [array("q", column) for column in zip(*track.rows, strict=True)]
    columns = columns or [array("q") for _ in range(6)]
    return (*columns, track.first)


def _prft(buf: Buffer, payload: int, end: int) -> int:
    """Read a producer reference time as ns since the Unix epoch, -1 when malformed."""
    if end - payload < 20:
        return -1
    ntp = _u64(buf, payload + 8)
    seconds = (ntp >> 32) - NTP_UNIX_S
    if seconds < 0:
        return -1
    return seconds * 1_000_000_000 + ((ntp & 0xFFFFFFFF) * 1_000_000_000 >> 32)


def _moof(
    buf: Buffer, moof: int, at: int, end: int, data: int, data_end: int, tracks: list[_Track]
) -> None:
    cursor = data
    while at < end:
        kind, payload, after = _box(buf, at, end)
        if kind == b"traf":
            cursor = _traf(buf, moof, payload, after, (data, data_end, cursor), tracks)
        at = after


def _traf(
    buf: Buffer, moof: int, at: int, end: int, data: tuple[int, int, int], tracks: list[_Track]
) -> int:
    low, high, cursor = data
    track: _Track | None = None
    base = moof
    duration = size = flags = 0
    seen = False
    while at < end:
        kind, p, after = _box(buf, at, end)
        if kind == b"tfhd":
            if after - p < 8:
                raise _Stop
            bits, track_id = _u32(buf, p) & 0xFFFFFF, _u32(buf, p + 4)
            track = next((t for t in tracks if t.track_id == track_id), None)
            duration, size, flags = track.defaults if track else (0, 0, 0)
            need = 8 * (bits & 1) + 4 * bin(bits & 0x3A).count("1")
            if after - p < 8 + need:
                raise _Stop
            q = p + 8
            if bits & 0x01:
                base, q = _u64(buf, q), q + 8
            if bits & 0x02:
                q += 4
            if bits & 0x08:
                duration, q = _u32(buf, q), q + 4
            if bits & 0x10:
                size, q = _u32(buf, q), q + 4
            if bits & 0x20:
                flags = _u32(buf, q)
            seen = True
        elif kind == b"tfdt" and track is not None:
            if after - p < 8 or (buf[p] == 1 and after - p < 12):
                raise _Stop
            value = _u64(buf, p + 4) if buf[p] == 1 else _u32(buf, p + 4)
            if value >> 63:  # a start before zero, as ffmpeg writes it for B-frames
                value -= 1 << 64
            if abs(value) > 1 << 61:
                raise _Stop
            track.next_dts = value
        elif kind == b"trun":
            if not seen:
                raise _Stop
            if track is not None:
                defaults = (base, duration, size, flags)
                cursor = _trun(buf, p, after, (low, high, cursor), defaults, track)
        at = after
    return cursor


def _trun(
    buf: Buffer,
    p: int,
    end: int,
    data: tuple[int, int, int],
    defaults: tuple[int, int, int, int],
    track: _Track,
) -> int:
    low, high, cursor = data
    base, duration, size, default_flags = defaults
    if end - p < 8:
        raise _Stop
    version, bits, count = buf[p], _u32(buf, p) & 0xFFFFFF, _u32(buf, p + 4)
    q = p + 8
    head = 4 * ((bits & 1) + (bits >> 2 & 1))
    each = 4 * bin(bits & 0xF00).count("1")
    if count > MAX_SAMPLES or end - q < head + each * count:
        raise _Stop
    first_flags = -1
    if bits & 0x01:
        cursor, q = base + _i32(buf, q), q + 4
    if bits & 0x04:
        first_flags, q = _u32(buf, q), q + 4
    for index in range(count):
        length, bytes_, flag, cts = duration, size, default_flags, 0
        if bits & 0x100:
            length, q = _u32(buf, q), q + 4
        if bits & 0x200:
            bytes_, q = _u32(buf, q), q + 4
        if bits & 0x400:
            flag, q = _u32(buf, q), q + 4
        elif index == 0 and first_flags >= 0:
            flag = first_flags
        if bits & 0x800:
            cts, q = (_i32(buf, q) if version else _u32(buf, q)), q + 4
        if cursor < low or bytes_ > high - cursor:
            raise _Stop
        sync = 0 if flag & NON_SYNC else 1
        track.rows.append((track.next_dts, bytes_, length, cts, sync, cursor))
        track.next_dts += length
        cursor += bytes_
    return cursor
