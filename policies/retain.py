"""Retention: decide for every copy in a store whether it stays.  Pure.

Laws: no held segment is condemned (L5); the last verified copy stays until its rule has
expired (L6), but for the floor, which says so in its reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from policies.document import Retention
from policies.plan import Condemn, Plan
from recorder.model.media import Copy
from recorder.model.timebase import Instant, TimeRange, format_duration


@dataclass(frozen=True, slots=True)
class Capacity:
    """Free and total bytes of a store; ``None`` total where it does not say."""

    free_bytes: int = 0
    total_bytes: int | None = None


def retain(
    store: str,
    copies: Iterable[Copy],
    groups: Mapping[str, str],
    holds: Mapping[str, Sequence[TimeRange]],
    document: Retention,
    capacity: Capacity,
    now: Instant,
) -> Plan:
    """Decide, for every living copy in a store, whether it stays; say why.

    ``groups``: camera name to group; ``holds``: camera name to held ranges.
    """
    going: list[Condemn] = []
    staying: list[Copy] = []
    kept_bytes = gone_bytes = 0
    for copy in copies:
        segment = copy.segment
        if copy.condemned_at is not None:
            gone_bytes += segment.size_bytes
            continue
        held = any(hold.overlaps(segment.range) for hold in holds.get(segment.stream.camera, ()))
        age, rule = document.age_of(groups.get(segment.stream.camera, ""))
        if not held and segment.end <= now - age:
            going.append(Condemn(copy, rule, f"older than {format_duration(age)}"))
            continue
        kept_bytes += segment.size_bytes
        if not held:
            staying.append(copy)
    going += _floor(staying, document, capacity, gone_bytes + _size(going))
    from_floor = {id(action.copy) for action in going}
    kept = [copy for copy in staying if id(copy) not in from_floor]
    kept_bytes -= sum(copy.segment.size_bytes for copy in staying if id(copy) in from_floor)
    return Plan(
        store, tuple(going), len(kept), kept_bytes, document.version,
        _blast(going, kept_bytes, document),
    )  # fmt: skip


def _size(actions: Iterable[Condemn]) -> int:
    return sum(action.copy.segment.size_bytes for action in actions)


def _floor(
    staying: Sequence[Copy], document: Retention, capacity: Capacity, going_bytes: int
) -> list[Condemn]:
    """Let the oldest go until the floor is free again."""
    if capacity.total_bytes is None:
        return []
    missing = int(document.floor * capacity.total_bytes) - capacity.free_bytes - going_bytes
    chosen: list[Condemn] = []
    for copy in sorted(staying, key=lambda one: one.segment.start):
        if missing <= 0:
            break
        missing -= copy.segment.size_bytes
        chosen.append(
            Condemn(
                copy, "floor",
                f"store below its floor of {100 * document.floor:g} % free, oldest first",
            )
        )  # fmt: skip
    return chosen


def _blast(going: Sequence[Condemn], kept_bytes: int, document: Retention) -> str:
    """Stop a plan that takes too large a share at once; ageing out is a steady trickle."""
    gone = _size(going)
    total = gone + kept_bytes
    if len(going) > 100 and gone > document.blast_radius * total:
        return (
            f"would condemn {100 * gone / total:.0f} % of the store, more than "
            f"blast_radius {100 * document.blast_radius:g} %"
        )
    return ""
