"""A plan in the making: what goes, what waits, and what that costs."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from policies.document import Policy, Quota
from policies.facts import StoreFacts
from policies.judge import (
    FREE,
    GUARANTEED,
    UNCOPIED,
    Judged,
)
from policies.match import counted_in
from policies.plan import Condemn, Move, Thin
from recorder.model.timebase import HOUR, Instant, format_duration

TRICKLE = 2 * HOUR
"""What became due within so long goes because time passes, not because something changed."""


Pick = tuple[Judged, int]
"""One copy: its lane, and its place there."""


@dataclass(slots=True)
class Work:
    """A plan in the making."""

    policy: Policy
    facts: StoreFacts
    lanes: Sequence[Judged]
    actions: list[Condemn] = field(default_factory=list)
    waiting: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    thins: list[Thin] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    condemned: list[Condemn] = field(default_factory=list)
    bytes_going: int = 0
    bytes_refused: int = 0

    def take(
        self,
        pick: Pick,
        rule: str,
        reason: str,
        tier: int = FREE,
        due: Instant | None = None,
        *,
        moved: bool = False,
    ) -> None:
        """Let a copy go; one that is marked already stays marked."""
        judged, i = pick
        lane = judged.lane
        judged.gone.add(i)
        if i in lane.refused:  # no room comes of it
            self.bytes_refused += lane.sizes[i]
        else:
            self.bytes_going += lane.sizes[i]
        (self.condemned if i in lane.condemned else self.actions).append(
            Condemn(
                lane.stream,
                lane.starts[i],
                lane.ends[i],
                lane.writers[i],
                lane.sizes[i],
                rule,
                reason + _cost(judged, i, tier),
                tier == GUARANTEED,
                due or 0,
                moved,
            )
        )

    def leave(self, why: str) -> None:
        """Count a copy that waits."""
        self.waiting[why] = self.waiting.get(why, 0) + 1


def oldest(lanes: Sequence[Judged], tier: int, oldest_ns: int = 0) -> Iterator[Pick]:
    """Yield what stands in a tier over all lanes, oldest first."""

    def one(n: int, judged: Judged) -> Iterator[tuple[int, int, int]]:
        for i in judged.below(tier, oldest_ns):
            yield judged.lane.starts[i], n, i

    for _, n, i in heapq.merge(*(one(n, judged) for n, judged in enumerate(lanes))):
        yield lanes[n], i


def _cost(judged: Judged, i: int, tier: int) -> str:
    """Say what letting a copy go breaks."""
    case = judged.case(i)
    if tier == GUARANTEED and judged.tier(i) == GUARANTEED:
        return f"; below its guaranteed {format_duration(case.ages.min)}"
    if tier == GUARANTEED:
        return "; below what a quota guarantees"
    if tier == UNCOPIED:
        return f"; {judged.missing(i)} is not there yet"
    return ""


def scopes_of(work: Work, quota: Quota) -> list[tuple[str, list[Judged]]]:
    """Return what a quota is for, each site, group or camera by itself where it says so."""
    store, level = work.facts.store, work.facts.level
    found: dict[str, list[Judged]] = {}
    for one in work.lanes:
        if said := counted_in(quota, store, level, one.lane.stream, one.lane.group):
            found.setdefault(said, []).append(one)
    return list(found.items())


def standing_bytes(lanes: Sequence[Judged]) -> int:
    """Sum what stays of lanes so far."""
    return sum(sum(one.lane.sizes) - sum(one.lane.sizes[i] for i in one.gone) for one in lanes)
