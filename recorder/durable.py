"""Writing so that a crash leaves the old or the new, whole."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from pathlib import Path

_NOT_FOR_FOLDERS = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)
"""What a file system answers that syncs files alone."""


def write_durably(path: Path, body: bytes, mode: int = 0o666) -> None:
    """Replace a small file so that it is whole, old or new, whatever happens."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)  # whose mode would stay
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_directory(path.parent)


def make_once(path: Path, body: bytes) -> None:
    """Give a file its contents if it is not there: whole or not at all, for its owner alone.

    Of several who do so at once, threads or processes, one wins, and all find what it wrote.
    Raises: ``OSError``.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(part, path)
    finally:
        part.unlink()
    sync_directory(path.parent)


def sync_directory(folder: Path) -> None:
    """Make a rename durable, where the file system knows how: some network ones do not."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as exc:
        if exc.errno not in _NOT_FOR_FOLDERS:
            raise
    finally:
        os.close(handle)
