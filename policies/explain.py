"""Why a minute of footage is there, or may go: the rules, one after another.  Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from policies.document import FOREVER, Ages, Policy
from policies.judge import MOVE, STAY, THIN, WAIT, Verdict
from policies.match import ages_at, fits, rules_for, thin_at
from recorder.model.holds import Hold
from recorder.model.keys import StreamId
from recorder.model.places import Place
from recorder.model.timebase import Instant, TimeRange, format_duration, format_instant


@dataclass(frozen=True, slots=True)
class Kept:
    """A store that a copy is at, the level of its site, and whether the copy is marked.

    ``verdict``: what the plan does with the copy, ``None`` where another site plans; ``stopped``:
    why the plan is not carried out.  ``doubted``: the site above has not told of it since that was
    another, or an older one.  ``damaged``: it is known not to be what it should be, or not to be
    there.
    """

    place: Place
    level: str
    condemned: bool = False
    verdict: Verdict | None = None
    stopped: str = ""
    doubted: bool = False
    damaged: bool = False


def explain(
    policy: Policy | None,
    stream: StreamId,
    group: str,
    range_: TimeRange,
    kinds: Collection[str],
    copies: Sequence[Kept],
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
    for copy in copies:
        said += _copy(policy, stream, group, range_, kinds, copy, now)
        if held and copy.place.below:
            said.append(f"at {copy.place} ({copy.level}) it stays, as soon as the hold is there")
    return said


def _touched(kinds: Collection[str]) -> str:
    if not kinds:
        return "no event touches it"
    return "touched by " + ", ".join(sorted(kinds))


def _rules(policy: Policy, stream: StreamId, group: str, kinds: Collection[str]) -> Iterator[str]:
    first = f" (policy version {policy.version}) is the first to match"
    for i, rule in enumerate(policy.rules):
        if not fits(rule.match, stream, group, kinds):
            yield f"rule {i} {rule.name!r} does not match"
            continue
        if not rule.at_least:
            yield f"rule {i} {rule.name!r}{first}"
            return
        yield f"rule {i} {rule.name!r}{first}; a later one may keep it longer (at_least)"
        first = " matches, too"


def _copy(
    policy: Policy,
    stream: StreamId,
    group: str,
    range_: TimeRange,
    kinds: Collection[str],
    copy: Kept,
    now: Instant,
) -> Iterator[str]:
    rules, touched = rules_for(policy, stream, group, kinds), bool(kinds)
    found = ages_at(rules, copy.place.name, copy.level, touched)
    where = f"at {copy.place} ({copy.level})"
    if copy.place.former:
        yield (
            f"a copy was left at {copy.place.former}, which is no longer above this site: that "
            "site decides, and is not heard here; nothing here goes because of it"
        )
        return
    if copy.doubted:
        yield f"{where} it may lie: that site has not told so; nothing here goes because of it"
        return
    if copy.damaged:
        yield f"{where} it is damaged, or was not found when it was looked for"
    if copy.condemned:
        yield f"{where} it is condemned, and deleted when the grace has passed"
        return
    if found is None:
        yield f"{where} this rule keeps nothing" + (
            ": it may go, and that site decides" if copy.verdict is None else ""
        )
    else:
        ages = found[0]
        thin_ns, thin_path = thin_at(rules, str(copy.place), copy.level, touched)
        if thin_path and thin_ns < ages.max:
            yield (
                f"{where} only its clean points stay after {_day(range_.end + thin_ns)}, "
                f"by {thin_path}"
            )
        if ages.min:
            yield f"{where} it is guaranteed until {_day(range_.end + ages.min)}, by {found[1]}"
        if copy.verdict is None:
            yield f"{where} {_by_rule(range_.end, ages, now)}, by {found[1]}; that site decides"
    if copy.verdict is not None:
        yield f"{where} {_decided(copy.verdict, copy.stopped)}"


def _by_rule(end: Instant, ages: Ages, now: Instant) -> str:
    """Say what the rule alone means for a copy that another site plans for."""
    if ages.max >= FOREVER:
        return "it stays until room is needed"
    after = format_duration(ages.max)
    if end + ages.max > now:
        return f"it goes on {_day(end + ages.max)} ({after} after it was recorded)"
    return f"it is past its {after}"


def _decided(verdict: Verdict, stopped: str) -> str:
    """Say what the plan decided, in a sentence."""
    by = f", by {verdict.rule}"
    if verdict.do == STAY and verdict.rule in ("hold", "readonly", "foreign"):
        return f"it stays: {verdict.reason}"
    if verdict.do == STAY and verdict.until is None:
        return f"it stays until room is needed{by}"
    if verdict.do == STAY and verdict.until is not None and verdict.to:
        return f"it is moved to store {verdict.to} on {_day(verdict.until)}{by}"
    if verdict.do == STAY and verdict.until is not None:
        return f"it goes on {_day(verdict.until)}{by}"
    if verdict.do == WAIT:
        return f"its time is up, and it waits: {verdict.reason}{by}"
    moves = f"copies it into store {verdict.to}"
    what = {THIN: "makes it thin", MOVE: moves}.get(verdict.do, "condemns it")
    if stopped:
        return f"a sweep {what} as soon as the plan is let go on ({stopped}): {verdict.reason}{by}"
    return f"the next sweep {what}: {verdict.reason}{by}"


def _day(at: Instant) -> str:
    return format_instant(at, 0)
