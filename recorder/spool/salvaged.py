"""What a failing disk still gives of a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from recorder.spool.folders import is_unreadable

BLOCK, LEAST = 1 << 18, 1 << 12


def readable_blocks(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file from its start up to the first that cannot be read.

    Raises: ``OSError`` for what may pass.
    """
    size = BLOCK
    with path.open("rb", buffering=0) as file:
        place = 0
        while True:
            try:
                file.seek(place)
                block = file.read(size)
            except OSError as exc:
                if not is_unreadable(exc):
                    raise
                if size == LEAST:
                    return
                size = LEAST
                continue
            if not block:
                return
            yield block
            place += len(block)
