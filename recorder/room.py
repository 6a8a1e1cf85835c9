"""What a file system has room for, in bytes and in files."""

from __future__ import annotations

import errno
import os
from pathlib import Path

SMALL = 1 << 20
BLOCK = 512
"""What ``st_blocks`` counts, whatever the file system's own are."""


def room_of(path: Path) -> tuple[int, int]:
    """Return (free, total) bytes of a file system; free is no more than its files are, by share.

    One that was made for large files (ext4 with ``largefile4``: a file for 4 MiB) may have none
    left while half of its bytes are free, and takes nothing then.  One that says that it has none
    at all, or more free than there are, does not count them, unless it takes none when it is tried.
    Raises: ``OSError``.
    """
    facts = os.statvfs(path)
    free, total = facts.f_bavail * facts.f_frsize, facts.f_blocks * facts.f_frsize
    if 0 < facts.f_favail < facts.f_files:
        free = min(free, total * facts.f_favail // facts.f_files)
    elif facts.f_files and not facts.f_favail and not _takes_files(path):
        free = 0
    return free, total


def _takes_files(folder: Path) -> bool:
    """Tell whether another file can be made, by one that never has a name."""
    try:
        os.close(os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o600))
    except OSError as exc:  # some file systems have only files with names
        return exc.errno not in (errno.ENOSPC, errno.EDQUOT)
    return True


def taken_bytes(path: str | Path, facts: os.stat_result) -> int:
    """Return how many bytes a file takes: where it has holes (sparse), less than its length.

    What a file system says that counts its blocks late, or not at all, is believed only where it
    shows a hole, too.
    """
    taken = facts.st_blocks * BLOCK
    if facts.st_size < SMALL or 2 * taken >= facts.st_size:
        return facts.st_size
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return facts.st_size
    try:
        return taken if os.lseek(file, 0, os.SEEK_HOLE) < facts.st_size else facts.st_size
    except OSError:
        return facts.st_size
    finally:
        os.close(file)
