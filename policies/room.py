"""Room: quotas over their most, a store below its floor; guarantees give way last."""

from __future__ import annotations

from collections.abc import Sequence

from policies.document import Pressure, Quota
from policies.facts import Capacity
from policies.judge import (
    FREE,
    GUARANTEED,
    UNCOPIED,
    Judged,
)
from policies.match import fits
from policies.work import Pick, Work, oldest, scopes_of, standing_bytes
from recorder.model.sizes import format_size
from recorder.model.timebase import format_duration


def keep_ceiling(work: Work, quota: Quota, said: str, lanes: Sequence[Judged]) -> None:
    """Let the oldest of what a quota is for go while it is over its most."""
    if quota.max is None:
        return
    over = standing_bytes(lanes) - quota.max
    for tier in (FREE, UNCOPIED, GUARANTEED):
        if over <= 0:
            return
        for judged, i in oldest(lanes, tier):
            if over <= 0:
                return
            over -= judged.lane.sizes[i]
            reason = f"quota {said} is over its {format_size(quota.max)}"
            work.take((judged, i), f"quota.{quota.name}", reason, tier)
    if over > 0:
        work.warnings.append(
            f"quota {said} is over by {format_size(over)}, and all that is left is held"
        )


def keep_floor(work: Work, limit: str) -> None:
    """Make room when the store is below its floor, by the operator's order."""
    capacity, facts = work.facts.capacity, work.facts
    if capacity.total_bytes is None:
        return
    floor = work.policy.room(facts.store, facts.level).floor
    missing = capacity.missing(floor) - work.bytes_going
    if missing <= 0:
        return
    guard = _Guard(work)
    reason = _low(capacity, floor)
    steps = (*work.policy.pressure, Pressure())
    for tier in (FREE, UNCOPIED, GUARANTEED):
        for n, step in enumerate(steps):
            lanes = [j for j in work.lanes if fits(step.match, j.lane.stream, j.lane.group)]
            rule = "floor" if n == len(steps) - 1 else f"pressure.{n}"
            for pick in oldest(lanes, tier, step.older_than):
                if missing <= 0:
                    return
                uncopied = pick[1] not in pick[0].lane.copied
                if (limit == "copied" and uncopied) or not guard.lets(pick, tier):
                    continue
                missing -= 0 if pick[1] in pick[0].lane.refused else pick[0].lane.sizes[pick[1]]
                work.take(pick, rule, reason, tier)
    if missing > 0:
        work.warnings.append(f"still {format_size(missing)} below the floor: {_left(work, limit)}")


def _left(work: Work, limit: str) -> str:
    """Say why nothing more goes."""
    if not standing_bytes(work.lanes):
        what = (
            "what the store refuses to delete fills" if work.bytes_refused else "other files fill"
        )
        return f"all of its footage goes; {what} the disk"
    held = sum(one.lane.sizes[i] for one in work.lanes for i in one.held - one.gone)
    if limit == "copied" and held < standing_bytes(work.lanes):
        return "all that is left is held, or not copied yet"
    return "all that is left is held"


def _low(capacity: Capacity, floor: float) -> str:
    """Say whether a store is below its floor now, or will be before what goes now is deleted."""
    said = f"its floor of {100 * floor:g} % free"
    total = capacity.total_bytes or 0
    if capacity.free_bytes + capacity.begun_bytes < floor * total:
        return f"store below {said}"
    coming, within = format_size(capacity.arriving_bytes), format_duration(capacity.grace_ns)
    return f"store falls below {said} within its grace of {within}, in which {coming} come"


class _Guard:
    """Keeps pressure from taking what a quota guarantees, until nothing else is left."""

    def __init__(self, work: Work) -> None:
        self._left: dict[str, int] = {}
        self._of: dict[int, list[str]] = {}
        for quota in work.policy.quotas:
            for said, lanes in scopes_of(work, quota) if quota.min else ():
                self._left[said] = standing_bytes(lanes) - quota.min
                for judged in lanes:
                    self._of.setdefault(id(judged), []).append(said)

    def lets(self, pick: Pick, tier: int) -> bool:
        """Say whether a copy may go now; if so, count it."""
        judged, i = pick
        size = judged.lane.sizes[i]
        quotas = self._of.get(id(judged), [])
        if tier != GUARANTEED and any(self._left[quota] < size for quota in quotas):
            return False
        for quota in quotas:
            self._left[quota] -= size
        return True
