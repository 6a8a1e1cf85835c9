"""Which rules decide about a segment: the first that matches, and those that it lets add to it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from policies.document import FOREVER, Ages, Keep, Match, Policy, Quota, Rule, Thin
from recorder.model.keys import StreamId


@dataclass(frozen=True, slots=True)
class Step:
    """From an age on footage lies in store ``to``, which lets it go at another.

    Units: ``after_ns`` and ``until_ns`` are ages.  ``path`` is where the document says so.
    """

    after_ns: int
    to: str
    until_ns: int
    path: str


def fits(match: Match, stream: StreamId, group: str, kinds: Collection[str] = ()) -> bool:
    """Tell whether a matcher means footage of a stream touched by events of ``kinds``."""
    return (
        _any(match.camera, stream.camera)
        and _any(match.group, group)
        and _any(match.site, stream.site)
        and _any(match.stream, stream.stream)
        and (not match.event or any(_any(match.event, kind) for kind in kinds))
    )


def counted_in(quota: Quota, store: str, level: str, stream: StreamId, group: str) -> str:
    """Say in what footage in a store counts: a quota, or its part of one site, group or camera.

    Empty where the quota is not for it.
    """
    if quota.store not in ("any", store, level) or not fits(quota.match, stream, group):
        return ""
    whose = {"site": stream.site, "group": group, "camera": stream.camera_id}
    return f"{quota.name} of {whose[quota.per]}" if quota.per in whose else quota.name


def _any(patterns: tuple[str, ...], name: str) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def rule_for(policy: Policy, stream: StreamId, group: str, kinds: Collection[str] = ()) -> Rule:
    """Return the rule in force; there is always one, for the last matches everything."""
    return next(rule for rule in policy.rules if fits(rule.match, stream, group, kinds))


def rules_for(
    policy: Policy, stream: StreamId, group: str, kinds: Collection[str] = ()
) -> tuple[Rule, ...]:
    """Return the rules that decide together: each but the last lets later ones keep longer."""
    found: list[Rule] = []
    for rule in policy.rules:
        if fits(rule.match, stream, group, kinds):
            found.append(rule)
            if not rule.at_least:
                break
    return tuple(found)


def ages_at(
    rules: Sequence[Rule], store: str, level: str, touched: bool
) -> tuple[Ages, str] | None:
    """Return how long rules keep footage at a store, the longest of them, and the path of that.

    ``None``: none of them keeps it there.
    """
    found: list[tuple[Ages, str]] = []
    for rule in rules:
        kept = keep_at(rule, store, level)
        if kept is not None:
            special = touched and kept[0].events is not None
            found.append((ages_of(kept[0], touched), kept[1] + (".events" if special else "")))
    if len(found) < 2:
        return found[0] if found else None
    longest, path = max(found, key=lambda one: one[0].max)
    least = max(ages.min for ages, _ in found)
    return Ages.model_construct(min=least, max=longest.max), path  # ns, not as people write them


def thin_at(rules: Sequence[Rule], store: str, level: str, touched: bool) -> tuple[int, str]:
    """Return from what age on only clean points stay at a store, and the path of that.

    As long as one of the rules keeps it whole it stays whole.
    """
    found = [(rule, thin) for rule in rules if (thin := _thin_of(rule, store, level)) is not None]
    thinning = [rule for rule, _ in found]
    whole = [rule for rule in rules if rule not in thinning and keep_at(rule, store, level)]
    after = max((thin.after for _, thin in found), default=FOREVER)
    if whole:
        kept = ages_at(whole, store, level, touched)
        after = max(after, kept[0].max if kept is not None else 0)
    return after, f"{thinning[0].name}: thin" if thinning else ""


def _thin_of(rule: Rule, store: str, level: str) -> Thin | None:
    """Return what a rule says of a store by its name, else by its level."""
    for name in (store, level):
        for thin in rule.thin:
            if thin.at == name:
                return thin
    return None


def moves_at(
    rules: Sequence[Rule], store: str, level: str, touched: bool, others: Collection[str]
) -> tuple[tuple[Step, ...], int]:
    """Return where footage goes from a store, by age, and from what age it lies there.

    The first of the rules that says anything of it counts.  A store that is not one of
    ``others``, or keeps nothing of it, is passed over; nothing is moved back.
    """
    rule = next((one for one in rules if one.move), None)
    way: list[Step] = []
    since = 0
    for move in sorted(rule.move, key=lambda one: one.after) if rule is not None else ():
        if move.to == store:
            way, since = [], move.after
            continue
        kept = ages_at(rules, move.to, level, touched) if move.to in others else None
        if rule is not None and kept is not None and kept[0].max > move.after:
            way.append(Step(move.after, move.to, kept[0].max, f"{rule.name}: move"))
    return tuple(way), since


def keep_at(rule: Rule, store: str, level: str) -> tuple[Keep, str] | None:
    """Return what a rule keeps at a store, and the path that says so; ``None``: nothing."""
    for name in (store, level, "any"):
        if name in rule.keep:
            return rule.keep[name], f"{rule.name}: keep.{name}"
    return None


def ages_of(keep: Keep, touched: bool) -> Ages:
    """Return the ages of footage, touched by an event or not."""
    return keep.events if touched and keep.events is not None else keep
