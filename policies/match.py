"""Which rule decides about a segment: the first that matches."""

from __future__ import annotations

from collections.abc import Collection
from fnmatch import fnmatchcase

from policies.document import Ages, Keep, Match, Policy, Rule
from recorder.model.keys import StreamId


def fits(match: Match, stream: StreamId, group: str, kinds: Collection[str] = ()) -> bool:
    """Tell whether a matcher means footage of a stream touched by events of ``kinds``."""
    return (
        _any(match.camera, stream.camera)
        and _any(match.group, group)
        and _any(match.site, stream.site)
        and _any(match.stream, stream.stream)
        and (not match.event or any(_any(match.event, kind) for kind in kinds))
    )


def _any(patterns: tuple[str, ...], name: str) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def rule_for(policy: Policy, stream: StreamId, group: str, kinds: Collection[str] = ()) -> Rule:
    """Return the rule in force; there is always one, for the last matches everything."""
    return next(rule for rule in policy.rules if fits(rule.match, stream, group, kinds))


def keep_at(rule: Rule, store: str, level: str) -> tuple[Keep, str] | None:
    """Return what a rule keeps at a store, and the path that says so; ``None``: nothing."""
    for name in (store, level, "any"):
        if name in rule.keep:
            return rule.keep[name], f"{rule.name}: keep.{name}"
    return None


def ages_of(keep: Keep, touched: bool) -> Ages:
    """Return the ages of footage, touched by an event or not."""
    return keep.events if touched and keep.events is not None else keep
