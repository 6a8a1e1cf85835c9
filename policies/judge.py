"""What the rules say about each copy of one stream at one store.  Pure.

Most copies of a stream fall under one rule; only those touched by events, held, or copied
upward are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from policies.document import FOREVER, Ages, Policy, Rule
from policies.facts import StoreFacts
from policies.match import Step, ages_at, moves_at, rule_for, rules_for, thin_at
from recorder.model.copies import CopyColumns
from recorder.model.keys import said_of
from recorder.model.timebase import Instant, format_duration

FREE, UNCOPIED, GUARANTEED = 0, 1, 2
"""How much lets a copy go: nothing holds it; its copy above is missing; its ``min`` holds it."""


STAY, WAIT, GO, THIN, MOVE = "stay", "wait", "go", "thin", "move"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What policy does with one copy: the planner acts on it, an explanation prints it.

    ``do``: it stays; it would go and waits; it goes; its clean points are made a segment of
    their own, or it is put into another store, and it goes after.  ``rule`` is where the document
    says so, ``until`` when it goes if nothing changes, ``None`` where nothing says when; ``to``:
    the store that it goes to then.
    """

    do: str
    rule: str
    reason: str
    until: Instant | None = None
    to: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """What one rule says about a copy here.

    ``path`` is where the document says it; ``needs`` are (level, age in ns, clean points
    only): until that age the rule wants a copy at that level above.  ``thin_ns``: from that
    age on only clean points stay here, by ``thin_path``.  ``moves``: where it goes from here, by
    age; ``arrives_ns``: from that age on it lies here.
    """

    ages: Ages
    path: str
    needs: tuple[tuple[str, int, bool], ...] = ()
    thin_ns: int = FOREVER
    thin_path: str = ""
    moves: tuple[Step, ...] = ()
    arrives_ns: int = 0


@dataclass(slots=True)
class Judged:
    """A lane with the cases of its copies.

    ``gone`` are those already let go, ``leaving`` those that go once they may, for they belong in
    another store.
    """

    lane: CopyColumns
    now: Instant
    usual: Case
    special: dict[int, Case] = field(default_factory=dict)
    held: set[int] = field(default_factory=set)
    gone: set[int] = field(default_factory=set)
    leaving: set[int] = field(default_factory=set)
    unnamed: set[int] = field(default_factory=set)
    """Another recorder's, for which only the rule for everything else matches: they stay."""

    def case(self, i: int) -> Case:
        """Return what applies to one copy."""
        return self.special.get(i, self.usual)

    def age(self, i: int) -> int:
        """Return how old copy ``i`` is, in ns."""
        return self.lane.age(i, self.now)

    def due(self, i: int, age_ns: int) -> Instant | None:
        """Return when copy ``i`` is so old; ``None``: never."""
        return self.now - self.age(i) + age_ns if age_ns < FOREVER else None

    def missing_above(self, i: int) -> str:
        """Return the level that still wants a copy of copy ``i``, or nothing."""
        lane, age = self.lane, self.age(i)
        if i in lane.copied or i in lane.let_go:
            return ""
        for level, until, clean in self.case(i).needs:
            if age < until and not (clean and i in lane.thinned):
                return level
        return ""

    def moved(self, i: int) -> tuple[Step, bool] | None:
        """Say to which store copy ``i`` belongs by its age, and whether it is in one of those.

        ``None``: it belongs here.
        """
        moves = self.case(i).moves
        if not moves:
            return None
        age, elsewhere = self.age(i), self.lane.elsewhere
        reached = [one for one in moves if one.after_ns <= age < one.until_ns]
        there = next((one for one in reached if i in elsewhere.get(one.to, ())), None)
        return (there or reached[-1], there is not None) if reached else None

    def missing(self, i: int) -> str:
        """Say which copy of copy ``i`` is still wanted elsewhere, or nothing."""
        level, move = self.missing_above(i), self.moved(i)
        if level:
            return f"its copy at {level}"
        return f"its copy in store {move[0].to}" if move is not None and not move[1] else ""

    def waits(self, i: int, limit: str) -> str:
        """Say why copy ``i``, whose time is up, must stay all the same, or nothing.

        ``limit`` is what the site may do out of touch with its parent.
        """
        if limit in ("nothing", "floor") or (limit == "copied" and i not in self.lane.copied):
            return "the parent has not been heard from (off_link)"
        missing = self.missing(i)
        return f"{missing} is not there yet" if missing else ""

    def verdict(self, i: int, limit: str) -> Verdict:
        """Say what age and rule do with copy ``i``; room is another matter."""
        case = self.case(i)
        until = self.due(i, case.ages.max)
        if i in self.unnamed:
            return Verdict(STAY, "foreign", "another recorder wrote it, and no rule names it")
        if i in self.held:
            return Verdict(STAY, "hold", "it is held")
        if until is None or until > self.now:
            step = next((one for one in case.moves if one.after_ns > self.age(i)), None)
            due = self.due(i, step.after_ns) if step is not None else None
            if step is not None and due is not None and (until is None or due < until):
                return Verdict(STAY, step.path, "its time is not up", due, step.to)
            return Verdict(STAY, case.path, "its time is not up", until)
        reason = f"older than {format_duration(case.ages.max)}"
        why = self.waits(i, limit)
        return Verdict(WAIT, case.path, why) if why else Verdict(GO, case.path, reason)

    def thin_verdict(self, i: int, limit: str, *, made: bool) -> Verdict:
        """Say what becomes of copy ``i``, which is :meth:`thinnable`; ``made``: it is thin, too."""
        case = self.case(i)
        why = self.waits(i, limit)
        if why:
            return Verdict(WAIT, case.thin_path, why)
        reason = f"only clean points stay after {format_duration(case.thin_ns)}"
        return Verdict(GO if made else THIN, case.thin_path, reason)

    def move_verdict(self, i: int, step: Step, *, there: bool) -> Verdict:
        """Say what becomes of copy ``i``, which is :meth:`movable`; ``there``: and moved.

        It is in no danger, whatever the parent says or does not; but what is still wanted above
        is sent from here.
        """
        after = format_duration(step.after_ns)
        if not there:
            reason = f"it belongs in store {step.to} after {after}"
            return Verdict(MOVE, step.path, reason, to=step.to)
        missing = self.missing_above(i)
        if missing:
            return Verdict(WAIT, step.path, f"its copy at {missing} is not there yet")
        return Verdict(GO, step.path, f"it is in store {step.to}, where it belongs after {after}")

    def movable(self) -> Iterator[tuple[int, Step, bool]]:
        """Yield the copies that belong in another store and are not held, oldest first.

        With each, where it belongs, and whether it is there.
        """
        cases = (self.usual, *self.special.values())
        least = min((one.after_ns for case in cases for one in case.moves), default=FOREVER)
        for i in range(len(self.lane)) if least < FOREVER else ():
            if self.age(i) < least or i in self.held or i in self.gone:
                continue
            found = self.moved(i)
            if found is not None:
                yield i, *found

    def thinnable(self) -> Iterator[int]:
        """Yield the whole copies of which only clean points are to stay, oldest first."""
        lane = self.lane
        least = min([self.usual.thin_ns, *(case.thin_ns for case in self.special.values())])
        if least >= FOREVER:
            return
        for i in range(len(lane)):
            age = self.age(i)
            if age < least:
                continue
            free = i not in self.held and i not in self.gone and not lane.is_thin(i)
            if free and age >= self.case(i).thin_ns:
                yield i

    def tier(self, i: int) -> int:
        """Say how much lets copy ``i`` go under pressure."""
        case, age = self.case(i), self.age(i)
        if age < case.ages.min:
            return GUARANTEED
        if self.missing(i):
            return UNCOPIED
        return FREE

    def expired(self) -> Iterator[int]:
        """Yield the copies past their ``max`` that nobody holds, oldest first."""
        lane, cutoff = self.lane, self.now - self.usual.ages.max
        for i, start in enumerate(lane.starts):
            if start > cutoff:
                break
            if lane.ends[i] > cutoff or i in self.special or i in self.held:
                continue
            if i not in lane.since or self.age(i) >= self.usual.ages.max:
                yield i
        for i in sorted(self.special):
            if i not in self.held and self.age(i) >= self.special[i].ages.max:
                yield i

    def below(self, tier: int, oldest_ns: int = 0) -> Iterator[int]:
        """Yield what still stands in a tier, oldest first, at least ``oldest_ns`` old."""
        lane, last = self.lane, len(self.lane)
        young = self.now - max(oldest_ns, self.usual.ages.min if tier < GUARANTEED else 0)
        specials_from = max(self.special, default=-1)
        for i in range(last):
            if lane.ends[i] > young and i > specials_from:
                return
            if i in self.gone or i in self.held or self.age(i) < oldest_ns:
                continue
            if tier == GUARANTEED or self.tier(i) == tier:
                yield i  # in the last tier, also what a quota kept from going before


def judge(policy: Policy, facts: StoreFacts, lane: CopyColumns) -> Judged:
    """Apply the rules to one lane."""
    usual = case_of(policy, facts, lane, frozenset())
    judged = Judged(lane, facts.now, usual)
    foreign = lane.foreign
    if foreign and rule_for(policy, lane.stream, lane.group, frozenset()).match.anything:
        judged.unnamed = foreign
        judged.held.update(foreign)
    for hold in said_of(facts.holds, lane.stream.camera_id):
        judged.held.update(lane.overlapping(hold))
    kinds: dict[int, set[str]] = {}
    for touch in said_of(facts.touches, lane.stream.camera_id):
        for i in lane.overlapping(touch.range):
            kinds.setdefault(i, set()).add(touch.kind)
    known: dict[frozenset[str], Case] = {}
    for i, found in kinds.items():
        some = frozenset(found)
        if some not in known:
            known[some] = case_of(policy, facts, lane, some)
        judged.special[i] = known[some]
    return judged


def case_of(policy: Policy, facts: StoreFacts, lane: CopyColumns, kinds: frozenset[str]) -> Case:
    """Return what applies to footage of a lane touched by events of ``kinds``."""
    rules, touched = rules_for(policy, lane.stream, lane.group, kinds), bool(kinds)
    found = ages_at(rules, facts.store, facts.level, touched)
    needs = _needs(policy, rules, facts.level, touched)
    name = rules[0].name
    if found is None and facts.level not in policy.levels:
        path = f"{name}: level {facts.level!r} is not among the document's levels"
        return Case(Ages(min=FOREVER, max=FOREVER), path)
    if found is None:
        return Case(Ages(min=0, max=0), f"{name}: nothing kept at {facts.level}", needs)
    thinned = thin_at(rules, facts.store, facts.level, touched)
    return Case(
        *found, needs, *thinned, *moves_at(rules, facts.store, facts.level, touched, facts.others)
    )


def _needs(
    policy: Policy, rules: Sequence[Rule], level: str, touched: bool
) -> tuple[tuple[str, int, bool], ...]:
    """Return the levels above that rules send such footage to, and until what age."""
    needs = []
    for one in (one for rule in rules for one in rule.replicate):
        above = policy.levels.index(one.to) > _height(policy, level)
        found = ages_at(rules, one.to, one.to, touched)
        if above and found is not None and (one.what != "events" or touched):
            needs.append((one.to, found[0].max, one.what == "clean-points"))
    return tuple(dict.fromkeys(needs))


def _height(policy: Policy, level: str) -> int:
    return policy.levels.index(level) if level in policy.levels else -1
