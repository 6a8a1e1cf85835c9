"""Bytes that lie in an open file: lent, so that whoever sends them need not read them.

A source of bytes yields blocks: ``bytes``, or an :class:`Extent`.  Whoever takes an extent moves
its ``at`` over what was taken before asking for the next block; the source then sees what is
missing, and may have it from elsewhere.
"""

from __future__ import annotations

import itertools
import os
from bisect import bisect_right
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import BinaryIO, Protocol, TypeAlias

from recorder.errors import CopyMissing, StoreUnavailable

BLOCK = 1 << 18
"""Fits in what malloc keeps: a block of 1 MiB is fresh memory each time, 256 page faults."""


@dataclass(slots=True)
class Extent:
    """Bytes ``[at, end)`` of an open file, still to be taken.

    ``wanted``: stretches ``[begin, end)`` of the file, in its order; what lies between them is
    passed over.  By default all of it is wanted.
    ``problem``: what reading them met, told by whoever takes them.
    """

    handle: int
    at: int
    end: int
    wanted: Sequence[tuple[int, int]] | None = None
    problem: OSError | None = None

    @property
    def left(self) -> int:
        """How many bytes are still to be taken."""
        return self.end - self.at

    def take(self, taker: Callable[[int, int], int]) -> None:
        """Hand what is wanted to ``taker``, stretch by stretch, until it takes no more.

        It gets a stretch, takes some of it from its start, and says how much: nothing means
        that there is no more to be had.
        """
        wanted = self.wanted if self.wanted is not None else [(self.at, self.end)]
        first = max(0, bisect_right(wanted, (self.at, self.end)) - 1)
        for begin, end in itertools.islice(wanted, first, None):
            at = max(begin, self.at)
            while at < end:
                count = taker(at, end)
                if not count:
                    return
                self.at = at = at + count
        self.at = self.end


Block: TypeAlias = bytes | Extent
Blocks: TypeAlias = Generator[Block, None, None]


class OnDisk(Protocol):
    """A store whose objects are files here."""

    def open(self, key: str) -> BinaryIO:
        """Open an object's file.

        Raises: ``CopyMissing``, ``StoreUnavailable``.
        """


def lend(file: BinaryIO, offset: int, length: int, what: str) -> Blocks:
    """Yield ``length`` bytes of a file as one extent; the file is closed afterwards.

    A file that was opened stays readable when its name goes.
    Raises: ``CopyMissing`` when it is shorter; ``StoreUnavailable`` when it cannot be read.
    """
    with file:
        extent = Extent(file.fileno(), offset, offset + length)
        if os.fstat(extent.handle).st_size >= extent.end:
            if length > 0:
                yield extent
            if extent.problem is not None:
                said = extent.problem.strerror or extent.problem
                raise StoreUnavailable(f"read {what}: {said}") from extent.problem
        if extent.left > 0:
            raise CopyMissing(f"read {what}: the file is shorter than its index says")


def taken(block: Block, before: int) -> int:
    """Say how much of a block was taken; ``before``: where an extent stood (:func:`standing`)."""
    return block.at - before if isinstance(block, Extent) else len(block)


def standing(block: Block) -> int:
    """Say where an extent stands before it is lent on."""
    return block.at if isinstance(block, Extent) else 0


def read_blocks(source: Blocks) -> Generator[bytes, None, None]:
    """Yield the bytes of blocks, those of extents read."""
    with closing(source):
        for block in source:
            if isinstance(block, Extent):
                yield from _read(block)
            else:
                yield block


def _read(extent: Extent) -> Iterator[bytes]:
    """Read an extent, some small stretches of it at once."""
    while extent.left > 0:
        got: list[bytes] = []
        room = BLOCK

        def some(at: int, end: int, got: list[bytes] = got) -> int:
            nonlocal room
            try:
                piece = os.pread(extent.handle, min(room, end - at), at) if room else b""
            except OSError as exc:
                extent.problem, piece = exc, b""
            room -= len(piece)
            got.append(piece)
            return len(piece)

        extent.take(some)
        block = got[0] if len(got) == 1 else b"".join(got)
        if block:
            yield block
        elif extent.left > 0:
            return  # cut short since, or unreadable: its source knows what else there is
