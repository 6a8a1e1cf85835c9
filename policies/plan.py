"""Plans: what should be done to which copy, by which rule, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from recorder.model.keys import StreamId
from recorder.model.timebase import DAY, Instant


@dataclass(frozen=True, slots=True)
class Condemn:
    """Mark one copy for deletion.

    ``below_min`` says that a guarantee is broken by it; ``due`` since when its time is up, 0
    where it goes for another reason; ``moved``: it is in another store of this site.
    """

    stream: StreamId
    start: Instant
    end: Instant
    writer: str
    size_bytes: int
    rule: str
    reason: str
    below_min: bool = False
    due: Instant = 0
    moved: bool = False


@dataclass(frozen=True, slots=True)
class Thin:
    """Make a smaller segment of one copy's clean points; the copy itself goes afterwards."""

    stream: StreamId
    start: Instant
    end: Instant
    writer: str
    size_bytes: int
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Move:
    """Copy one copy into store ``to`` of the same site; it goes here afterwards."""

    stream: StreamId
    start: Instant
    end: Instant
    writer: str
    size_bytes: int
    rule: str
    reason: str
    to: str


@dataclass(frozen=True, slots=True)
class Spare:
    """Take back the mark of a copy that the plan would not condemn today."""

    stream: StreamId
    start: Instant
    end: Instant
    writer: str
    size_bytes: int
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Decided, not done.  ``kept`` and ``kept_bytes`` count what stays.

    ``thins`` and ``moves`` are made before their originals can be condemned, by a later plan.
    ``condemned`` are those marked before, for which the plan gives the reasons of today;
    ``spares`` those that lose their mark, whether or not the plan is stopped.

    ``waiting`` counts copies past their age that stay, by why; ``warnings`` are what a
    person must know; ``stopped`` says why the plan needs an admin's word.
    """

    store: str
    actions: tuple[Condemn, ...]
    kept: int
    kept_bytes: int
    version: int
    waiting: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    stopped: str = ""
    thins: tuple[Thin, ...] = ()
    condemned: tuple[Condemn, ...] = ()
    spares: tuple[Spare, ...] = ()
    moves: tuple[Move, ...] = ()

    @property
    def bytes_going(self) -> int:
        """Bytes the plan would free."""
        return sum(action.size_bytes for action in self.actions)

    @property
    def bytes_thinned(self) -> int:
        """Bytes of what the plan would make thin."""
        return sum(one.size_bytes for one in self.thins)

    @property
    def bytes_moved(self) -> int:
        """Bytes of what the plan would put into other stores."""
        return sum(one.size_bytes for one in self.moves)

    @property
    def camera_days(self) -> float:
        """Footage the plan would delete, in days of one camera."""
        return sum(action.end - action.start for action in self.actions) / DAY


def by_rule(actions: Iterable[Condemn]) -> dict[str, int]:
    """Count actions per rule."""
    counts: dict[str, int] = {}
    for action in actions:
        counts[action.rule] = counts.get(action.rule, 0) + 1
    return counts
