"""The index in plain Python: the specification of ``_index.pyx``, function by function.

Only :mod:`recorder.index` imports this.  Functions take buffers and integers and answer
with arrays and codes; they raise ``ValueError`` alone.  Columns are ``array('q')``.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import Any

from recorder._activity_py import activity
from recorder._scan_py import END, MALFORMED, MAX_SAMPLES, TORN, Columns, scan
from recorder._tables_py import TrackTables
from recorder.model.buffers import Buffer

__all__ = [
    "END",
    "MALFORMED",
    "MAX_SAMPLES",
    "TORN",
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
    def __init__(self, buf: Buffer) -> None:
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


def decode_table(buf: Buffer, init_size: int) -> Columns:
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


def unpack_ints(buf: Buffer) -> array[int]:
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
