"""What exports are made with: parts of the catalog, a folder, a clock, and who makes a bundle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from recorder.export.kept import Bundles
from recorder.janitor.pinned import Pin
from recorder.model.exports import Export
from recorder.model.timebase import HOUR, MINUTE, SECOND, Instant
from recorder.ports import Clock, Exports, Holds

LEASE_NS = MINUTE
"""So long a node has an export that it does not speak of; renewed with every round."""
PACE_NS = 5 * SECOND
MOST_PACE_NS = 5 * MINUTE
"""How long is waited between two tries: twice as long each time, from one to the other."""
SILENT_NS = HOUR
"""A node that has not let go for so long of what is over is gone: another takes note of it."""


class Progressing(Protocol):
    """Who is told how far a bundle is, and says when nobody wants it any more."""

    def begin(self, all_bytes: int) -> None:
        """Hear of how much footage it will be."""

    def step(self, more_bytes: int) -> None:
        """Hear of how much more is written."""

    def check(self) -> None:
        """Raise when it is not ours any more, or the process ends."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What a node makes exports with.

    ``make`` writes the files of a bundle into a folder; ``note`` writes into the audit log what
    this node does to one by itself.  ``keep_ns``: how long a bundle lies there; 0: for ever.
    ``proven``: the time that something may go by; ``None`` while the clock is in doubt.
    """

    exports: Exports
    holds: Holds
    bundles: Bundles
    clock: Clock
    node: str
    keep_ns: int
    make: Callable[[Export, Path, Progressing], object]
    note: Callable[[str, Export, dict[str, object]], None]
    proven: Callable[[], Instant | None]

    def is_past(self, at: Instant) -> bool:
        """Tell whether an instant is over, by the clock and by the time that is proven."""
        if self.clock.now() < at:
            return False
        proven = self.proven()
        return proven is not None and proven >= at

    def pin(self, export: Export) -> Pin:
        """Return what holds an export's footage."""
        return pin_of(self.holds, self.clock, export)


def pin_of(holds: Holds, clock: Clock, export: Export) -> Pin:
    """Return what holds an export's footage."""
    wanted = export.wanted
    reason = f"export {export.export_id} is being made"
    return Pin(
        holds,
        clock,
        export.hold_name,
        wanted.cameras,
        wanted.range,
        wanted.case,
        reason,
        export.who,
    )
