"""Where a log lies in a store: its checkpoint, its tiles, and which log is the newest."""

from __future__ import annotations

import re
from collections.abc import Sequence

from recorder.audit.note import BadNote, Checkpoint, read_checkpoint
from recorder.audit.tiles import read_tile, tile_path
from recorder.errors import CopyMissing, IntegrityError
from recorder.ports import ObjectStore
from recorder.store.kept import AUDIT

_BINARY = "application/octet-stream"
_TEXT = "text/plain; charset=utf-8"


def folder_of(origin: str) -> str:
    """Return the folder of a log in a store: ``spanstore/SITE/ID`` lies in its own.

    >>> folder_of("spanstore/north/1f")
    'spanstore.audit/north/1f/'
    """
    return f"{AUDIT}{origin.partition('/')[2]}/"


class Shelf:
    """One log's objects."""

    def __init__(self, store: ObjectStore, origin: str) -> None:
        self.store, self.origin, self.folder = store, origin, folder_of(origin)

    def read(self, path: str) -> bytes | None:
        """Return an object, ``None`` when there is none."""
        info = self.store.head(self.folder + path)
        if info is None:
            return None
        try:
            return b"".join(self.store.read(info.key, 0, info.size))
        except CopyMissing:
            return None  # a tile that is not full goes when the full one is there

    def checkpoint(self) -> Checkpoint | None:
        """Return the checkpoint, ``None`` when there is none.

        Raises: ``IntegrityError`` when it cannot be read.
        """
        raw = self.read("checkpoint")
        if raw is None:
            return None
        try:
            return read_checkpoint(raw.decode())
        except (BadNote, UnicodeDecodeError) as exc:
            raise IntegrityError(
                f"store {self.store.name}: {self.folder}checkpoint: {exc}"
            ) from exc

    def tile(self, level: int, number: int, width: int) -> Sequence[bytes]:
        """Return the first hashes of a tile.

        Raises: ``IntegrityError`` when it has fewer.
        """
        for path in {tile_path(level, number, width): 1, tile_path(level, number): 1}:
            body = self.read(path)
            if body is not None:
                hashes = read_tile(body) if len(body) % 32 == 0 else []
                if len(hashes) >= width:
                    return hashes[:width]
        raise IntegrityError(f"store {self.store.name}: {self.folder}: tile {level}/{number} lacks")

    def put(self, path: str, body: bytes) -> None:
        """Put a tile."""
        self.store.put(self.folder + path, body, _BINARY, {})

    def put_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Put a checkpoint, and say that this log is its site's newest."""
        self.keep_checkpoint(checkpoint)
        name = newest_key(self.origin.split("/")[1])
        if read_newest(self.store, self.origin.split("/")[1]) != self.origin:
            self.store.put(name, f"{self.origin}\n".encode(), _TEXT, {})

    def keep_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Put a checkpoint alone."""
        self.store.put(f"{self.folder}checkpoint", checkpoint.note.encode(), _TEXT, {})

    def partial_keys(self, level: int | str, number: int) -> list[str]:
        """Return the keys of the tiles that a full one has taken the place of."""
        before = f"{self.folder}{tile_path(level, number, 1).rpartition('/')[0]}/"
        return [info.key for info in self.store.list(before)]


def is_partial(key: str) -> bool:
    """Tell whether a key is that of a tile that is not full, and of nothing else.

    >>> is_partial("spanstore.audit/north/1f/tile/entries/x001/000.p/7")
    True
    >>> is_partial("spanstore.audit/north/1f/checkpoint")
    False
    """
    return key.startswith(AUDIT) and re.search(r"/tile/[^.]+\.p/\d{1,3}$", key) is not None


def newest_key(site: str) -> str:
    """Name the object that says which log of a site is the newest."""
    return f"{AUDIT}{site}/newest"


def read_newest(store: ObjectStore, site: str) -> str:
    """Return the origin of a site's newest log, empty when there is none."""
    info = store.head(newest_key(site))
    if info is None:
        return ""
    said = b"".join(store.read(info.key, 0, min(info.size, 1024))).decode("utf-8", "replace")
    origin = said.strip()
    return origin if origin.startswith(f"spanstore/{site}/") else ""
