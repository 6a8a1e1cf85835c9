"""The index in plain Python: the specification of ``_index.pyx``, function by function.

Only :mod:`recorder.index` imports this.  Functions take buffers and integers and answer
with arrays and codes; they raise ``ValueError`` alone.  Columns are ``array('q')``.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import Any

from recorder._activity_py import activity
from recorder._tables_py import TrackTables

END, TORN, MALFORMED = 0, 1, 2
MAX_SAMPLES = 1 << 20  # of one run; 2 s at 60 fps is 120, of 48 kHz AAC 94
NTP_UNIX_S = 2_208_988_800
NON_SYNC = 0x0001_0000

Columns = tuple[Any, ...]

__all__ = [
    "activity",
    "TrackTables",
    "cut",
    "decode_table",
    "encode_table",
    "locate",
    "pack_ints",
    "scan",
    "unpack_ints",
]


class _Stop(Exception):
    """The scan met something that is not a whole fragment."""


def _u32(buf: Any, at: int) -> int:
    return int.from_bytes(buf[at : at + 4], "big")


def _u64(buf: Any, at: int) -> int:
    return int.from_bytes(buf[at : at + 8], "big")


def _i32(buf: Any, at: int) -> int:
    return int.from_bytes(buf[at : at + 4], "big", signed=True)


def _box(buf: Any, at: int, end: int) -> tuple[bytes, int, int]:
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


def scan(buf: Any, start: int, specs: list[tuple[int, int, int, int]]) -> Columns:
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


def _prft(buf: Any, payload: int, end: int) -> int:
    """Read a producer reference time as ns since the Unix epoch, -1 when malformed."""
    if end - payload < 20:
        return -1
    ntp = _u64(buf, payload + 8)
    seconds = (ntp >> 32) - NTP_UNIX_S
    if seconds < 0:
        return -1
    return seconds * 1_000_000_000 + ((ntp & 0xFFFFFFFF) * 1_000_000_000 >> 32)


def _moof(
    buf: Any, moof: int, at: int, end: int, data: int, data_end: int, tracks: list[_Track]
) -> None:
    cursor = data
    while at < end:
        kind, payload, after = _box(buf, at, end)
        if kind == b"traf":
            cursor = _traf(buf, moof, payload, after, (data, data_end, cursor), tracks)
        at = after


def _traf(
    buf: Any, moof: int, at: int, end: int, data: tuple[int, int, int], tracks: list[_Track]
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
    buf: Any,
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


# -- frame table bytes (docs/design/format.md, section "Frame table") ------------------------


def _put(out: bytearray, value: int) -> None:
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def _zig(value: int) -> int:
    return value << 1 if value >= 0 else (-value << 1) - 1


def _zag(value: int) -> int:
    return -((value + 1) >> 1) if value & 1 else value >> 1


def _fit(value: int) -> int:
    if not -(1 << 63) <= value < 1 << 63:
        raise ValueError("number too large")
    return value


class _Reader:
    def __init__(self, buf: Any) -> None:
        self.buf, self.at, self.end = buf, 0, len(buf)

    def get(self) -> int:
        value: int = 0
        shift = 0
        while True:
            if self.at >= self.end or shift > 63:
                raise ValueError("number runs past the table")
            byte: int = self.buf[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value >= 1 << 64:
                    raise ValueError("number too large")
                return value
            shift += 7

    def zag(self) -> int:
        return _zag(self.get())


def encode_table(
    offsets: Any, ends: Any, prfts: Any, walls: Any, tracks: list[Columns], init_size: int
) -> bytes:
    """Pack fragment and frame columns; see :func:`decode_table` for the inverse."""
    out = bytearray()
    _put(out, len(tracks))
    _put(out, len(offsets))
    last_end, last_prft, last_wall = init_size, 0, 0
    state = [[0, 0, 0, 0] for _ in tracks]  # next dts, size, duration, cts
    for i in range(len(offsets)):
        _put(out, _zig(offsets[i] - last_end))
        _put(out, _zig(ends[i] - offsets[i]))
        _put(out, _zig(prfts[i] - last_prft))
        _put(out, _zig(walls[i] - last_wall))
        last_end, last_prft, last_wall = ends[i], prfts[i], walls[i]
        for columns, now in zip(tracks, state, strict=True):
            dts, size, duration, cts, sync, offset, first = columns
            lo, hi = first[i], first[i + 1]
            _put(out, hi - lo)
            expected = offsets[i]
            for j in range(lo, hi):
                jump = offset[j] != expected
                late = dts[j] != now[0]
                token = (
                    _zig(size[j] - now[1]) << 5
                    | (late << 4)
                    | (jump << 3)
                    | ((cts[j] != now[3]) << 2)
                    | ((duration[j] != now[2]) << 1)
                    | (sync[j] != 0)
                )
                _put(out, token)
                if duration[j] != now[2]:
                    _put(out, _zig(duration[j] - now[2]))
                if cts[j] != now[3]:
                    _put(out, _zig(cts[j] - now[3]))
                if jump:
                    _put(out, _zig(offset[j] - expected))
                if late:
                    _put(out, _zig(dts[j] - now[0]))
                now[0], now[1], now[2], now[3] = dts[j] + duration[j], size[j], duration[j], cts[j]
                expected = offset[j] + size[j]
    return bytes(out)


def decode_table(buf: Any, init_size: int) -> Columns:
    """Unpack a frame table: ``(offsets, ends, prfts, walls, tracks, stop)``.

    ``stop`` is the byte after it; what follows is not read.
    Raises: ``ValueError`` for bytes no table packs to.
    """
    reader = _Reader(buf)
    n_tracks, n_fragments = reader.get(), reader.get()
    if n_tracks > 64 or n_fragments > len(buf):
        raise ValueError("implausible counts")
    offsets, ends, prfts, walls = array("q"), array("q"), array("q"), array("q")
    tracks: list[Columns] = [tuple(array("q") for _ in range(7)) for _ in range(n_tracks)]
    state = [[0, 0, 0, 0] for _ in tracks]
    last_end, last_prft, last_wall = init_size, 0, 0
    for _ in range(n_fragments):
        begin = _fit(last_end + reader.zag())
        last_end = _fit(begin + reader.zag())
        last_prft = _fit(last_prft + reader.zag())
        last_wall = _fit(last_wall + reader.zag())
        if begin < 0 or last_end < begin:
            raise ValueError("fragment ends before it starts")
        for column, value in zip(
            (offsets, ends, prfts, walls), (begin, last_end, last_prft, last_wall), strict=True
        ):
            column.append(value)
        for columns, now in zip(tracks, state, strict=True):
            _decode_run(reader, columns, now, begin)
    for columns in tracks:
        columns[6].append(len(columns[0]))
    return offsets, ends, prfts, walls, tracks, reader.at


def _decode_run(reader: _Reader, columns: Columns, now: list[int], expected: int) -> None:
    dts, size, duration, cts, sync, offset, first = columns
    first.append(len(dts))
    count = reader.get()
    if count > reader.end - reader.at:
        raise ValueError("implausible counts")
    for _ in range(count):
        token = reader.get()
        now[1] = _fit(now[1] + _zag(token >> 5))
        if token & 2:
            now[2] = _fit(now[2] + reader.zag())
        if token & 4:
            now[3] = _fit(now[3] + reader.zag())
        if token & 8:
            expected = _fit(expected + reader.zag())
        if token & 16:
            now[0] = _fit(now[0] + reader.zag())
        if now[1] < 0 or now[2] < 0 or expected < 0:
            raise ValueError("negative size")
        dts.append(now[0])
        size.append(now[1])
        duration.append(now[2])
        cts.append(now[3])
        sync.append(token & 1)
        offset.append(expected)
        now[0] = _fit(now[0] + now[2])
        expected = _fit(expected + now[1])


def pack_ints(values: Any) -> bytes:
    """Pack a column as zig-zag varint deltas."""
    out = bytearray()
    last = 0
    for value in values:
        _put(out, _zig(value - last))
        last = value
    return bytes(out)


def unpack_ints(buf: Any) -> array[int]:
    """Unpack a column packed by :func:`pack_ints`; ``ValueError`` when torn."""
    reader, values, last = _Reader(buf), array("q"), 0
    while reader.at < reader.end:
        last = _fit(last + reader.zag())
        values.append(last)
    return values


# -- time ------------------------------------------------------------------------------------


def locate(starts: Any, t: int) -> int:
    """Return the last ``i`` with ``starts[i] <= t``, or -1 when ``t`` is before all."""
    found: int = bisect_right(starts, t) - 1
    return found


def cut(dts: Any, cts: Any, duration: Any, sync: Any, span: tuple[int, int]) -> tuple[int, ...]:
    """Choose the frames whose presentation time lies in ``[span[0], span[1])``.

    Returns ``(clean, stop, first_pts, last_pts, last_end, shown)``: decode frames
    ``[clean, stop)``, of which ``shown`` from ``first_pts`` to ``last_end`` are shown; six
    zeros when there are none.  ``clean`` is the last clean point from which the first frame
    decodes (``sync``: see :class:`recorder.index.TrackFrames`), else 0.
    """
    low, high = span
    lo = hi = -1
    first = last = end = shown = 0
    for i in range(len(dts)):
        pts = dts[i] + cts[i]
        if low <= pts < high:
            shown += 1
            if lo < 0:
                lo, first, last, end = i, pts, pts, pts + duration[i]
            hi = i
            first = min(first, pts)
            if pts > last:
                last, end = pts, pts + duration[i]
    if lo < 0:
        return 0, 0, 0, 0, 0, 0
    clean = lo
    while clean > 0 and not (
        sync[clean] and dts[clean] + cts[clean] + max(0, sync[clean] - 2) <= first
    ):
        clean -= 1
    return clean, hi + 1, first, last, end, shown
