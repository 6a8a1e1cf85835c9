"""Why a minute of footage is there, or may go: the rules, one after another.  Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from policies.document import FOREVER, Policy
from policies.match import ages_of, fits, keep_at, rule_for
from recorder.model.holds import Hold
from recorder.model.keys import StreamId
from recorder.model.timebase import Instant, TimeRange, format_duration, format_instant


@dataclass(frozen=True, slots=True)
class Place:
    """A store that a copy is at: its name, the level of its site, and whether it is marked."""

    store: str
    level: str
    condemned: bool = False


def explain(
    policy: Policy | None,
    stream: StreamId,
    group: str,
    range_: TimeRange,
    kinds: Collection[str],
    places: Sequence[Place],
    holds: Sequence[Hold],
    now: Instant,
) -> list[str]:
    """Say in sentences what policy does with one segment, and why.

    ``kinds``: of the events that touch it; ``holds``: those that cover it.
    """
    said = [_touched(kinds)]
    if policy is None:
        return [*said, "no policy is set: nothing is ever deleted"]
    said += _rules(policy, stream, group, kinds)
    for hold in holds:
        if hold.live(now):
            until = "without end" if hold.expires is None else f"until {_day(hold.expires)}"
            said.append(f"held by {hold.owner} for case {hold.case}, {until}: no rule deletes it")
    held = any(hold.live(now) for hold in holds)
    for place in places:
        said += _place(policy, stream, group, range_, kinds, place, now, held)
    return said


def _touched(kinds: Collection[str]) -> str:
    if not kinds:
        return "no event touches it"
    return "touched by " + ", ".join(sorted(kinds))


def _rules(
    policy: Policy, stream: StreamId, group: str, kinds: Collection[str]
) -> Iterator[str]:  # fmt: skip
    for i, rule in enumerate(policy.rules):
        if fits(rule.match, stream, group, kinds):
            yield f"rule {i} {rule.name!r} (policy version {policy.version}) is the first to match"
            return
        yield f"rule {i} {rule.name!r} does not match"


def _place(
    policy: Policy, stream: StreamId, group: str, range_: TimeRange, kinds: Collection[str],
    place: Place, now: Instant, held: bool,
) -> Iterator[str]:  # fmt: skip
    rule = rule_for(policy, stream, group, kinds)
    found = keep_at(rule, place.store.rpartition("/")[2], place.level)
    where = f"at {place.store} ({place.level})"
    if place.condemned:
        yield f"{where} it is condemned, and deleted when the grace has passed"
        return
    if found is None:
        yield f"{where} this rule keeps nothing: it may go"
        return
    ages = ages_of(found[0], bool(kinds))
    if rule.thin is not None and rule.thin.at in (place.level, place.store):
        yield (
            f"{where} only its clean points stay after {_day(range_.end + rule.thin.after)}, "
            f"by {rule.name}: thin"
        )
    if ages.min:
        yield f"{where} it is guaranteed until {_day(range_.end + ages.min)}, by {found[1]}"
    if ages.max >= FOREVER:
        yield f"{where} it stays until room is needed, by {found[1]}"
    elif range_.end + ages.max > now:
        yield (
            f"{where} it goes on {_day(range_.end + ages.max)} "
            f"({format_duration(ages.max)} after it was recorded), by {found[1]}"
        )
    else:
        yield f"{where} it is past its {format_duration(ages.max)}, by {found[1]}" + (
            ", and stays because it is held" if held else ": the next sweep condemns it"
        )


def _day(at: Instant) -> str:
    return format_instant(at, 0)
