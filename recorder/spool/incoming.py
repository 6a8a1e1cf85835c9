"""Transfers on their way in: a part of a file each, written by one at a time.

A site below goes on with a part where it stands, after days if need be; one that it never goes
on with must not lie here for ever.  Whatever is dropped here, that site still has.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

from recorder.model.timebase import MINUTE, Instant
from recorder.spool.folders import Lying, files_under
from recorder.turns import OneAtATime

IDLE_NS = 10 * MINUTE
"""A part that got no byte for so long goes when room is wanted: a line that is up sends on within
seconds, and one that is down will have to begin this one file anew."""


class Incoming:
    """The parts in a folder; they survive restarts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._turns = OneAtATime()

    def part_of(self, key: str) -> Path:
        """Name the part of a transfer."""
        return self.folder / (hashlib.sha256(key.encode()).hexdigest() + ".part")

    @contextlib.contextmanager
    def writing(self, key: str) -> Iterator[Path]:
        """Be the only one who writes a part, or takes it away."""
        part = self.part_of(key)
        with self._turns.wait(part.name):
            yield part

    def lying(self) -> list[Lying]:
        """Return the parts there are, the one longest without a byte first."""
        found = [Lying("incoming", *one) for one in files_under(self.folder)]
        return sorted(found, key=lambda one: one.touched)

    def idle(self, now: Instant) -> list[Lying]:
        """Return the parts that may go when room is wanted, the longest idle first."""
        return [one for one in self.lying() if abs(now - one.touched) >= IDLE_NS]

    def make_room(self, wanted_bytes: int, now: Instant) -> int:
        """Drop idle parts, the longest idle first, if they make room enough; return the bytes."""
        idle, freed = self.idle(now), 0
        if sum(one.size_bytes for one in idle) < wanted_bytes:
            return 0
        for one in idle:
            if freed >= wanted_bytes:
                break
            freed += self.drop(one)
        return freed

    def drop(self, one: Lying) -> int:
        """Remove a part, unless it is being written or has got bytes since; return its bytes."""
        path = self.folder / one.name
        with self._turns.now(one.name) as free:
            try:
                if not free or path.stat().st_mtime_ns != one.touched:
                    return 0
                path.unlink()
            except FileNotFoundError:
                return 0
        return one.size_bytes
