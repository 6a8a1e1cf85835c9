"""What has left the catalog stays in two stores: the second is looked at again, tile by tile."""

from __future__ import annotations

import logging

from recorder.audit.tiles import read_bundle, tile_path, write_bundle
from recorder.audit.tree import leaf_hashes, root
from recorder.logbook.left import LeftBundles
from recorder.logbook.shelf import Shelf
from recorder.ports import AuditLeft, LeftTile, ObjectStore

log = logging.getLogger("recorder.logbook")

TILES = 64
"""So many are read again at once, each five minutes: a year of a county's centre in two months."""
BEGIN = (0, -1)


def keep_twice(
    left: AuditLeft, first: ObjectStore, second: ObjectStore, after: tuple[int, int]
) -> tuple[int, int]:
    """Look at the tiles after one in the second store; put what lacks there, from the first.

    Returns the last that was looked at: log and tile; after the last of all, the beginning.
    Raises: ``IntegrityError`` when neither has one as it left; what both raise.
    """
    tiles = left.left(after, TILES)
    for tile in tiles:
        shelf = Shelf(second, tile.origin)
        if not _has(shelf, tile):
            leaves = LeftBundles(lambda: (first,)).read(tile.origin, tile.number, tile.root)
            shelf.put(tile_path("entries", tile.number), write_bundle(leaves))
            shelf.put(tile_path(0, tile.number), b"".join(leaf_hashes(leaves)))
            said = {"store": second.name, "log": tile.origin, "tile": tile.number}
            log.warning("entries of the audit log put into the second store again", extra=said)
    return (tiles[-1].log, tiles[-1].number) if len(tiles) == TILES else BEGIN


def _has(shelf: Shelf, tile: LeftTile) -> bool:
    """Tell whether a store has a tile's entries as they left, and their hashes."""
    try:
        leaves = read_bundle(shelf.read(tile_path("entries", tile.number)) or b"")
    except ValueError:
        return False
    hashes = leaf_hashes(leaves)
    told = shelf.read(tile_path(0, tile.number))
    return root(hashes) == tile.root and told == b"".join(hashes)
