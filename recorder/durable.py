"""Writing so that a crash leaves the old or the new, whole."""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recorder.errors import StateError

_NOT_FOR_FOLDERS = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)
"""What a file system answers that syncs files alone."""
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)
"""What one answers that has no hard links, or takes no more of them."""


def write_over(path: Path, body: bytes) -> None:
    """Write over a file that is there, which needs no room on a full disk; it may be torn.

    Durable once this returns.
    """
    with path.open("r+b", buffering=0) as file:
        file.write(body)
        file.truncate()
        os.fsync(file.fileno())


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
        _name_once(part, path)
    finally:
        part.unlink(missing_ok=True)
    sync_directory(path.parent)


def _name_once(part: Path, path: Path) -> None:
    """Give a whole file its name, unless that is taken.

    Where there are no hard links (FAT, exFAT, some of FUSE and SMB) one at a time looks, and
    renames.
    """
    try:
        os.link(part, path)
    except FileExistsError:
        return
    except OSError as exc:
        if exc.errno not in _NO_LINKS:
            raise
    else:
        return
    beside = path.with_name(f".{path.name}.lock")
    with beside.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            part.replace(path)
        beside.unlink(missing_ok=True)  # who waits for it finds the file there


@contextmanager
def only_one(path: Path, name: Path | None = None) -> Iterator[None]:
    """Let one at a time write a file, which is made; the kernel lets go of it when that dies.

    ``name``: what is written, where that is another file.
    Raises: ``StateError`` while another does.
    """
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise _is_written(name or path) from exc
        except OSError:  # a file system without locks
            pass
        if not path.exists() or not os.path.samestat(os.fstat(file.fileno()), path.stat()):
            raise _is_written(name or path)  # or was this moment, and has its name
        yield


def _is_written(path: Path) -> StateError:
    return StateError(
        f"{path}: is being written by another process",
        hint="wait for that one, or name another file",
    )


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
