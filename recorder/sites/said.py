"""What the parent is told again and again: only what is news, and now and then all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from recorder.errors import BadDocument
from recorder.janitor.holding import footage_in
from recorder.model.checks import printable
from recorder.model.holds import Hold
from recorder.model.keys import StreamId
from recorder.model.timebase import Instant
from recorder.ports import Clock, Footage, Holds, Statuses, StreamStatus

HOLD_S = 20.0
"""How often it is looked up what a hold keeps: footage still comes."""
HOLDS_AT_ONCE = 5
MOST_SPOKEN_OF = 100_000
LOOKING = 0.05
"""The share of the time that it may take: a hold may be of months of many cameras."""
HOLDS_TOLD_S = 60.0
"""How often it is told of all holds; what changes is told at once."""
STATES_S = 5.0
"""How often all states are told; those that change are told at once."""


class SaidCatalog(Protocol):
    """The parts of the catalog that say how streams and holds do."""

    footage: Footage
    holds: Holds
    statuses: Statuses


class StatesSaid:
    """Streams' states."""

    def __init__(self, catalog: SaidCatalog, clock: Clock) -> None:
        self._catalog, self._clock = catalog, clock
        self._told: dict[StreamId, StreamStatus] = {}
        self._all_at = -STATES_S

    def forget(self) -> None:
        """Take nothing for told."""
        self._told = {}

    def to_tell(self) -> list[StreamStatus]:
        """Return the states that changed, and every few seconds all of them: a sign of life."""
        all_states = self._catalog.statuses.all()
        if self._clock.monotonic() - self._all_at >= STATES_S:
            self._all_at, self._told = self._clock.monotonic(), {}
        told = {one.stream: _to_compare(one) for one in all_states}
        fresh = [one for one in all_states if self._told.get(one.stream) != told[one.stream]]
        self._told |= {one.stream: told[one.stream] for one in fresh}
        return fresh


class HoldsSaid:
    """What live holds keep."""

    def __init__(
        self, catalog: SaidCatalog, clock: Clock, site: str, called: Mapping[str, str]
    ) -> None:
        """``called``: what holds from above are called here, where that is otherwise."""
        self._catalog, self._clock, self._site = catalog, clock, site
        self._called = called
        self._told: dict[str, object] = {}
        self._all_at = -HOLDS_TOLD_S
        self._looks_at = 0.0
        self._footage_of: dict[str, tuple[float, dict[str, object]]] = {}

    def forget(self) -> None:
        """Take nothing for told."""
        self._told = {}

    def to_tell(self, now: Instant) -> dict[str, Any]:
        """Say what live holds keep here and below, of those of which that has changed."""
        live = self._catalog.holds.live(now)
        below = self._catalog.holds.deliveries(hold.hold_id for hold in live)
        self._look_at(live)
        if self._clock.monotonic() - self._all_at >= HOLDS_TOLD_S:
            self._all_at, self._told = self._clock.monotonic(), {}
        above = {here: there for there, here in self._called.items()}
        said = {
            above.get(hold.hold_id, hold.hold_id): {
                **below.get(hold.hold_id, {}),
                self._site: self._footage_of[hold.hold_id][1],
            }
            for hold in live
            if hold.hold_id in self._footage_of and hold.hold_id not in self._called
        }
        fresh = {name: facts for name, facts in said.items() if self._told.get(name) != facts}
        self._told |= fresh
        return fresh

    def _look_at(self, live: Sequence[Hold]) -> None:
        """Find out what holds keep here: a few at a time, those longest not looked at first."""
        now = self._clock.monotonic()
        ages = {hold.hold_id: self._footage_of.get(hold.hold_id, (-HOLD_S, {}))[0] for hold in live}
        may = now >= self._looks_at
        due = [hold for hold in live if may and now - ages[hold.hold_id] >= HOLD_S]
        for hold in sorted(due, key=lambda one: ages[one.hold_id])[:HOLDS_AT_ONCE]:
            found = footage_in(self._catalog.footage, hold, self._site)
            self._footage_of[hold.hold_id] = (now, found)
        if due:
            self._looks_at = now + (self._clock.monotonic() - now) / LOOKING
        self._footage_of = {
            name: self._footage_of[name] for name in ages if name in self._footage_of
        }


def holds_spoken_of(message: Mapping[str, object]) -> list[str]:
    """Return the ids of holds that a child speaks of, and that an id can be.

    Raises: ``BadDocument`` where they are more than anybody has.
    """
    said = message.get("holds")
    names = said if isinstance(said, Mapping) else ()
    if len(names) > MOST_SPOKEN_OF:
        raise BadDocument(f"feed: malformed: holds must be {MOST_SPOKEN_OF} at most")
    return [str(name) for name in names if printable(str(name)) == name]


def _to_compare(status: StreamStatus) -> StreamStatus:
    """Return what of a state is worth telling when it changes; figures go along with that."""
    return replace(status, at=0, health={"habits": status.health.get("habits", {})})
