"""The sample tables of a clip in plain Python: the specification of ``_index.TrackTables``."""

from __future__ import annotations

import struct
from array import array
from typing import Any

Columns = tuple[Any, ...]


class TrackTables:
    """The sample tables of one track of a clip, grown run by run.

    After :meth:`close`: ``stts`` and ``ctts`` hold (count, value) pairs, ``stss`` the numbers
    of the clean points whose own picture is whole, ``stsz`` sizes, all big-endian; ``chunks``
    are columns ``part``, ``offset``, ``length``, ``samples`` of stretches of source bytes.
    """

    def __init__(self) -> None:
        self.stsz, self.stss = bytearray(), bytearray()
        self.stts, self.ctts = bytearray(), bytearray()
        self.chunks = tuple(array("q") for _ in range(4))
        self.samples = 0
        self.ticks = 0
        self.syncs = 0
        self.has_ctts = False
        self._stts_run, self._ctts_run = [0, 0], [0, 0]
        self._next = (-1, -1)

    def add(self, part: int, columns: Columns, lo: int, hi: int, last_duration: int) -> None:
        """Append frames ``[lo, hi)`` of one source file.

        ``last_duration`` replaces the last frame's duration when not negative: how a
        piece is made to end exactly where the next begins.
        """
        _, size, duration, cts, sync, offset = columns[:6]
        for i in range(lo, hi):
            length = duration[i]
            if i == hi - 1 and last_duration >= 0:
                length = last_duration
            self.samples += 1
            self.ticks += length
            self.stsz += struct.pack(">I", size[i])
            if 0 < sync[i] <= 2:
                self.syncs += 1
                self.stss += struct.pack(">I", self.samples)
            self._run(self._stts_run, self.stts, length)
            self._run(self._ctts_run, self.ctts, cts[i])
            self.has_ctts |= cts[i] != 0
            self._chunk(part, offset[i], size[i])

    def _run(self, run: list[int], out: bytearray, value: int) -> None:
        if run[0] and run[1] == value:
            run[0] += 1
            return
        if run[0]:
            out += struct.pack(">II", run[0], run[1] & 0xFFFFFFFF)
        run[0], run[1] = 1, value

    def _chunk(self, part: int, offset: int, size: int) -> None:
        parts, offsets, lengths, samples = self.chunks
        if self._next == (part, offset):
            lengths[-1] += size
            samples[-1] += 1
        else:
            parts.append(part)
            offsets.append(offset)
            lengths.append(size)
            samples.append(1)
        self._next = (part, offset + size)

    def close(self) -> None:
        """Write out the runs still open."""
        for run, out in ((self._stts_run, self.stts), (self._ctts_run, self.ctts)):
            if run[0]:
                out += struct.pack(">II", run[0], run[1] & 0xFFFFFFFF)
                run[0] = 0
