"""Files mapped into memory, once it is known that all of them can be read.

A page that its disk does not give is told to who reads it by a signal that ends the process, not
by an error: one bad sector under one file would end the recording of all cameras.
Source: mmap(2), SIGBUS; madvise(2), MADV_POPULATE_READ (Linux 5.14).
"""

from __future__ import annotations

import errno
import mmap
import os
import sys
from typing import BinaryIO

_POPULATE_READ = 22
_UNREADABLE = (errno.EFAULT, errno.EIO, errno.EUCLEAN, errno.EBADMSG)
_BLOCK = 1 << 18


class UnreadableFile(OSError):
    """The disk does not give a part of a file."""


def mapped(file: BinaryIO) -> mmap.mmap:
    """Map a file that is open, all of which can be read.

    Raises: ``UnreadableFile``, and ``ValueError`` when it is empty.
    """
    view = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    try:
        _read_in(view, file)
    except OSError as exc:
        view.close()
        if exc.errno in _UNREADABLE:
            said = os.strerror(errno.EIO)
            raise UnreadableFile(errno.EIO, said, str(file.name)) from exc
        raise
    return view


def _read_in(view: mmap.mmap, file: BinaryIO) -> None:
    """Have all pages brought into memory; what was mapped is touched right after."""
    if sys.platform.startswith("linux"):
        try:
            view.madvise(_POPULATE_READ)
        except OSError as exc:
            if exc.errno != errno.EINVAL:  # an older kernel's
                raise
        else:
            return
    block, place = bytearray(_BLOCK), 0
    while got := os.preadv(file.fileno(), [block], place):
        place += got
