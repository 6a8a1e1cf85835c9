"""What keeping a spool within its room needs of the spool itself, the catalog and the sender."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from recorder.model.timebase import Instant
from recorder.ports import Cameras, Commits, Footage, Holds, Progress
from recorder.spool.folders import Lying
from recorder.spool.incoming import Incoming


class KeptSpool(Protocol):
    """What keeping needs of the spool."""

    root: Path
    incoming: Incoming

    def keys(self, folder: str) -> Iterator[tuple[str, int]]:
        """Yield ``(key, size)`` of ``sealed`` or ``cache``."""

    def usage(self) -> dict[str, int]:
        """Return bytes per folder, and what the filesystem has free."""

    def recount(self) -> dict[str, int]:
        """Look through the spool; return by how many bytes folders differed."""

    def sweep(self, now: Instant) -> list[Lying]:
        """Remove scratch that is too old."""

    def remove(self, key: str, *, shed: bool = False) -> int:
        """Delete a segment from the spool."""

    def unship(self, key: str) -> None:
        """Move a segment back to what is in no store."""


class KeptCatalog(Protocol):
    """What keeping needs of the catalog."""

    footage: Footage
    commits: Commits
    cameras: Cameras
    holds: Holds
    progress: Progress


class Shipping(Protocol):
    """What keeping needs of the sender."""

    @property
    def waiting(self) -> int:
        """How many files wait."""

    @property
    def sending(self) -> frozenset[str]:
        """Which files are being sent now."""

    def commit_stored(self, key: str) -> bool:
        """Commit a sealed file that the store has already, if it has."""
