"""What the janitor's slow work has in common: whom it asks, where it writes, how fast it reads."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from recorder.ports import Audit, Clock, Commits, Integrity, Planning, Progress
from recorder.reading.view import View
from recorder.throttle import Throttle


class WorkCatalog(Protocol):
    """The parts of the catalog that thinning and scrubbing use."""

    planning: Planning
    commits: Commits
    integrity: Integrity
    progress: Progress
    audit: Audit


class Worker:
    """Reads segments, no faster than ``throttle`` lets bytes through.

    ``scratch`` is a folder for what is being made.
    """

    def __init__(
        self, catalog: WorkCatalog, view: View, clock: Clock, scratch: Path, throttle: Throttle
    ) -> None:
        self.catalog, self.view, self.clock = catalog, view, clock
        self.scratch, self.throttle = scratch, throttle
