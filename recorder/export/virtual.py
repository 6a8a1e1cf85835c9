"""A file that is never written: a computed header, then byte ranges of stored segments.

Its length and ETag are known before the first byte is sent, any range of it can be read,
and reading holds one block at a time.
"""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from recorder.model.media import Segment


class SegmentReader(Protocol):
    """Reads bytes of a segment, wherever they are."""

    def __call__(self, segment: Segment, offset: int, length: int) -> Iterator[bytes]:
        """Yield exactly ``length`` bytes from ``offset``."""


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

    def __post_init__(self) -> None:
        self.starts = array("q")
        at = len(self.header)
        for length in self.lengths:
            self.starts.append(at)
            at += length
        self.size = at

    @property
    def etag(self) -> str:
        """A strong ETag: header, and which bytes of which objects follow."""
        digest = hashlib.sha256(self.header)
        for column in (self.parts, self.offsets, self.lengths):
            digest.update(column.tobytes())
        for segment in self.segments:
            name = segment.digest or f"{segment.writer}/{segment.media_start}"
            digest.update(f"{segment.stream}/{name}\n".encode())
        return f'"{digest.hexdigest()[:40]}"'

    def read(self, start: int, end: int, reader: SegmentReader) -> Iterator[bytes]:
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

    def _fetch(
        self, i: int, j: int, start: int, end: int, reader: SegmentReader
    ) -> Iterator[bytes]:
        segment = self.segments[self.parts[i]]
        low = self.offsets[i] + max(0, start - self.starts[i])
        last = j - 1
        high = self.offsets[last] + min(self.lengths[last], end - self.starts[last])
        wanted = _Windows(self, i, j, low, high)
        at = low
        for block in reader(segment, low, high - low):
            yield from wanted.pick(block, at)
            at += len(block)


class _Windows:
    """Picks the chunks' bytes out of a run of source bytes."""

    def __init__(self, file: VirtualFile, i: int, j: int, low: int, high: int) -> None:
        self.file, self.i, self.j, self.low, self.high = file, i, j, low, high

    def pick(self, block: bytes, at: int) -> Iterator[bytes]:
        """Yield the wanted parts of a block whose first byte is source byte ``at``."""
        stop = at + len(block)
        view = memoryview(block)
        picked: list[memoryview] = []
        while self.i < self.j:
            begin = max(self.file.offsets[self.i], self.low)
            end = min(self.file.offsets[self.i] + self.file.lengths[self.i], self.high)
            if begin >= stop:
                break
            part = view[max(begin, at) - at : min(end, stop) - at]
            if len(part):
                picked.append(part)
            if end > stop:
                break
            self.i += 1
        if len(picked) == 1 and len(picked[0]) == len(block):
            yield block
        elif picked:
            yield b"".join(picked)
