"""The index: scan boxes, pack frame tables, locate times, gather a clip's sample tables.

The one importer of the compiled ``_index`` and of its twin ``_index_py``; chooses (the
compiled one unless ``SPANSTORE_PURE=1`` or it is absent), checks, and turns codes into
errors.
"""

from __future__ import annotations

import os
from array import array
from dataclasses import dataclass
from operator import add
from types import ModuleType
from typing import Any

from recorder import _index_py
from recorder.errors import IndexCorrupt, MalformedMedia
from recorder.model.buffers import Buffer
from recorder.model.media import InitInfo

_impl: ModuleType = _index_py
if os.environ.get("SPANSTORE_PURE") != "1":
    try:
        from recorder import _index as _impl
    except ImportError:
        _impl = _index_py

COMPILED = _impl is not _index_py
END, TORN, MALFORMED = _index_py.END, _index_py.TORN, _index_py.MALFORMED
CLOSED, OPEN = 1, 2
"""Of a clean point: all that follows it decodes; only frames shown no earlier, or later still."""


@dataclass(frozen=True, slots=True)
class TrackFrames:
    """The frames of one track of one file, in decode order.

    ``sync`` is 0, or tells a clean point: ``CLOSED``, or ``OPEN + n`` when decoding that starts
    there makes whole pictures only from ``n`` ticks after its presentation.
    Shape: every column an ``array('q')`` as long as there are frames, but ``first``, one
    longer than there are fragments: fragment ``i`` holds frames ``first[i]:first[i+1]``.
    Units: ``dts``, ``duration``, ``cts`` in ticks; ``size``, ``offset`` in bytes.
    """

    dts: array[int]
    size: array[int]
    duration: array[int]
    cts: array[int]
    sync: array[int]
    offset: array[int]
    first: array[int]

    def columns(self) -> tuple[array[int], ...]:
        """The columns as the compiled functions take them."""
        return (
            self.dts,
            self.size,
            self.duration,
            self.cts,
            self.sync,
            self.offset,
            self.first,
        )

    def presentation(self) -> tuple[int, int]:
        """Presentation time of the frame shown first, and the end of the frame shown last.

        Both are by presentation: files adjoin so, whatever their decode times, which for a
        session's first frames are ffmpeg's guess, and though a file's first frame may be
        shown after others that are decoded from the file before.
        """
        if not self.dts:
            return (0, 0)
        if self.cts.count(0) == len(self.cts):
            return (self.dts[0], self.dts[-1] + self.duration[-1])
        shown = list(map(add, self.dts, self.cts))
        return (min(shown), max(map(add, shown, self.duration)))

    def ready(self, i: int) -> int:
        """Presentation time from which on pictures are whole when decoding starts at ``i``."""
        return self.dts[i] + self.cts[i] + max(0, self.sync[i] - OPEN)

    @property
    def dts_end(self) -> int:
        """Decode time of the frame that would follow the last."""
        return self.dts[-1] + self.duration[-1] if self.dts else 0


@dataclass(frozen=True, slots=True)
class FrameTable:
    """All fragments and frames of one file.

    Shape: ``offsets``, ``ends``, ``prfts``, ``walls`` have one entry per fragment.
    Units: bytes; ns since the epoch, ``prfts`` -1 where absent.
    """

    offsets: array[int]
    ends: array[int]
    prfts: array[int]
    walls: array[int]
    tracks: tuple[TrackFrames, ...]

    @property
    def frames(self) -> int:
        """Frames of all tracks together."""
        return sum(len(track.dts) for track in self.tracks)

    def slice(self, begin: int, end: int) -> FrameTable:
        """Return the table of the fragments ``[begin, end)`` only."""
        tracks = []
        for track in self.tracks:
            lo, hi = track.first[begin], track.first[end]
            dts, size, duration, cts, sync, offset = (c[lo:hi] for c in track.columns()[:6])
            first = array("q", (at - lo for at in track.first[begin : end + 1]))
            tracks.append(TrackFrames(dts, size, duration, cts, sync, offset, first))
        return FrameTable(
            self.offsets[begin:end],
            self.ends[begin:end],
            self.prfts[begin:end],
            self.walls[begin:end],
            tuple(tracks),
        )


@dataclass(frozen=True, slots=True)
class Scan:
    """What a scan found: the table of whole fragments, where they stop, and why."""

    table: FrameTable
    stop: int
    reason: int

    @property
    def whole(self) -> bool:
        """Tell whether everything that was there could be read."""
        return self.reason == END


def scan(buf: Buffer, init: InitInfo, start: int | None = None) -> Scan:
    """Find the whole fragments of a file whose init segment is known.

    ``start`` is a byte where a fragment begins; by default the end of the init segment.
    """
    specs = [(track.track_id, *track.defaults) for track in init.tracks]
    begin = init.size if start is None else start
    try:
        offsets, ends, prfts, tracks, stop, reason = _impl.scan(buf, begin, specs)
    except ValueError as exc:
        raise MalformedMedia(f"scan from byte {begin}: {exc}") from exc
    walls = array("q", [0]) * len(offsets)
    found = tuple(TrackFrames(*columns) for columns in tracks)
    return Scan(FrameTable(offsets, ends, prfts, walls, found), stop, reason)


def encode(table: FrameTable, init_size: int) -> bytes:
    """Pack a frame table for a footer."""
    packed: bytes = _impl.encode_table(
        table.offsets,
        table.ends,
        table.prfts,
        table.walls,
        [track.columns() for track in table.tracks],
        init_size,
    )
    opens: bytes = _impl.pack_ints(_open_points(table))
    return packed + opens


def is_open(table: FrameTable) -> bool:
    """Tell whether some clean point is not ``CLOSED``, so that :func:`encode` says more."""
    return any(max(track.sync, default=0) > CLOSED for track in table.tracks)


def _open_points(table: FrameTable) -> array[int]:
    """List track, frame and ``sync`` of every clean point that is not closed."""
    found = array("q")
    for number, track in enumerate(table.tracks):
        if max(track.sync, default=0) > CLOSED:
            for i, sync in enumerate(track.sync):
                if sync > CLOSED:
                    found.extend((number, i, sync))
    return found


def decode(packed: bytes | memoryview, init_size: int) -> FrameTable:
    """Unpack a frame table.

    Raises: ``IndexCorrupt`` when the bytes are not one.
    """
    try:
        offsets, ends, prfts, walls, tracks, stop = _impl.decode_table(packed, init_size)
        opens = _impl.unpack_ints(bytes(packed[stop:])) if stop < len(packed) else ()
        for number, i, sync in zip(opens[::3], opens[1::3], opens[2::3], strict=True):
            if sync <= CLOSED or number < 0 or i < 0 or not tracks[number][4][i]:
                raise ValueError("an open point that is no clean point")
            tracks[number][4][i] = sync
    except (ValueError, IndexError) as exc:
        raise IndexCorrupt(f"frame table of {len(packed)} bytes: {exc}") from exc
    found = tuple(TrackFrames(*columns) for columns in tracks)
    return FrameTable(offsets, ends, prfts, walls, found)


def pack_ints(columns: array[int]) -> bytes:
    """Pack small whole numbers."""
    packed: bytes = _impl.pack_ints(columns)
    return packed


def unpack_ints(packed: bytes) -> Any:
    """Unpack what :func:`pack_ints` made.

    Raises: ``ValueError`` and the like when it made something else.
    """
    return _impl.unpack_ints(packed)


def locate(starts: array[int], t: int) -> int:
    """Return the last ``i`` with ``starts[i] <= t``, or -1 when ``t`` is before all."""
    found: int = _impl.locate(starts, t)
    return found


@dataclass(frozen=True, slots=True)
class FrameCut:
    """Frames of one track for a stretch of presentation time.

    Decode frames ``[clean, stop)``; ``shown`` of them, from ``first_pts`` up to ``end_pts``,
    are shown.
    """

    clean: int
    stop: int
    first_pts: int
    last_pts: int
    end_pts: int
    shown: int

    @property
    def empty(self) -> bool:
        """Tell whether no frame is shown."""
        return self.stop == 0


def cut(track: TrackFrames, low_ticks: int, high_ticks: int) -> FrameCut:
    """Choose the frames whose presentation time lies in ``[low_ticks, high_ticks)``."""
    span = (max(low_ticks, -(1 << 62)), min(high_ticks, 1 << 62))
    return FrameCut(*_impl.cut(track.dts, track.cts, track.duration, track.sync, span))


MOTION = 24
"""From this score on a fragment hints at motion: three times as far from the quiet scene as
is usual (hits and false hints: bench ``activity``)."""


def activity(track: TrackFrames, state: tuple[int, int]) -> tuple[bytes, tuple[int, int]]:
    """Score how unusual each fragment's predicted frames are, one byte each, 0 to 255.

    ``state`` is that after the file before, ``(0, 0)`` at the start; returned for the next.
    """
    scores, base, spread = _impl.activity(track.size, track.sync, track.first, *state)
    return scores, (base, spread)


def track_tables() -> object:
    """Make an empty :class:`recorder._index_py.TrackTables` of the chosen implementation."""
    return _impl.TrackTables()


def self_test() -> None:
    """Prove on this machine that the compiled index agrees with its twin.

    Raises: ``IndexCorrupt`` when it does not: a broken build must not record.
    """
    column = array("q", range(0, 900_000, 3_600))
    size = array("q", [40_000 if i % 50 == 0 else 900 + 7 * i for i in range(len(column))])
    same, zero = array("q", [3_600]) * len(column), array("q", [0]) * len(column)
    sync = array("q", [int(i % 50 == 0) for i in range(len(column))])
    offset, at = array("q"), 1_000
    for value in size:
        offset.append(at)
        at += value
    tracks = [(column, size, same, zero, sync, offset, array("q", [0, len(column)]))]
    one = [array("q", [value]) for value in (900, at, -1, 7)]
    packed = [twin.encode_table(*one, tracks, 900) for twin in (_impl, _index_py)]
    back = [twin.decode_table(packed[0], 900) for twin in (_impl, _index_py)]
    if packed[0] != packed[1] or back[0] != back[1] or back[0][4] != tracks:
        raise IndexCorrupt("compiled index and twin disagree", hint="rebuild it: make setup")
