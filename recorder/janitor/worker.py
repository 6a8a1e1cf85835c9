"""What the janitor's slow work has in common: whom it asks, where it writes, how fast it reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from recorder.ports import Audit, Clock, Commits, Integrity, Planning, Progress
from recorder.reading.view import View


class WorkCatalog(Protocol):
    """The parts of the catalog that thinning and scrubbing use."""

    planning: Planning
    commits: Commits
    integrity: Integrity
    progress: Progress
    audit: Audit


class Worker:
    """Reads segments, no faster than ``rate_bps`` (0: as fast as it can).

    ``scratch`` is a folder for what is being made; ``wait`` sleeps, unless all is to end.
    """

    def __init__(
        self, catalog: WorkCatalog, view: View, clock: Clock, scratch: Path, rate_bps: int,
        wait: Callable[[float], object],
    ) -> None:  # fmt: skip
        self.catalog, self.view, self.clock = catalog, view, clock
        self.scratch, self.rate_bps, self.wait = scratch, rate_bps, wait

    def rest(self, begin: float, size_bytes: int) -> None:
        """Wait until so many bytes, begun at ``begin`` (monotonic), took their time."""
        if self.rate_bps:
            spent = self.clock.monotonic() - begin
            self.wait(max(0.0, size_bytes / self.rate_bps - spent))
