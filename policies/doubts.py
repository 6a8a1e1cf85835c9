"""What a document may say and hardly anybody means; and what is told beside it.  Pure.

It is refused when a document is written.  One that is in force already goes on counting: a new
release must not stop retention.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from policies.document import LEAST_EVENT_AGE, Match, Policy, Rule
from policies.sense import Mistake
from recorder.model.events import KINDS
from recorder.model.keys import CameraId
from recorder.model.timebase import HOUR, format_duration

_FIELDS = ("camera", "group", "site", "stream", "event")
_OF = {"camera": "is called", "group": "is in group", "site": "is at site"}


def doubts(policy: Policy) -> Iterator[Mistake]:
    """Find what is likely to be a mistake."""
    if not policy.levels:
        yield "levels", "there are none", "leave it out, or name them from bottom to top"
    if policy.blast_radius <= 0:
        yield "blast_radius", "every plan would wait for a person", "25% is usual"
    yield from _reached(policy)
    yield from _kinds(policy)
    yield from _events(policy)
    for i, rule in enumerate(policy.rules):
        yield from _guaranteed(rule, f"rules.{i}")
    names = [quota.name for quota in policy.quotas]
    known = (*policy.levels, "any", *policy.stores)
    for i, quota in enumerate(policy.quotas):
        if quota.name in names[:i]:
            yield f"quotas.{i}.name", f"{quota.name!r} is taken by another quota", ""
        if quota.store not in known:
            yield (
                f"quotas.{i}.store",
                f"{quota.store!r} is no level, and no store that `stores` names",
                "levels: " + ", ".join(policy.levels),
            )


def _reached(policy: Policy) -> Iterator[Mistake]:
    for i, rule in enumerate(policy.rules):
        for before in policy.rules[:i]:
            if not before.at_least and covers(before.match, rule.match):
                yield (
                    f"rules.{i}",
                    f"is never reached: {before.name!r} before it matches all that it does",
                    "",
                )
                break
    if policy.rules[-1].at_least:
        yield f"rules.{len(policy.rules) - 1}.at_least", "there is no later rule", ""


def covers(one: Match, other: Match) -> bool:
    """Tell whether all that ``other`` matches is matched by ``one`` for sure."""
    return all(_wider(getattr(one, name), getattr(other, name)) for name in _FIELDS)


def _wider(one: Sequence[str], other: Sequence[str]) -> bool:
    if not one:
        return True
    return bool(other) and all(any(_pattern(wide, narrow) for wide in one) for narrow in other)


def _pattern(wide: str, narrow: str) -> bool:
    """Tell whether a pattern matches all that another does; of two odd ones only if they agree."""
    plain = not set(narrow) & set("*?[")
    simple = not set(wide) & set("?[")
    return wide == narrow or ((plain or simple) and fnmatchcase(narrow, wide))


def _kinds(policy: Policy) -> Iterator[Mistake]:
    known = (*KINDS, *policy.kinds)
    for i, rule in enumerate(policy.rules):
        for pattern in rule.match.event:
            if not any(fnmatchcase(kind, pattern) for kind in known):
                yield (
                    f"rules.{i}.match.event",
                    f"{pattern!r} is no kind of event",
                    f"there are {', '.join(known)}; others are named in kinds",
                )


def unnamed_kind(policy: Policy, kind: str) -> str:
    """Say that nothing in a document names a kind of event, such as one that was misspelled.

    A later release, or another maker's device, may have kinds of its own: none is refused.
    """
    patterns = [one for rule in policy.rules for one in rule.match.event]
    known = (*KINDS, *policy.kinds)
    if kind in (*known, *policy.events) or any(fnmatchcase(kind, one) for one in patterns):
        return ""
    return f"no rule of the policy names events of kind {kind!r}: there are {', '.join(known)}"


def _events(policy: Policy) -> Iterator[Mistake]:
    known = ("any", *KINDS, *policy.kinds)
    for kind, age in policy.events.items():
        if kind not in known:
            yield (
                f"events.{kind}",
                "is no kind of event, and not `any`",
                f"there are {', '.join(known)}; others are named in kinds",
            )
        if age < LEAST_EVENT_AGE:
            yield (
                f"events.{kind}",
                f"{format_duration(age)} is too short: at least 7d",
                "footage that still waits in a spool is judged by its events",
            )


def _guaranteed(rule: Rule, path: str) -> Iterator[Mistake]:
    """Find thinning within what is guaranteed; a plain duration guarantees its clean points."""
    for n, thin in enumerate(rule.thin):
        keep = rule.keep.get(thin.at) or rule.keep.get("any")
        for ages in (keep, keep.events) if keep is not None else ():
            if ages is None or not thin.after < ages.min < ages.max:
                continue
            yield (
                f"{path}.thin.{n}.after" if n else f"{path}.thin.after",
                f"{format_duration(thin.after)} is within the {format_duration(ages.min)} "
                "that are guaranteed",
                "thin after min, or guarantee less",
            )


def notes(
    policy: Policy,
    stores: Collection[str] | None = None,
    groups: Mapping[CameraId, str] | None = None,
) -> list[str]:
    """Say what is right, and may surprise: footage that an event touches goes sooner by the first
    rule than by one after it; ages of minutes; a store that is none of ``stores``, a name of which
    no camera is in ``groups``, where they are known.
    """
    names = () if stores is None else sorted({*policy.stores} - {*policy.levels, "any", *stores})
    found = [f"stores.{name}: this site has no store of that name" for name in names]
    found += [*_minutes(policy), *(_nobodys(policy, groups) if groups else ())]
    for i, rule in enumerate(policy.rules):
        for later in policy.rules[i + 1 :]:
            touched = rule.match.event or later.match.event
            if rule.at_least or not touched or covers(rule.match, later.match):
                continue
            shorter = _shorter(rule, later, policy)
            if shorter and not apart(rule.match, later.match):
                found.append(
                    f"footage that both {rule.name!r} and {later.name!r} match goes by the first, "
                    f"sooner at {', '.join(shorter)}; `at_least: true` in {rule.name!r} keeps the "
                    "longer of them"
                )
    return found


def _minutes(policy: Policy) -> Iterator[str]:
    """Find ages that somebody who thinks of months writes as minutes, up to ten years of them."""
    for path, age, what in _short_ages(policy):
        if 0 < age <= 2 * HOUR:
            yield f"{path}: {what} {format_duration(age)}: m is minutes, d is days"


def _short_ages(policy: Policy) -> Iterator[tuple[str, int, str]]:
    """Yield what takes footage away by its age: where it is said, ns, what that does."""
    for i, rule in enumerate(policy.rules):
        for name, keep in rule.keep.items():
            parts = {f"rules.{i}.keep.{name}": keep, f"rules.{i}.keep.{name}.events": keep.events}
            for path, ages in parts.items():
                if ages is None:
                    continue
                yield path, ages.max, "footage goes after"
                if ages.min != ages.max:
                    yield f"{path}.min", ages.min, "footage is guaranteed for"
        for n, thin in enumerate(rule.thin):
            path = f"rules.{i}.thin.{n}.after" if n else f"rules.{i}.thin.after"
            yield path, thin.after, "only clean points are left after"


def _nobodys(policy: Policy, groups: Mapping[CameraId, str]) -> Iterator[str]:
    """Find names of groups, cameras and sites by which no camera is meant that is known here."""
    known = {
        "camera": {one.camera for one in groups},
        "group": set(groups.values()),
        "site": {one.site for one in groups},
    }
    parts = [(f"rules.{i}", rule.match) for i, rule in enumerate(policy.rules)]
    parts += [(f"quotas.{i}", quota.match) for i, quota in enumerate(policy.quotas)]
    parts += [(f"pressure.{i}", step.match) for i, step in enumerate(policy.pressure)]
    for path, match in parts:
        for field, names in known.items():
            for pattern in getattr(match, field):
                if not any(fnmatchcase(name, pattern) for name in names):
                    yield f"{path}.match.{field}: no camera known here {_OF[field]} {pattern!r}"


def _shorter(rule: Rule, later: Rule, policy: Policy) -> list[str]:
    """Return the levels at which a rule keeps what events touch shorter than a later one."""
    found = []
    for level in policy.levels:
        first = rule.keep.get(level) or rule.keep.get("any")
        second = later.keep.get(level) or later.keep.get("any")
        if second is None:
            continue
        longest = max(second.max, second.events.max if second.events is not None else 0)
        if first is None or (first.events or first).max < longest:
            found.append(level)
    return found


def apart(one: Match, other: Match) -> bool:
    """Tell whether two matchers have nothing in common for sure: names that differ."""
    for name in _FIELDS[:-1]:
        mine, theirs = getattr(one, name), getattr(other, name)
        if (
            mine
            and theirs
            and not any(fnmatchcase(a, b) or fnmatchcase(b, a) for a in mine for b in theirs)
        ):
            return True
    return False
