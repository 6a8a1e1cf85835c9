"""How far back a plan must look, and how much it may take at once."""

from __future__ import annotations

from policies.document import Policy
from policies.facts import Capacity
from policies.plan import Condemn
from policies.work import TRICKLE, Work


def blast(policy: Policy, work: Work) -> str:
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


def _just_due(work: Work, action: Condemn) -> bool:
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
