"""Replication: what a site should send up, in which order, and why.  Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from policies.document import Policy, Replicate
from policies.facts import StoreFacts
from policies.match import ages_at, rules_for
from recorder.model.copies import CopyColumns
from recorder.model.keys import StreamId, said_of
from recorder.model.timebase import Instant, format_instant

CLASSES = ("urgent", "normal", "idle")


@dataclass(frozen=True, slots=True)
class Transfer:
    """One copy that a level above should get.

    ``deadline`` is ``None`` where none is set; ``clean``: only its clean points travel.
    """

    stream: StreamId
    start: Instant
    end: Instant
    writer: str
    size_bytes: int
    to: str
    class_: str
    deadline: Instant | None
    rule: str
    clean: bool = False

    @property
    def reason(self) -> str:
        """Why it travels, in words."""
        what = "its clean points are" if self.clean else "is"
        due = "" if self.deadline is None else f" by {format_instant(self.deadline, 0)}"
        return f"{what} wanted at {self.to}{due}"

    @property
    def rank(self) -> tuple[int, Instant, Instant]:
        """Order: class first, then the earliest deadline, then the oldest."""
        due = self.deadline if self.deadline is not None else 2**62
        return (CLASSES.index(self.class_), due, self.start)


def replicate(policy: Policy, facts: StoreFacts) -> list[Transfer]:
    """Say what a store's copies are wanted for above, most urgent first.

    Copies that are there already (``CopyColumns.copied``) and footage too old for the level it
    would go to are left out.
    """
    found = [one for lane in facts.lanes for one in _lane(policy, facts, lane)]
    return sorted(found, key=lambda one: one.rank)


def _lane(policy: Policy, facts: StoreFacts, lane: CopyColumns) -> Iterator[Transfer]:
    kinds: dict[int, set[str]] = {}
    for touch in said_of(facts.touches, lane.stream.camera_id):
        for i in lane.overlapping(touch.range):
            kinds.setdefault(i, set()).add(touch.kind)
    usual = _wants(policy, facts, lane, frozenset())
    for i in range(len(lane)) if usual or kinds else ():
        if i in lane.copied or i in lane.let_go or i in lane.condemned:
            continue
        some = kinds.get(i)
        wants = usual if some is None else _wants(policy, facts, lane, frozenset(some))
        for one, until, name in wants:
            clean = one.what == "clean-points" and not lane.is_thin(i)
            if lane.age(i, facts.now) < until and not (clean and i in lane.thinned):
                due = lane.ends[i] + one.within if one.within is not None else None
                yield Transfer(
                    lane.stream,
                    lane.starts[i],
                    lane.ends[i],
                    lane.writers[i],
                    lane.sizes[i],
                    one.to,
                    one.class_,
                    due,
                    name,
                    clean,
                )
                break


def _wants(
    policy: Policy, facts: StoreFacts, lane: CopyColumns, kinds: frozenset[str]
) -> list[tuple[Replicate, int, str]]:
    """Return what its rule sends up of such footage, until what age, and the rule's name."""
    rules, touched = rules_for(policy, lane.stream, lane.group, kinds), bool(kinds)
    own = policy.levels.index(facts.level) if facts.level in policy.levels else -1
    found = []
    sent = [(rule.name, i, one) for rule in rules for i, one in enumerate(rule.replicate)]
    for name, i, one in sent:
        kept = ages_at(rules, one.to, one.to, touched)
        above = policy.levels.index(one.to) > own
        if above and kept is not None and (one.what != "events" or touched):
            found.append((one, kept[0].max, f"{name}: replicate.{i}"))
    return sorted(found, key=lambda want: CLASSES.index(want[0].class_))
