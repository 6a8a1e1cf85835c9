"""Entries of the log whose rows have left the catalog, read from whichever store has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from recorder.audit.tiles import WIDTH, read_bundle, tile_path
from recorder.audit.tree import leaf_hashes, root
from recorder.errors import IntegrityError, RecorderError
from recorder.ports import ObjectStore


class LeftBundles:
    """A :class:`recorder.ports.EntryBundles`: nothing is believed that is not what left."""

    def __init__(self, stores: Callable[[], Iterable[ObjectStore]]) -> None:
        """``stores``: where they may lie; the first that has them is read."""
        self._stores = stores

    def read(self, origin: str, number: int, root: bytes) -> list[bytes]:
        """Return the entries of a full tile.  See :class:`recorder.ports.EntryBundles`."""
        from recorder.logbook.shelf import Shelf  # with what reads signatures: once it is needed

        away: RecorderError | None = None
        for store in self._stores():
            try:
                body = Shelf(store, origin).read(tile_path("entries", number))
            except RecorderError as exc:
                away = exc
                continue
            leaves = _entries(body, root)
            if leaves is not None:
                return leaves
        if away is not None:
            raise away
        first = number * WIDTH
        raise IntegrityError(
            f"log {origin}: entries {first} to {first + WIDTH - 1} have left the catalog, and no "
            "store has them as they were",
            hint="put the log's folder back, into one of the stores, from where it is kept",
        )


def _entries(body: bytes | None, expected: bytes) -> list[bytes] | None:
    """Read a bundle; ``None`` when there is none, or it is not the one that is expected."""
    try:
        leaves = read_bundle(body or b"")
    except ValueError:
        return None
    return leaves if root(leaf_hashes(leaves)) == expected else None
