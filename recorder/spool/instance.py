"""Which spool this is: told apart from that of another recorder with the same names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from recorder.durable import write_durably

FILE = "instance"


def instance_of(root: Path, new_id: Callable[[], str]) -> str:
    """Return what a spool is told apart by, making it the first time."""
    path = root / FILE
    try:
        known = path.read_text().strip()
    except FileNotFoundError:
        known = ""
    if not known:
        root.mkdir(parents=True, exist_ok=True)
        known = new_id()
        write_durably(path, known.encode())
    return known
