"""Plans: what should be done to which copy, by which rule, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from recorder.model.media import Copy


@dataclass(frozen=True, slots=True)
class Condemn:
    """Mark a copy for deletion."""

    copy: Copy
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Decided, not done.  ``kept`` and ``kept_bytes`` count what stays.

    ``stopped`` says why the plan must not be carried out without an admin's word.
    """

    store: str
    actions: tuple[Condemn, ...]
    kept: int
    kept_bytes: int
    version: int
    stopped: str = ""

    @property
    def bytes_going(self) -> int:
        """Bytes the plan would free."""
        return sum(action.copy.segment.size_bytes for action in self.actions)

    @property
    def duration_going_ns(self) -> int:
        """Footage time the plan would delete."""
        return sum(action.copy.segment.range.duration_ns for action in self.actions)


def by_rule(actions: Iterable[Condemn]) -> dict[str, int]:
    """Count actions per rule."""
    counts: dict[str, int] = {}
    for action in actions:
        counts[action.rule] = counts.get(action.rule, 0) + 1
    return counts
