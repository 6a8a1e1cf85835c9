"""What a sender is told, and what it needs of a spool."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class ShipSpool(Protocol):
    """What shipping needs of the spool."""

    root: Path

    def keys(self, folder: str) -> Iterator[tuple[str, int]]:
        """Yield ``(key, size)`` of ``sealed`` or ``cache``."""

    def shipped(self, key: str) -> None:
        """Move a segment to the cache: it is safe in a store."""

    def quarantine(self, path: Path, reason: str) -> Path:
        """Put a file aside for a person."""


@dataclass(frozen=True, slots=True)
class ShipSettings:
    """``newest_first`` decides the order; ``budget_bps`` is bytes per second, 0 for no limit.

    ``read_back`` verifies by reading the whole object again, not only its size and stored
    digest.  ``recheck_s``: how long a store's identity is trusted.
    """

    node: str
    newest_first: bool = False
    workers: int = 4
    budget_bps: int = 0
    read_back: bool = False
    recheck_s: float = 30.0
