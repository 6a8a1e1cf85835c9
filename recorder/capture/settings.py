"""How a node captures, and what capture needs of the spool."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from recorder.capture.allowed import Allowed
from recorder.capture.growth import GrowthSpool
from recorder.capture.looks import Looks
from recorder.capture.sealer import SealSpool
from recorder.model.runs import Run
from recorder.model.timebase import Instant
from recorder.spool.silent import Silence


class CaptureSpool(SealSpool, GrowthSpool, Protocol):
    """What capture needs of the spool."""

    silence: Silence

    def open_run(self, run: Run) -> Path:
        """Make the folder of a run."""

    def ahead_ns(self, folder: Path, before: Instant, after: Instant) -> int:
        """Say how far the disk's clock is ahead of ours; a run was described in between."""

    def describe_run(self, folder: Path, run: Run) -> None:
        """Write (again) what a run is."""

    def runs(self) -> list[tuple[Run, Path]]:
        """Return the runs on disk, oldest first."""


@dataclass(frozen=True, slots=True)
class CaptureSettings:
    """How this node captures."""

    ffmpeg: str
    node: str
    term: int
    segment_s: int = 60
    connect_s: float = 10.0
    stop_s: float = 5.0
    allowed: Allowed = field(default_factory=Allowed)
    looks: Looks = field(default_factory=Looks, compare=False)
    """Where all streams of the node are looked at."""
