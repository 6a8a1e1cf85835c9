"""Tiles that the log's store lost are put there again: such as lead to what was signed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from recorder.audit.note import Checkpoint, Key, read_checkpoint
from recorder.audit.tiles import HASH, WIDTH, hashes_in, tile_path, write_bundle
from recorder.audit.tree import check_inclusion, inclusion, leaf_hashes, root
from recorder.errors import IntegrityError
from recorder.logbook.marks import lacking
from recorder.logbook.shelf import Shelf
from recorder.ports import AuditTree, LogState

FOLDERS = 16
"""So many of a thousand tiles are listed in one round: a year of a county's centre in a day."""
TILES = 256
"""So many are put back in one round."""
NAME = "audit tiles"
"""What is kept of it, among how far long jobs are: ``why`` tiles lack, by log; the ``folder`` of a
``log`` to go on with."""
ENTRIES = "entries"
_FOLDER = 1000


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile, or with level ``entries`` a bundle, by its number and how much it holds."""

    level: int | str
    number: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Where it lies in its log."""
        return tile_path(self.level, self.number, self.width)


class Refill:
    """Looks for what a store should have of a log, and has not; puts it back."""

    def __init__(self, tree: AuditTree, shelf: Shelf, state: LogState, key: Key) -> None:
        """``key``: the log's own; who signed is not asked of anybody else."""
        self._tree, self._shelf, self._state, self._key = tree, shelf, state, key

    def gone(self, first: int) -> tuple[list[Tile], int]:
        """Return tiles that the store has not, the highest first, and the folder to go on with.

        ``first``: the folder to begin with; after the last of all comes the first, 0.
        """
        size = self._state.size
        some = list(itertools.islice(_folders(size), first, first + FOLDERS))
        found = [tile for folder in some for tile in self._lacks(*folder)]
        found += [tile for tile in _ends(size) if not self._has(tile)]
        after = first + FOLDERS if len(some) == FOLDERS else 0
        return sorted(found, key=_height)[:TILES], after

    def fill(self, tiles: Sequence[Tile], go_on: Callable[[], bool]) -> int:
        """Make tiles of what the catalog has, and put them back; return how many.

        Raises: ``IntegrityError`` when one does not lead to the signed root: it is not put.
        """
        signed = self._signed()
        made = _Made(self._tree, self._shelf, self._state)
        for done, tile in enumerate(tiles):
            if not go_on():
                return done
            self._shelf.put(tile.path, self._proven(made, tile, signed))
        return len(tiles)

    def _signed(self) -> Checkpoint:
        origin = self._state.origin
        signed = read_checkpoint(self._state.checkpoint)
        shown = self._shelf.checkpoint()
        if not signed.by(self._key) or signed.size != self._state.size:
            raise IntegrityError(f"the audit log {origin}: its checkpoint is not the site's own")
        if shown is None or (shown.size, shown.root) != (signed.size, signed.root):
            raise IntegrityError(f"the audit log {origin}: its store shows another checkpoint")
        return signed

    def _proven(self, made: _Made, tile: Tile, signed: Checkpoint) -> bytes:
        """Return what a tile must hold."""
        level = tile.level if isinstance(tile.level, int) else 0
        leaves = made.leaves(tile.number, tile.width) if tile.level == ENTRIES else []
        hashes = leaf_hashes(leaves) or made.hashes(level, tile.number, tile.width)
        made.take(level, tile.number, hashes)
        at = tile.number * WIDTH ** (level + 1)
        bottom = made.tile(0, at // WIDTH, min(WIDTH, signed.size - at))
        # of its first leaf: its proof has, up to this tile's root, the hashes over all it holds
        proof = inclusion(at, signed.size, hashes_in(signed.size, made.tile))
        if not check_inclusion(bottom[0], at, signed.size, proof, signed.root):
            raise IntegrityError(
                f"store {self._shelf.store.name}: log {signed.origin}: {tile.path} is gone, and "
                "what the catalog has of it does not lead to the signed root: rows were changed",
                hint="recorder audit verify says what is wrong; recorder audit begin goes on anew",
            )
        return write_bundle(leaves) if leaves else b"".join(hashes)

    def _lacks(self, level: int | str, first: int, count: int) -> Iterator[Tile]:
        """List one folder; of a tile of hashes the size tells whether it is whole."""
        shelf, there = self._shelf, set[int]()
        folder = shelf.folder + tile_path(level, first).rpartition("/")[0] + "/"
        for info in shelf.store.list(folder):
            name = info.key.removeprefix(folder)
            if name.startswith("x"):  # folders of others come after the digits
                break
            if len(name) == 3 and (info.size == WIDTH * HASH or (level == ENTRIES and info.size)):
                there.add(first + int(name))
        return (Tile(level, one) for one in range(first, first + count) if one not in there)

    def _has(self, tile: Tile) -> bool:
        """Tell whether there is a tile that is not full, or the full one that came since."""
        store, folder = self._shelf.store, self._shelf.folder
        full = tile_path(tile.level, tile.number)
        return any(store.head(folder + path) is not None for path in (tile.path, full))


def _height(tile: Tile) -> tuple[int, int]:
    """Sort what others are proven by before those."""
    return (-tile.level if isinstance(tile.level, int) else 1, tile.number)


def _folders(size: int) -> Iterator[tuple[int | str, int, int]]:
    """Yield the folders of a log's full tiles: level, its first number, how many are full."""
    level, count = 0, size // WIDTH
    while count:
        for name in (ENTRIES, level) if level == 0 else (level,):
            for first in range(0, count, _FOLDER):
                yield name, first, min(_FOLDER, count - first)
        level, count = level + 1, count // WIDTH


def _ends(size: int) -> Iterator[Tile]:
    """Yield the tiles at a log's end, which are not full."""
    level, over = 0, 1
    while over <= size:
        number, width = divmod(size // over, WIDTH)
        if width:
            yield Tile(level, number, width)
            if level == 0:
                yield Tile(ENTRIES, number, width)
        level, over = level + 1, over * WIDTH


class _Made:
    """Hashes of a log: as the store has them, else as the catalog's entries give them."""

    def __init__(self, tree: AuditTree, shelf: Shelf, state: LogState) -> None:
        self._tree, self._shelf, self._state = tree, shelf, state
        self._high: dict[tuple[int, int, int], Sequence[bytes]] = {}
        self._taken: tuple[int, int, Sequence[bytes]] = (0, -1, ())

    def leaves(self, number: int, width: int) -> list[bytes]:
        """Return entries.  Raises: ``IntegrityError`` when the catalog lacks one."""
        first = number * WIDTH
        found = self._tree.leaves(self._state.number, first, first + width)
        if len(found) != width:
            raise lacking(first + len(found))
        return found

    def take(self, level: int, number: int, hashes: Sequence[bytes]) -> None:
        """Take a tile as it would be."""
        self._taken = (level, number, hashes)

    def tile(self, level: int, number: int, width: int) -> Sequence[bytes]:
        """Return the first hashes of a tile."""
        if self._taken[:2] == (level, number):
            return self._taken[2][:width]
        try:
            return self._shelf.tile(level, number, width)
        except IntegrityError:
            return self.hashes(level, number, width)

    def hashes(self, level: int, number: int, width: int) -> Sequence[bytes]:
        """Make the hashes of a tile of what lies below it."""
        if level == 0:
            return leaf_hashes(self.leaves(number, width))
        name = (level, number, width)
        if name not in self._high:
            below = range(number * WIDTH, number * WIDTH + width)
            self._high[name] = [root(self.tile(level - 1, one, WIDTH)) for one in below]
        return self._high[name]
