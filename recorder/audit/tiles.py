"""Tiles: a tree cut into objects that never change once they are full.

A tile of level ``L`` holds up to 256 hashes, each over ``256 ** L`` leaves; a bundle holds the
entries of a tile of level 0, each after its length.  Source: C2SP tlog-tiles.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from recorder.audit.tree import EMPTY, HashOf, node_hash, root

WIDTH = 256
HASH = 32
MOST_ENTRY = 65535
"""Bytes of an entry: its length stands in two."""


def number_path(number: int) -> str:
    """Write a tile's number in groups of three digits.

    >>> number_path(5), number_path(1234067)
    ('005', 'x001/x234/067')
    """
    parts = [f"{number % 1000:03}"]
    while number >= 1000:
        number //= 1000
        parts.insert(0, f"x{number % 1000:03}")
    return "/".join(parts)


def tile_path(level: int | str, number: int, width: int = WIDTH) -> str:
    """Name a tile, or with level ``entries`` a bundle; of one that is not full, its width.

    >>> tile_path(0, 12), tile_path("entries", 12, 7)
    ('tile/0/012', 'tile/entries/012.p/7')
    """
    return f"tile/{level}/{number_path(number)}{f'.p/{width}' if width < WIDTH else ''}"


def write_bundle(entries: Sequence[bytes]) -> bytes:
    """Write entries, each after its length in two bytes, big-endian."""
    return b"".join(struct.pack(">H", len(entry)) + entry for entry in entries)


def read_bundle(body: bytes) -> list[bytes]:
    """Read the entries of a bundle.

    Raises: ``ValueError`` when it ends within one.
    """
    found, at = [], 0
    while at < len(body):
        if at + 2 > len(body):
            raise ValueError("ends within a length")
        end = at + 2 + struct.unpack_from(">H", body, at)[0]
        if end > len(body):
            raise ValueError("ends within an entry")
        found.append(body[at + 2 : end])
        at = end
    return found


def read_tile(body: bytes) -> list[bytes]:
    """Read the hashes of a tile.

    Raises: ``ValueError``.
    """
    if len(body) % HASH or len(body) > WIDTH * HASH:
        raise ValueError(f"{len(body)} bytes are no tile")
    return [body[at : at + HASH] for at in range(0, len(body), HASH)]


@dataclass(slots=True)
class Edge:
    """The growing end of a tree: of each level the hashes that fill no tile yet.

    It is all that is needed to go on, and to know the root.
    """

    size: int = 0
    levels: list[list[bytes]] = field(default_factory=lambda: [[]])

    def add(self, leaf: bytes) -> Iterator[tuple[int, int, list[bytes]]]:
        """Add a leaf's hash; yield the tiles that are full by it: level, number, hashes."""
        self.size += 1
        level, found, over = 0, leaf, 1
        while True:
            if level == len(self.levels):
                self.levels.append([])
            tile = self.levels[level]
            tile.append(found)
            if len(tile) < WIDTH:
                return
            over *= WIDTH
            yield level, self.size // over - 1, tile
            found, self.levels[level] = root(tile), []
            level += 1

    def partial(self) -> Iterator[tuple[int, int, list[bytes]]]:
        """Yield the tiles that are not full: level, number, hashes."""
        over = 1
        for level, tile in enumerate(self.levels):
            if tile:
                yield level, self.size // over // WIDTH, tile
            over *= WIDTH

    def root(self) -> bytes:
        """Return the root of the tree."""
        found: bytes | None = None
        for tile in self.levels:
            for one in _peaks(tile):
                found = one if found is None else node_hash(one, found)
        return EMPTY if found is None else found

    def write(self) -> bytes:
        """Write it: of each level its hashes, after their number in two bytes."""
        return b"".join(struct.pack(">H", len(one)) + b"".join(one) for one in self.levels)


def _peaks(hashes: Sequence[bytes]) -> Iterator[bytes]:
    """Yield the roots of the full subtrees over some hashes, the smallest (last) first."""
    end = len(hashes)
    while end:
        width = end & -end
        yield root(hashes[end - width : end])
        end -= width


def read_edge(size: int, body: bytes) -> Edge:
    """Read what :meth:`Edge.write` wrote.

    Raises: ``ValueError`` when it is not the edge of a tree of that size.
    """
    levels: list[list[bytes]] = []
    at, over = 0, 1
    while at < len(body):
        count = struct.unpack_from(">H", body, at)[0]
        at += 2
        if count != size // over % WIDTH or at + count * HASH > len(body):
            raise ValueError(f"is not the edge of a tree of {size}")
        levels.append(read_tile(body[at : at + count * HASH]))
        at, over = at + count * HASH, over * WIDTH
    if over <= size:
        raise ValueError(f"is not the edge of a tree of {size}")
    return Edge(size, levels or [[]])


Tile = Callable[[int, int, int], Sequence[bytes]]
"""Returns the first hashes of a tile: level, number, how many."""


def edge_from_tiles(size: int, tile: Tile) -> Edge:
    """Make the edge of a tree out of its last tiles."""
    levels: list[list[bytes]] = []
    over = 1
    while over <= size or not levels:
        count = size // over
        width = count % WIDTH
        levels.append(list(tile(len(levels), count // WIDTH, width)) if width else [])
        over *= WIDTH
    return Edge(size, levels)


def hashes_in(size: int, tile: Tile) -> HashOf:
    """Answer for ranges of a tree of ``size`` leaves out of its tiles."""

    def of(start: int, end: int) -> bytes:
        level, over = 0, 1
        while (end - start) >= over * WIDTH and start % (over * WIDTH) == 0:
            level, over = level + 1, over * WIDTH
        # whole hashes of this level, then what is left over at the tree's end
        first, last = start // over, end // over
        found = _take(tile, level, first, last, size // over)
        if last * over < end:
            rest = of(last * over, end)
            return _join(found, rest)
        return root(found)

    return of


def _take(tile: Tile, level: int, first: int, last: int, there: int) -> list[bytes]:
    found: list[bytes] = []
    while first < last:
        number = first // WIDTH
        upto = min(last, (number + 1) * WIDTH)
        hashes = tile(level, number, min(WIDTH, there - number * WIDTH))
        found += hashes[first - number * WIDTH : upto - number * WIDTH]
        first = upto
    return found


def _join(hashes: Sequence[bytes], rest: bytes) -> bytes:
    """Return the root over whole subtrees and, behind them, a smaller one."""
    found = rest
    for one in _peaks(hashes):
        found = node_hash(one, found)
    return found
