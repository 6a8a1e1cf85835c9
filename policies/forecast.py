"""When a store is full, and who then misses what was promised.  Pure arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from policies.document import FOREVER, Policy
from policies.facts import StoreFacts
from policies.judge import Case, case_of, judge
from policies.match import counted_in
from recorder.model.copies import CopyColumns
from recorder.model.counting import number_of
from recorder.model.keys import StreamId
from recorder.model.timebase import DAY, HOUR, SECOND, Instant, format_duration

SHOWN = 5
"""So many streams that miss their minimum are named; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Flow:
    """One stream's steady state: bytes a day, and how long its usual rule keeps them (ns).

    ``late_ns``: they come when they are so old, from another store of the site, ``from_ns``:
    the first of them so long from now.
    """

    stream: StreamId
    group: str
    bytes_per_day: float
    min_ns: int
    max_ns: int
    late_ns: int = 0
    from_ns: int = 0


@dataclass(frozen=True, slots=True)
class Ceiling:
    """A quota over its most, for how long there is room in it, and who misses a minimum by that."""

    said: str
    room_ns: int
    short: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Forecast:
    """What will become of a store if cameras go on as they do.

    ``full_at``: when it reaches its floor, ``None`` when it never does; ``steady_bytes``:
    what it would hold in the end; ``reach_ns``: how far back footage then reaches when
    pressure decides, and ``room_ns`` how long it then lies there, which is less where it comes
    from another store; ``short``: streams whose ``min`` is longer than that;
    ``grace_ns``: the grace as the store can bear it; ``ceilings``: quotas that let go of what a
    minimum would keep.
    """

    store: str
    bytes_per_day: float
    steady_bytes: float
    usable_bytes: float | None
    full_at: Instant | None
    reach_ns: int | None
    short: tuple[str, ...]
    grace_ns: int = 0
    room_ns: int | None = None
    ceilings: tuple[Ceiling, ...] = ()


WINDOW = 7 * DAY
"""Rates are those of so long."""


def flows(policy: Policy, facts: StoreFacts) -> list[Flow]:
    """Measure each stream's rate over the last days."""
    found = []
    for lane in facts.lanes:
        case = judge(policy, facts, lane).usual
        late = 0 if lane.ends and lane.ends[-1] > facts.now - WINDOW else case.arrives_ns
        rate = _rate(lane, facts.now - late)
        if rate:
            found.append(_flow(lane, case, rate, late))
    return found


def coming(policy: Policy, facts: StoreFacts, sources: Iterable[CopyColumns]) -> list[Flow]:
    """Measure, where it is recorded, what is moved here once it is old enough."""
    found: dict[StreamId, Flow] = {}
    for lane in sorted(sources, key=lambda one: one.ends[-1] if one.ends else 0):
        case = case_of(policy, facts, lane, frozenset())
        rate, since = _rate(lane, facts.now), case.arrives_ns
        if rate and 0 < since < case.ages.max:
            begins = max(0, since - lane.age(0, facts.now))
            found[lane.stream] = _flow(lane, case, rate, since, begins)
    return list(found.values())


def _rate(lane: CopyColumns, end: Instant) -> float:
    """Return the bytes a day of the time before ``end``, what is younger counted in."""
    recent = [i for i in range(len(lane)) if lane.ends[i] > end - WINDOW]
    if not recent:
        return 0.0
    return (
        sum(lane.sizes[i] for i in recent) * DAY / min(WINDOW, max(end - lane.starts[recent[0]], 1))
    )


def _flow(lane: CopyColumns, case: Case, rate: float, late: int, begins: int = 0) -> Flow:
    leaves = min((case.ages.max, *(one.after_ns for one in case.moves)))
    least = max(0, min(case.ages.min, leaves) - late)
    return Flow(lane.stream, lane.group, rate, least, max(0, leaves - late), late, begins)


def _under_ceilings(
    policy: Policy, facts: StoreFacts, streams: Sequence[Flow]
) -> tuple[list[Flow], tuple[Ceiling, ...]]:
    """Keep streams for no longer than quotas let them; say which break a minimum by that."""
    found, broken = list(streams), list[Ceiling]()
    for quota in policy.quotas:
        scopes: dict[str, list[int]] = {}
        for i, flow in enumerate(found) if quota.max is not None else ():
            said = counted_in(quota, facts.store, facts.level, flow.stream, flow.group)
            if said:
                scopes.setdefault(said, []).append(i)
        for said, members in scopes.items():
            flows_ = [found[i] for i in members]
            if quota.max is None or _steady(flows_) <= quota.max:
                continue
            room_ns = _room(flows_, quota.max)
            short = tuple(str(one.stream) for one in flows_ if one.min_ns > room_ns)
            broken += [Ceiling(said, room_ns, short)] if short else []
            for i in members:
                found[i] = replace(found[i], max_ns=min(found[i].max_ns, room_ns))
    return found, tuple(broken)


def _steady(streams: Iterable[Flow]) -> float:
    """Return the bytes of streams once as much goes as comes."""
    return sum(flow.bytes_per_day * flow.max_ns / DAY for flow in streams)


def forecast(policy: Policy, facts: StoreFacts, sources: Iterable[CopyColumns] = ()) -> Forecast:
    """Say when the store is full, and which streams then miss their minimum.

    ``sources``: what lies in other stores of the site, of which some may be moved here.
    """
    streams = flows(policy, facts)
    known = {flow.stream for flow in streams}
    streams += [flow for flow in coming(policy, facts, sources) if flow.stream not in known]
    rate = sum(flow.bytes_per_day for flow in streams)
    streams, ceilings = _under_ceilings(policy, facts, streams)
    steady = _steady(streams)
    total, grace = facts.capacity.total_bytes, facts.capacity.grace_ns
    room = facts.capacity.usable(policy.room(facts.store, facts.level).floor)
    if total is None or room is None:
        return Forecast(facts.store, rate, steady, None, None, None, (), grace, None, ceilings)
    held_bytes = sum(sum(lane.sizes) for lane in facts.lanes)
    others = max(0, total - facts.capacity.free_bytes - held_bytes)
    usable = room - others
    if not streams or steady <= usable:  # others' bytes may leave less than nothing
        return Forecast(facts.store, rate, steady, usable, None, None, (), grace, None, ceilings)
    room_ns = _room(streams, usable)
    reach = room_ns + min(flow.late_ns for flow in streams)
    short = tuple(str(flow.stream) for flow in streams if flow.min_ns > room_ns)
    full = _full_at(facts, streams, usable - held_bytes)
    return Forecast(facts.store, rate, steady, usable, full, reach, short, grace, room_ns, ceilings)


def shortcomings(found: Forecast, grace_ns: int) -> list[str]:
    """Say in what a store is too small for what is promised; ``grace_ns``: the grace asked for."""
    said = []
    if found.grace_ns < grace_ns:
        said.append(
            f"more comes in during the grace of {format_duration(grace_ns)} than the store can let "
            f"wait: there it is {format_duration(found.grace_ns // SECOND * SECOND)}"
        )
    whys = [(found.short, "beside the floor and the grace there is room", found.room_ns or 0)]
    whys += [
        (one.short, f"in quota {one.said} there is room", one.room_ns) for one in found.ceilings
    ]
    for short, why, room_ns in whys:
        days = room_ns / DAY
        for stream in short[:SHOWN]:
            said.append(f"{stream} misses its minimum: {why} for {days:.1f} days")
        if len(short) > SHOWN:
            said.append(f"{number_of(len(short) - SHOWN, 'stream')} more below the minimum")
    return said


def _room(streams: Sequence[Flow], usable: float) -> int:
    """Find for how long all streams, none kept beyond its own ``max``, fit in."""
    low, high = 0, max(min(flow.max_ns, FOREVER) for flow in streams)
    while high - low > 60_000_000_000:
        middle = (low + high) // 2
        needed = sum(flow.bytes_per_day * min(flow.max_ns, middle) / DAY for flow in streams)
        low, high = (middle, high) if needed <= usable else (low, middle)
    return low


STEPS = (*(HOUR for _ in range(7 * 24)), *(DAY for _ in range(36_500)))
"""An hour at a time in the first week, then a day; within each all goes on evenly."""


def _full_at(facts: StoreFacts, streams: Sequence[Flow], left: float) -> Instant:
    """Step on: what comes in, less what ages out; where it gets full, say the instant."""
    if left <= 0:
        return facts.now
    expiring = _expiring(facts, streams)
    at = 0
    for number, step in enumerate(STEPS):
        young = sum(flow.bytes_per_day for flow in streams if _grows(flow, at)) * step / DAY
        grows = young - expiring.get(number, 0)
        if left <= grows:
            return facts.now + at + round(step * left / grows)
        left, at = left - grows, at + step
    return facts.now + at


def _grows(flow: Flow, at: int) -> bool:
    """Tell whether footage of a stream comes in then, and none of it is old enough to go."""
    return flow.from_ns <= at < flow.from_ns + flow.max_ns


def _expiring(facts: StoreFacts, streams: Sequence[Flow]) -> dict[int, int]:
    """Add up what ages out in each step."""
    ages = {flow.stream: min(flow.max_ns + flow.late_ns, FOREVER) for flow in streams}
    fine = 7 * DAY
    found: dict[int, int] = {}
    for lane in facts.lanes:
        age = ages.get(lane.stream)
        if age is None or age >= FOREVER:
            continue
        for end, size in zip(lane.ends, lane.sizes, strict=True):
            due = max(0, end + age - facts.now)
            number = due // HOUR if due < fine else 7 * 24 + (due - fine) // DAY
            found[number] = found.get(number, 0) + size
    return found
