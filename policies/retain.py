"""Retention: decide for every copy in a store whether it stays, and say why.  Pure.

Laws: no held copy is condemned (L5); the last verified copy stays until its rule has
expired (L6).  Only a floor or a quota breaks a guarantee, last of all, and says so.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from policies.document import OffLink, Policy, Pressure, Quota
from policies.facts import Capacity, StoreFacts
from policies.judge import (
    FREE,
    GO,
    GUARANTEED,
    MOVE,
    STAY,
    THIN,
    UNCOPIED,
    WAIT,
    Judged,
    Verdict,
    judge,
)
from policies.match import fits
from policies.plan import Condemn, Move, Plan, Spare, Thin
from recorder.model.keys import StreamId
from recorder.model.media import THIN as THIN_MARK
from recorder.model.sizes import format_size
from recorder.model.timebase import HOUR, Instant, TimeRange, format_duration

TRICKLE = 2 * HOUR
"""What became due within so long goes because time passes, not because something changed."""
Pick = tuple[Judged, int]
"""One copy: its lane, and its place there."""


@dataclass(slots=True)
class _Work:
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
        self.waiting[why] = self.waiting.get(why, 0) + 1


def retain(policy: Policy, facts: StoreFacts) -> Plan:
    """Decide, for every living copy in a store, whether it stays."""
    work = _decide(policy, facts)
    lost = sum(1 for action in (*work.actions, *work.condemned) if action.below_min)
    if lost:
        work.warnings.append(f"{lost} segments go before their guaranteed minimum")
    kept = sum(len(judged.lane) - len(judged.gone) for judged in work.lanes)
    total = sum(sum(judged.lane.sizes) for judged in work.lanes)
    return Plan(
        facts.store,
        tuple(work.actions),
        kept,
        total - work.bytes_going,
        policy.version,
        work.waiting,
        (*facts.warnings, *work.warnings),
        _blast(policy, work),
        tuple(work.thins),
        tuple(work.condemned),
        tuple(_spares(work)),
        tuple(work.moves),
    )


def _spares(work: _Work) -> Iterator[Spare]:
    """Yield the copies marked before that nothing lets go today."""
    limit = _off_link(work.policy.off_link, work.facts)
    for judged in work.lanes:
        lane = judged.lane
        for i in sorted(lane.condemned - judged.gone):
            said = judged.verdict(i, limit)
            yield Spare(
                lane.stream,
                lane.starts[i],
                lane.ends[i],
                lane.writers[i],
                lane.sizes[i],
                said.rule,
                said.reason,
            )


def verdict_on(
    policy: Policy, facts: StoreFacts, stream: StreamId, start: Instant, writer: str
) -> tuple[Verdict, str] | None:
    """Return what the plan of these facts does with one copy, and why it is stopped, if it is.

    ``None`` when the copy is not among them.  For what room makes go, ``facts`` must hold all
    copies: see :func:`needs_all`.
    """
    work = _decide(policy, facts)
    found = _found(policy, work, stream, start, writer)
    return (found, _blast(policy, work)) if found is not None else None


def _found(
    policy: Policy, work: _Work, stream: StreamId, start: Instant, writer: str
) -> Verdict | None:
    planned = ((work.actions, GO), (work.condemned, GO), (work.thins, THIN), (work.moves, MOVE))
    for made, do in planned:
        for one in made:
            if (one.stream, one.start, one.writer) == (stream, start, writer):
                to = one.to if isinstance(one, Move) else ""
                return Verdict(do, one.rule, one.reason, to=to)
    for judged in work.lanes:
        lane = judged.lane
        for i in lane.overlapping(TimeRange(start, start + 1)) if lane.stream == stream else ():
            if (lane.starts[i], lane.writers[i]) == (start, writer):
                limit = _off_link(policy.off_link, work.facts)
                found = judged.verdict(i, limit)
                if found.do != STAY:
                    return found
                if i in judged.thinnable():
                    return judged.thin_verdict(i, limit, made=False)  # it waits
                move = judged.moved(i) if i not in judged.held else None
                return judged.move_verdict(i, move[0], there=move[1]) if move else found
    return None


def _decide(policy: Policy, facts: StoreFacts) -> _Work:
    work = _Work(policy, facts, [judge(policy, facts, lane) for lane in facts.lanes])
    if facts.level not in policy.levels and not all("any" in rule.keep for rule in policy.rules):
        work.warnings.append(
            f"this site's level {facts.level!r} is not among the document's: "
            "what no rule keeps by store or `any` is kept"
        )
    limit = _off_link(policy.off_link, facts)
    _move_out(work)
    _age_out(work, limit)
    _thin_out(work, limit)
    if limit in ("", "all"):
        for quota in policy.quotas:
            for said, lanes in _scopes(work, quota):
                _ceiling(work, quota, said, lanes)
    if limit != "nothing":
        _floor(work, limit)
    return work


def _off_link(rule: OffLink | None, facts: StoreFacts) -> str:
    """Return what the site may still do out of touch; nothing said means no limit."""
    silent = facts.parent_silent_ns
    return rule.may if rule is not None and silent is not None and silent > rule.after else ""


def _move_out(work: _Work) -> None:
    """Put into another store what belongs there; let go of it here once it is there.

    First of all: what is elsewhere, too, goes before anything that is nowhere else.
    """
    for judged in work.lanes:
        lane = judged.lane
        made = _made_thin(judged)
        for i, step, there in judged.movable():
            if (lane.starts[i], lane.writers[i] + THIN_MARK) in made:
                continue  # it goes as what is thin
            said = judged.move_verdict(i, step, there=there)
            if said.do == GO:
                due = judged.due(i, step.after_ns)
                work.take((judged, i), said.rule, said.reason, due=due, moved=True)
                continue
            judged.leaving.add(i)
            if said.do == WAIT:
                work.leave(said.reason)
            else:
                work.moves.append(
                    Move(
                        lane.stream,
                        lane.starts[i],
                        lane.ends[i],
                        lane.writers[i],
                        lane.sizes[i],
                        said.rule,
                        said.reason,
                        said.to,
                    )
                )


def _made_thin(judged: Judged) -> set[tuple[Instant, str]]:
    """Return what there is of a lane that is thin, by start and writer."""
    lane = judged.lane
    return {
        (lane.starts[i], lane.writers[i])
        for i in range(len(lane))
        if lane.is_thin(i) and i not in lane.condemned
    }


def _age_out(work: _Work, limit: str) -> None:
    for judged in work.lanes:
        for i in judged.expired():
            if i in judged.gone or i in judged.leaving:
                continue
            said = judged.verdict(i, limit)
            if said.do == GO:
                due = judged.due(i, judged.case(i).ages.max)
                work.take((judged, i), said.rule, said.reason, due=due)
            else:
                work.leave(said.reason)


def _thin_out(work: _Work, limit: str) -> None:
    """Make thin what is old enough; let the original go once its clean points are there."""
    for judged in work.lanes:
        lane = judged.lane
        made = _made_thin(judged)
        for i in judged.thinnable():
            if i in judged.leaving:
                continue  # whole, as it is to be there
            thin = (lane.starts[i], lane.writers[i] + THIN_MARK) in made
            said = judged.thin_verdict(i, limit, made=thin)
            if said.do == WAIT:
                work.leave(said.reason)
            elif said.do == GO:
                due = judged.due(i, judged.case(i).thin_ns)
                work.take((judged, i), said.rule, said.reason, due=due)
            else:
                work.thins.append(
                    Thin(
                        lane.stream,
                        lane.starts[i],
                        lane.ends[i],
                        lane.writers[i],
                        lane.sizes[i],
                        said.rule,
                        said.reason,
                    )
                )


def _oldest(lanes: Sequence[Judged], tier: int, oldest_ns: int = 0) -> Iterator[Pick]:
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


def _scopes(work: _Work, quota: Quota) -> list[tuple[str, list[Judged]]]:
    """Return what a quota is for, each site, group or camera by itself where it says so."""
    if quota.store not in ("any", work.facts.store, work.facts.level):
        return []
    found: dict[str, list[Judged]] = {}
    for one in work.lanes:
        if fits(quota.match, one.lane.stream, one.lane.group):
            stream = one.lane.stream
            whose = {"site": stream.site, "group": one.lane.group, "camera": stream.camera_id}
            said = f"{quota.name} of {whose[quota.per]}" if quota.per in whose else quota.name
            found.setdefault(said, []).append(one)
    return list(found.items())


def _standing(lanes: Sequence[Judged]) -> int:
    return sum(sum(one.lane.sizes) - sum(one.lane.sizes[i] for i in one.gone) for one in lanes)


def _ceiling(work: _Work, quota: Quota, said: str, lanes: Sequence[Judged]) -> None:
    if quota.max is None:
        return
    over = _standing(lanes) - quota.max
    for tier in (FREE, UNCOPIED, GUARANTEED):
        if over <= 0:
            return
        for judged, i in _oldest(lanes, tier):
            if over <= 0:
                return
            over -= judged.lane.sizes[i]
            reason = f"quota {said} is over its {format_size(quota.max)}"
            work.take((judged, i), f"quota.{quota.name}", reason, tier)
    if over > 0:
        work.warnings.append(
            f"quota {said} is over by {format_size(over)}, and all that is left is held"
        )


def _floor(work: _Work, limit: str) -> None:
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
            for pick in _oldest(lanes, tier, step.older_than):
                if missing <= 0:
                    return
                uncopied = pick[1] not in pick[0].lane.copied
                if (limit == "copied" and uncopied) or not guard.lets(pick, tier):
                    continue
                missing -= pick[0].lane.sizes[pick[1]]
                work.take(pick, rule, reason, tier)
    work.warnings.append(f"still {format_size(missing)} below the floor: all that is left is held")


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

    def __init__(self, work: _Work) -> None:
        self._left: dict[str, int] = {}
        self._of: dict[int, list[str]] = {}
        for quota in work.policy.quotas:
            for said, lanes in _scopes(work, quota) if quota.min else ():
                self._left[said] = _standing(lanes) - quota.min
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


def _blast(policy: Policy, work: _Work) -> str:
    """Stop a plan that takes too large a share of our footage within an hour.

    What grows old as time passes is a trickle and is not counted, nor is what lies in another
    store of this site; nor, of what went before in this hour, as much as came.
    """
    capacity: Capacity = work.facts.capacity
    marked = sum(judged.lane.sizes[i] for judged in work.lanes for i in judged.lane.condemned)
    total = max(capacity.stored_bytes, sum(sum(judged.lane.sizes) for judged in work.lanes))
    total += max(0, capacity.condemned_lately_bytes - marked)  # was here when the hour began
    fresh = sum(one.size_bytes for one in work.actions if not _just_due(work, one))
    trickle = sum(one.size_bytes for one in work.condemned if _just_due(work, one))
    before = capacity.condemned_lately_bytes - max(trickle, capacity.arrived_lately_bytes)
    gone = fresh + max(0, before)
    if gone > policy.blast_radius * total:
        return (
            f"would condemn {100 * gone / total:.0f} % of the store within an hour, more than "
            f"blast_radius {100 * policy.blast_radius:g} %"
        )
    return ""


def _just_due(work: _Work, action: Condemn) -> bool:
    """Tell whether a copy's time was up only within the last hours, or it is elsewhere."""
    return action.moved or 0 <= work.facts.now - action.due <= TRICKLE


def needs_all(policy: Policy, capacity: Capacity, floor: float) -> bool:
    """Tell whether a plan must see all copies, not only those that may be past their age."""
    return capacity.total_bytes is None or bool(policy.quotas) or capacity.missing(floor) > 0


def shortest_ns(policy: Policy) -> int:
    """Return the shortest age at which any footage may go."""
    ages = [
        ages.max
        for rule in policy.rules
        for keep in rule.keep.values()
        for ages in (keep, keep.events)
        if ages is not None
    ]
    ages += [thin.after for rule in policy.rules for thin in rule.thin]
    ages += [move.after for rule in policy.rules for move in rule.move]
    levels = set(policy.levels)
    bare = any(not ("any" in rule.keep or levels <= set(rule.keep)) for rule in policy.rules)
    return 0 if bare else min(ages)
