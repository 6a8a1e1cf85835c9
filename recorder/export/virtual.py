"""A file that is never written: a computed header, then byte ranges of stored segments.

Its length and ETag are known before the first byte is sent, any range of it can be read,
and reading holds one block at a time.
"""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TypeAlias

from recorder.model.media import Segment
from recorder.reading.extent import Blocks, Extent

SegmentReader: TypeAlias = Callable[[Segment, int, int], Blocks]
"""Yields exactly ``length`` bytes of a segment from ``offset``, wherever they are."""


@dataclass(slots=True)
class VirtualFile:
    """Header, then chunks.

    Shape: ``parts``, ``offsets``, ``lengths`` are columns, one entry per chunk, in the order
    of the file; ``parts`` point into ``segments``.
    """

    header: bytes
    segments: Sequence[Segment]
    parts: array[int]
    offsets: array[int]
    lengths: array[int]
    starts: array[int] = field(init=False)
    size: int = field(init=False)
    _etag: str = field(init=False, default="")

    def __post_init__(self) -> None:
        self.starts = array("q", accumulate(self.lengths, initial=len(self.header)))
        self.size = self.starts.pop()

    @property
    def etag(self) -> str:
        """A strong ETag: header, and which bytes of which objects follow."""
        if not self._etag:
            self._etag = self._digest()
        return self._etag

    def _digest(self) -> str:
        digest = hashlib.sha256(self.header)
        for column in (self.parts, self.offsets, self.lengths):
            digest.update(column.tobytes())
        for segment in self.segments:
            name = segment.digest or f"{segment.writer}/{segment.media_start}"
            digest.update(f"{segment.stream}/{name}\n".encode())
        return f'"{digest.hexdigest()[:40]}"'

    def read(self, start: int, end: int, reader: SegmentReader) -> Blocks:
        """Yield the bytes ``[start, end)`` of the file.

        Chunks near one another in one segment are fetched by one request; what lies
        between them (fragment headers) is dropped on the way.
        """
        end = min(end, self.size)
        if start < len(self.header) and start < end:
            yield self.header[start : min(end, len(self.header))]
            start = len(self.header)
        i = max(0, bisect_right(self.starts, start) - 1)
        while start < end and i < len(self.starts):
            j = self._reach(i, end)
            yield from self._fetch(i, j, start, end, reader)
            i = j
            start = self.starts[j] if j < len(self.starts) else self.size

    def _reach(self, i: int, end: int) -> int:
        """Return the first chunk that a request starting at chunk ``i`` does not take in."""
        j = i + 1
        while (
            j < len(self.parts)
            and self.starts[j] < end
            and self.parts[j] == self.parts[i]
            and 0 <= self.offsets[j] - (self.offsets[j - 1] + self.lengths[j - 1]) <= 1 << 17
        ):
            j += 1
        return j

    def _fetch(self, i: int, j: int, start: int, end: int, reader: SegmentReader) -> Blocks:
        segment = self.segments[self.parts[i]]
        low = self.offsets[i] + max(0, start - self.starts[i])
        last = j - 1
        high = self.offsets[last] + min(self.lengths[last], end - self.starts[last])
        wanted = _Windows(self, i, j, low, high)
        at = low
        for block in reader(segment, low, high - low):
            if isinstance(block, Extent):
                before = block.at
                wanted.mark(block, at)
                yield block
                at += block.at - before
            else:
                yield from wanted.pick(block, at)
                at += len(block)


class _Windows:
    """Picks the chunks' bytes out of a run of source bytes."""

    def __init__(self, file: VirtualFile, i: int, j: int, low: int, high: int) -> None:
        self.file, self.i, self.j, self.low, self.high = file, i, j, low, high

    def _within(self, at: int, stop: int) -> Iterator[tuple[int, int]]:
        """Yield what is wanted of the source bytes ``[at, stop)``, none of it empty."""
        while self.i < self.j:
            begin = max(self.file.offsets[self.i], self.low, at)
            end = min(self.file.offsets[self.i] + self.file.lengths[self.i], self.high)
            if begin >= stop:
                return
            if begin < end:
                yield begin, min(end, stop)
            if end > stop:
                return
            self.i += 1

    def mark(self, extent: Extent, at: int) -> None:
        """Mark what is wanted of an extent whose first byte is source byte ``at``."""
        shift, now = extent.at - at, self.i
        wanted = self._within(at, at + extent.left)
        extent.wanted = [(begin + shift, end + shift) for begin, end in wanted]
        self.i = now  # it may break off within any of them

    def pick(self, block: bytes, at: int) -> Iterator[bytes]:
        """Yield the wanted parts of a block whose first byte is source byte ``at``."""
        view = memoryview(block)
        picked = [view[begin - at : end - at] for begin, end in self._within(at, at + len(block))]
        if len(picked) == 1 and len(picked[0]) == len(block):
            yield block
        elif picked:
            yield b"".join(picked)
