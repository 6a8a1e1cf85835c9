"""Writing so that a crash leaves the old or the new, whole."""

from __future__ import annotations

import os
from pathlib import Path


def write_durably(path: Path, body: bytes) -> None:
    """Replace a small file so that it is whole, old or new, whatever happens."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_directory(path.parent)


def sync_directory(folder: Path) -> None:
    """Make a rename durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
