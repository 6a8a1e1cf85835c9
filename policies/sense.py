"""What a document says must be possible: mistakes that no field shows by itself."""

from __future__ import annotations

from collections.abc import Iterator

from policies.document import FOREVER, Ages, Keep, Policy, Rule
from recorder.model.timebase import MINUTE, format_duration

Mistake = tuple[str, str, str]
"""Path, what is wrong, and what to do about it."""


def mistakes(policy: Policy) -> Iterator[Mistake]:
    """Find what can never be satisfied, is unbounded, or is left unsaid."""
    yield from _order(policy)
    for i, rule in enumerate(policy.rules):
        yield from _ages(policy, rule, f"rules.{i}")
        yield from _travel(policy, rule, f"rules.{i}")
        yield from _thinning(policy, rule, f"rules.{i}")
        yield from _moving(policy, rule, f"rules.{i}")
    for i, quota in enumerate(policy.quotas):
        if quota.max is not None and quota.min > quota.max:
            yield f"quotas.{i}.min", "is more than max", ""
        if quota.match.event:
            yield f"quotas.{i}.match.event", "a quota cannot be for events", "use a rule's keep"
    for name, room in policy.stores.items():
        if room.floor > 0.9:
            yield f"stores.{name}.floor", "leaves no room for footage", "5% is usual"
    for i, step in enumerate(policy.pressure):
        if step.match.event:
            yield f"pressure.{i}.match.event", "pressure cannot look at events", ""


def _order(policy: Policy) -> Iterator[Mistake]:
    if len(set(policy.levels)) != len(policy.levels) or "any" in policy.levels:
        yield "levels", "must be different names, none of them any", ""
    if not policy.rules:
        yield "rules", "there are none", "end with a rule without match: everything else"
        return
    for i, rule in enumerate(policy.rules[:-1]):
        if rule.match.anything:
            path = f"rules.{i + 1}"
            yield path, f"is never reached: {rule.name!r} before it matches everything", ""
    if not policy.rules[-1].match.anything:
        yield (
            f"rules.{len(policy.rules) - 1}.match",
            "the last rule must match everything",
            "add a rule without match for everything else",
        )
    names = [rule.name for rule in policy.rules]
    for i, name in enumerate(names):
        if name in names[:i]:
            yield f"rules.{i}.name", f"{name!r} is taken by another rule", ""


def _ages(policy: Policy, rule: Rule, path: str) -> Iterator[Mistake]:
    if not rule.keep:
        yield f"{path}.keep", "keeps nothing anywhere", "say for example any: 30d"
    last = policy.levels[-1] if policy.levels else "any"
    for place, keep in rule.keep.items():
        if place not in (*policy.levels, "any", *policy.stores):
            yield (
                f"{path}.keep.{place}",
                f"{place!r} is no level, and no store that `stores` names",
                "levels: " + ", ".join(policy.levels),
            )
        for where, ages in (
            (f"{path}.keep.{place}", keep),
            (f"{path}.keep.{place}.events", keep.events),
        ):
            if ages is None:
                continue
            yield from _pair(where, ages)
            if ages.max >= FOREVER and place in (last, "any"):
                yield (
                    f"{where}.max",
                    "is unbounded at the last level",
                    "footage there would grow until the disk is full",
                )
        if keep.events is not None and keep.events.max < keep.max:
            yield (
                f"{path}.keep.{place}.events.max",
                "footage touched by events would go before ordinary footage",
                "",
            )


def _pair(path: str, ages: Ages) -> Iterator[Mistake]:
    if ages.min > ages.max:
        yield (
            f"{path}.min",
            f"{format_duration(ages.min)} is more than max "
            f"{format_duration(ages.max)}: it can never be satisfied",
            "",
        )
    if ages.max < MINUTE:
        yield f"{path}.max", "shorter than a minute would keep nothing", ""


def _travel(policy: Policy, rule: Rule, path: str) -> Iterator[Mistake]:
    for i, one in enumerate(rule.replicate):
        where = f"{path}.replicate.{i}"
        if one.to not in policy.levels:
            yield f"{where}.to", f"{one.to!r} is no level", "levels: " + ", ".join(policy.levels)
            continue
        there = rule.keep.get(one.to) or rule.keep.get("any")
        if there is None:
            yield (
                f"{where}.to",
                f"nothing is kept at {one.to} by this rule",
                f"add keep.{one.to}",
            )
        if one.what == "events" and rule.match.event and there is None:
            continue
        below = policy.levels[: policy.levels.index(one.to)]
        if not below:
            yield f"{where}.to", f"{one.to} is the lowest level: nothing is below it", ""
        shortest = min(
            (keep.max for place, keep in rule.keep.items() if place in (*below, "any")),
            default=None,
        )
        if one.within is not None and shortest is not None and one.within > shortest:
            yield (
                f"{where}.within",
                f"{format_duration(one.within)} is later than the footage is "
                f"kept below ({format_duration(shortest)})",
                "shorten within or keep it longer",
            )


def _thinning(policy: Policy, rule: Rule, path: str) -> Iterator[Mistake]:
    places = [one.at for one in rule.thin]
    for n, thin in enumerate(rule.thin):
        where = f"{path}.thin.{n}" if n else f"{path}.thin"
        keep = rule.keep.get(thin.at) or rule.keep.get("any")
        if thin.at in places[:n]:
            yield f"{where}.at", f"{thin.at!r} is thinned twice", ""
        elif thin.at not in policy.levels and thin.at not in rule.keep:
            yield f"{where}.at", f"{thin.at!r} is no level and no store of this rule", ""
        elif keep is None:
            yield f"{where}.at", f"nothing is kept at {thin.at} by this rule", ""
        elif thin.after >= keep.max:
            yield f"{where}.after", "the footage is gone by then", "thin before keep.max"


def _moving(policy: Policy, rule: Rule, path: str) -> Iterator[Mistake]:
    places = [one.to for one in rule.move]
    for n, move in enumerate(rule.move):
        where = f"{path}.move.{n}" if n else f"{path}.move"
        there = [rule.keep[move.to]] if move.to in rule.keep else _elsewhere(rule, move.to)
        here = _elsewhere(rule, move.to)
        if move.to in places[:n]:
            yield f"{where}.to", f"it is moved to {move.to!r} twice", ""
        elif move.to in (*policy.levels, "any") or move.to not in policy.stores:
            yield (
                f"{where}.to",
                f"{move.to!r} is no store that `stores` names",
                "name it there: stores: {" + move.to + ": {floor: 5%}}",
            )
        elif all(keep.max <= move.after for keep in there):
            yield f"{where}.after", f"{move.to} would keep nothing of it", "move before keep.max"
        elif all(max(keep.max, (keep.events or keep).max) < move.after for keep in here):
            yield f"{where}.after", "the footage is gone by then", "move before keep.max"


def _elsewhere(rule: Rule, store: str) -> list[Keep]:
    return [keep for place, keep in rule.keep.items() if place != store]
