"""What lies on this machine's disk is for its owner: footage, and cameras' passwords."""

from __future__ import annotations

import contextlib
import logging
import os
import stat
from concurrent.futures import wait
from pathlib import Path

from recorder.threads import Pool

log = logging.getLogger("recorder.app")

OTHERS = 0o077
PATIENCE_S = 3.0


def keep_to_oneself() -> None:
    """Have this process and its children make files and folders for their owner alone."""
    os.umask(OTHERS)


def make_folder(folder: Path) -> None:
    """Make the folder of data for its owner alone."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def prepare(folder: Path, *, make: bool) -> None:
    """Make the folder of data, if that is ours to make, and :func:`tighten` it.

    A disk that hangs is not waited for: a node records without what lies there, and says so.
    Raises: ``OSError``, where that comes in time.
    """
    doing = Pool("private", 1).submit(_prepare, folder, make)
    if wait((doing,), PATIENCE_S).done:
        doing.result()
    else:
        log.error("the folder of data does not answer", extra={"path": str(folder)})


def _prepare(folder: Path, make: bool) -> None:
    if make:
        make_folder(folder)
    for path in tighten(folder):
        log.warning("others could read this, they no longer can", extra={"path": str(path)})


def tighten(folder: Path, files: str = "catalog.db*") -> list[Path]:
    """Take from others what an earlier release gave them; return what was changed.

    A folder that is not ours alone (another's, the home folder, one everybody may write to) stays
    as it is, but for the files.
    """
    changed = [path for path in folder.glob(files) if _take(path)]
    with contextlib.suppress(OSError):
        facts = folder.stat()
        ours = facts.st_uid == os.geteuid() and not facts.st_mode & stat.S_ISVTX
        if ours and folder.resolve() not in (Path("/"), Path.home()) and _take(folder):
            changed.append(folder)
    return changed


def _take(path: Path) -> bool:
    with contextlib.suppress(OSError):
        mode = path.stat().st_mode
        if mode & OTHERS:
            path.chmod(stat.S_IMODE(mode) & ~OTHERS)
            return True
    return False
