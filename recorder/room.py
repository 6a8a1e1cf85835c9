"""What a file system has room for, in bytes and in files."""

from __future__ import annotations

import os
from pathlib import Path


def room_of(path: Path) -> tuple[int, int]:
    """Return (free, total) bytes of a file system; free is no more than its files are, by share.

    One that was made for large files (ext4 with ``largefile4``: a file for 4 MiB) may have none
    left while half of its bytes are free, and takes nothing then.  One that says that it has none
    at all, or more free than there are, does not count them.
    Raises: ``OSError``.
    """
    facts = os.statvfs(path)
    free, total = facts.f_bavail * facts.f_frsize, facts.f_blocks * facts.f_frsize
    if 0 < facts.f_favail < facts.f_files:
        free = min(free, total * facts.f_favail // facts.f_files)
    return free, total
