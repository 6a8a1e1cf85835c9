"""A bundle's zip as a folder: names that lead out of it are refused, nothing is written over."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from recorder.durable import sync_directory
from recorder.errors import IntegrityError, StateError, UnavailableError
from recorder.evidence.opened import opened
from recorder.evidence.sums import is_plain

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EIO}


def unpack(archive: Path, target: Path) -> None:
    """Unpack a bundle; the folder has its name once all of it is there.

    Raises: ``StateError`` when something is there already; ``IntegrityError`` for a zip that is
    damaged, or has names that may not stand in a bundle.
    Durable: once this returns.
    """
    if target.exists():
        raise StateError(
            f"{target}: is there already", hint="a bundle is never written over: name another"
        )
    part = target.with_name(f".{target.name}.unpacking")
    shutil.rmtree(part, ignore_errors=True)  # of a try that broke off: none but this makes it
    part.mkdir(parents=True)
    try:
        with opened(archive) as found:
            names = found.names()
            wrong = next((name for name in names if not is_plain(name)), None)
            if wrong is not None:
                raise IntegrityError(f"{archive}: holds {wrong[:80]!r}, which is no name of a file")
            for name in names:
                path = part / name
                path.parent.mkdir(parents=True, exist_ok=True)
                with found.open(name) as source, path.open("wb") as file:
                    shutil.copyfileobj(source, file, 1 << 20)
                    file.flush()
                    os.fsync(file.fileno())
        part.replace(target)
        sync_directory(target.parent)
    except (OSError, NotImplementedError, RuntimeError) as exc:
        if getattr(exc, "errno", None) in _DISK:
            raise UnavailableError(f"unpack {archive}: {exc}") from exc
        raise IntegrityError(f"{archive}: cannot be unpacked: {exc}") from exc
    finally:
        shutil.rmtree(part, ignore_errors=True)
