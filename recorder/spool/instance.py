"""Which spool this is: told apart from that of another recorder with the same names."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from recorder.durable import make_once
from recorder.spool.full import full_is_said

FILE = "instance"


def instance_of(root: Path, new_id: Callable[[], str]) -> str:
    """Return what a spool is told apart by, making it the first time.

    Raises: ``SpoolFull``.
    """
    path = root / FILE
    if not _read(path):
        root.mkdir(parents=True, exist_ok=True)
        known = new_id()
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_size == 0:  # a machine stopped as it was written
                path.unlink()
        with full_is_said("say which spool this is"):
            make_once(path, known.encode())  # a command beside a node that starts finds the node's
    return _read(path)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        return ""
