"""Files alone are opened: a pipe keeps who opens it waiting for ever, a device has no end."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


class NotAFile(OSError):
    """Something else lies where a file should: a folder, a pipe, a socket, a device."""


def open_regular(path: Path) -> BinaryIO:
    """Open a file to be read, unbuffered.

    Raises: ``NotAFile``, and what else opening raises.
    """
    if not is_regular(path.stat()):
        raise NotAFile(errno.EINVAL, "is no file", str(path))
    return path.open("rb", buffering=0)


def is_regular(facts: os.stat_result) -> bool:
    """Tell whether it is a file, by what the disk says of it."""
    return stat.S_ISREG(facts.st_mode)
