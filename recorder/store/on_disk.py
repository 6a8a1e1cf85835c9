"""What a store in a directory asks of its disk."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

BLOCK = 1 << 18
"""Fits in what malloc keeps: a block of 1 MiB is fresh memory each time, 256 page faults."""

_OF_ONE = (
    *(errno.EACCES, errno.EPERM, errno.EISDIR, errno.EBUSY, errno.ETXTBSY),
    *(errno.EIO, errno.EUCLEAN, errno.EBADMSG, errno.ENAMETOOLONG, errno.ELOOP),
)
NOWHERE = (errno.ENOENT, errno.ELOOP)
"""Of a link that leads nowhere, or to itself: no object of anybody's."""


def is_of_one(exc: OSError) -> bool:
    """Tell whether an error is of one object, while others may go; else it is of the store."""
    return exc.errno in _OF_ONE


def mount_of(root: Path) -> str | None:
    """Name what a directory is on: it changes with a mount, or a directory put in its place.

    ``None`` while nothing is there.
    """
    try:
        facts = root.stat()
    except OSError:
        return None
    return f"{facts.st_dev}:{facts.st_ino}"


def copy_durably(source: Path, target: Path) -> str:
    """Copy durably, in blocks; return the digest of what was written."""
    digest = hashlib.sha256()
    # a buffered writer: a raw one writes what still fits and says so only in its return value
    with source.open("rb", buffering=0) as reader, target.open("wb") as writer:
        while block := reader.read(BLOCK):
            digest.update(block)
            writer.write(block)
        writer.flush()
        os.fsync(writer.fileno())
    return digest.hexdigest()


def leads_on(entry: os.DirEntry[str], root: Path, folder: str) -> bool:
    """Tell whether what lies in a folder under ``root`` is a folder to be listed.

    A link may lead to one elsewhere, but to none that it was come through, or that has it inside:
    such a listing would never end.
    """
    try:
        if not entry.is_dir():
            return False
    except OSError as exc:
        if exc.errno not in NOWHERE:
            raise
        return False
    if not entry.is_symlink():
        return True
    target, come = Path(entry.path).resolve(), root
    for part in ("", *Path(folder).parts):
        come /= part
        if come.resolve().is_relative_to(target):
            return False
    return True
