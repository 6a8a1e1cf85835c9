"""Files alone are opened: a pipe keeps who opens it waiting for ever, a device has no end.

What a person names may be a pipe (``<(…)``), and is read up to a bound.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

MOST_TEXT_BYTES = 64 << 20
"""More than any document, settings file or secret has."""


class NotAFile(OSError):
    """Something else lies where a file should: a folder, a pipe, a socket, a device."""


def open_regular(path: Path) -> BinaryIO:
    """Open a file to be read, unbuffered.

    Raises: ``NotAFile``, and what else opening raises.
    """
    if not is_regular(path.stat()):
        raise NotAFile(errno.EINVAL, "is no file", str(path))
    return path.open("rb", buffering=0)


def read_whole(path: Path) -> bytes:
    """Return all of what a person named, which may be a pipe.

    Raises: ``OSError``, also where it has more than :data:`MOST_TEXT_BYTES`, or no end.
    """
    with path.open("rb") as file:
        body = file.read(MOST_TEXT_BYTES + 1)
    if len(body) > MOST_TEXT_BYTES:
        raise OSError(errno.EFBIG, f"has more than {MOST_TEXT_BYTES >> 20} MiB", str(path))
    return body


def is_regular(facts: os.stat_result) -> bool:
    """Tell whether it is a file, by what the disk says of it."""
    return stat.S_ISREG(facts.st_mode)
