"""A spool belongs to one process: a second one would adopt, and so end, what the first records."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from recorder.errors import SpoolTaken

LOCK = "owner.lock"


@contextmanager
def owned(root: Path) -> Iterator[None]:
    """Own a spool until leaving; the kernel lets go of it when the process dies.

    Raises: ``SpoolTaken`` while another process owns it.
    """
    root.mkdir(parents=True, exist_ok=True)
    with (root / LOCK).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            file.seek(0)
            raise SpoolTaken(
                f"spool {root}: another recorder runs on it (process {file.read().strip() or '?'})",
                hint="stop that one first, or give this one a data folder of its own",
            ) from exc
        with suppress(OSError):  # on a full disk nobody is told which process it is
            file.truncate(0)
            os.pwrite(file.fileno(), str(os.getpid()).encode(), 0)
        yield
