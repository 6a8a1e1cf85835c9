"""What a camera's group means for its footage: which rule keeps it here, and how long.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from policies.document import FOREVER, Ages, Policy
from policies.match import ages_at, rules_for
from recorder.model.keys import StreamId
from recorder.model.timebase import format_duration


@dataclass(frozen=True, slots=True)
class KeptAs:
    """How one stream's footage that no event touches is kept at a store; ``None``: not at all."""

    rule: str
    ages: Ages | None

    def __str__(self) -> str:
        if self.ages is None:
            return f"not kept, by {self.rule!r}"
        longest = _long(self.ages.max)
        least = "" if self.ages.min == self.ages.max else f", {_long(self.ages.min)} guaranteed"
        return f"{longest}{least}, by {self.rule!r}"


@dataclass(frozen=True, slots=True)
class Effect:
    """How a stream's footage at a store is kept before a change and after it."""

    stream: str
    store: str
    before: KeptAs
    after: KeptAs


def effects(
    policy: Policy,
    streams: Iterable[StreamId],
    groups: tuple[str, str],
    stores: Iterable[str],
    level: str,
) -> Iterator[Effect]:
    """Say what another group changes for streams at stores; ``groups``: before and after."""
    stores = list(stores)
    for stream in streams:
        for store in stores:
            before, after = (kept_as(policy, stream, one, store, level) for one in groups)
            if before != after:
                yield Effect(stream.stream, store, before, after)


def kept_as(policy: Policy, stream: StreamId, group: str, store: str, level: str) -> KeptAs:
    """Say how a stream's footage that no event touches is kept at a store."""
    rules = rules_for(policy, stream, group)
    found = ages_at(rules, store, level, touched=False)
    if found is not None:
        return KeptAs(found[1].partition(": keep.")[0], found[0])
    known = level in policy.levels
    return KeptAs(rules[0].name, None if known else Ages(min=FOREVER, max=FOREVER))


def _long(age_ns: int) -> str:
    return "for ever" if age_ns >= FOREVER else format_duration(age_ns)
