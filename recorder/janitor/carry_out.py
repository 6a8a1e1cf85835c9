"""The one orchestration of retention: judge, take back, condemn, thin, move, delete; by store."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from policies.document import Policy
from policies.facts import Capacity
from policies.plan import Plan
from policies.retain import retain
from recorder import telemetry
from recorder.errors import RecorderError
from recorder.failing import Repeated
from recorder.janitor import apply
from recorder.janitor.meter import Meter
from recorder.janitor.proof import ClockProof
from recorder.janitor.purge import CacheSpool, Purge, PurgeCatalog
from recorder.model.timebase import Instant
from recorder.ports import Clock, DeletableStore

log = logging.getLogger("recorder.janitor")


RESTING = 9
"""So many times as long as planning took, nothing is swept: what is condemned is judged each time,
and there is a grace's worth of it."""
JUDGED_S = 300.0
"""So long what was judged may be deleted; then it is judged anew, by what is known by then."""
_Room = tuple[Instant, Capacity]
"""The time that is judged by, and the room of a store then."""
_Others = tuple[Mapping[str, DeletableStore], Collection[str]]
"""The stores that take footage now, and the names of those that do not answer."""


def _beside(store: str, work: Callable[[], int]) -> int:
    """Do work that makes footage smaller, or copies it; where it fails, what is due goes still.

    A store that is full takes nothing new, nor does a full spool: what goes makes room.
    """
    try:
        return work()
    except (RecorderError, OSError) as exc:
        log.error("thinning or moving broke off", extra={"store": store, "reason": str(exc)})
        return 0


class JanitorCatalog(apply.PlanCatalog, PurgeCatalog, Protocol):
    """The parts of the catalog that retention uses."""


class Thinning(Protocol):
    """What makes thin segments."""

    def carry_out(self, store: DeletableStore, plan: Plan, until: float) -> int:
        """Make thin segments until ``until`` (monotonic); return how many."""


class Moving(Protocol):
    """What puts segments into another store."""

    def carry_out(
        self,
        stores: Mapping[str, DeletableStore],
        plan: Plan,
        floor_of: Callable[[str], float],
        until: float,
    ) -> int:
        """Move until ``until`` (monotonic); return how many."""


@dataclass(frozen=True, slots=True)
class Workers:
    """What does the slow half of plans."""

    thinner: Thinning
    mover: Moving


@dataclass(frozen=True, slots=True)
class Done:
    """What was done in one store; ``stopped`` says why no more was, if it was not."""

    condemned: int = 0
    spared: int = 0
    thinned: int = 0
    moved: int = 0
    purged: int = 0
    stopped: str = ""
    plan: Plan | None = None


class Janitor:
    """Carries the policy out, one store after another; may be stopped anywhere, and run again."""

    def __init__(
        self,
        catalog: JanitorCatalog,
        clock: Clock,
        proof: ClockProof,
        meter: Meter,
        workers: Callable[[], Workers],
        spools: Callable[[], Sequence[CacheSpool]],
        pace: Callable[[int], object],
        *,
        level: str,
        grace_ns: int,
    ) -> None:
        self.catalog, self.clock, self.proof, self.meter = catalog, clock, proof, meter
        self.workers, self.spools, self.pace = workers, spools, pace
        self.level, self.grace_ns = level, grace_ns
        self._said = Repeated(clock.monotonic)
        self.rests_until = 0.0
        """Until then (monotonic) no sweep is due: planning takes a tenth of the time at most."""

    def doubt(self, *, vouched: bool) -> str:
        """Say why nothing may be destroyed now; ``vouched``: a person stands for the clock."""
        if vouched:
            self.proof.believe()
        why = "" if vouched else self.proof.doubt()
        telemetry.CLOCK_DOUBTED.set(bool(why))
        return f"{why}: nothing is deleted until it is right" if why else ""

    def _measure(self, store: DeletableStore) -> _Room:
        """Return the time to judge by, and the store's room."""
        now = self.proof.believed() or self.clock.now()  # a step since it was proven is no age
        capacity = self.meter.capacity(store, now, self.grace_ns)
        _tell_room(store.name, capacity)
        return now, capacity

    def _judge(
        self, store: DeletableStore, policy: Policy, room: _Room, others: _Others
    ) -> tuple[Plan, Callable[[], bool]]:
        """Make the plan; return with it what tells whether it is of late still."""
        begin = self.clock.monotonic()
        now, capacity = room
        stores, away = others
        facts = apply.facts_of(
            self.catalog,
            store,
            policy,
            self.level,
            now,
            capacity=capacity,
            stores=[*stores, *away],
            away=away,
        )
        apply.date_now(self.catalog, facts.lanes, now)
        plan = retain(policy, facts)
        end = self.clock.monotonic()
        rest = RESTING * (end - begin)
        self.rests_until = max(self.rests_until, end) + rest
        until = end + max(JUDGED_S, rest)
        return plan, lambda: self.clock.monotonic() < until

    def carry_out(
        self,
        store: DeletableStore,
        policy: Policy | None,
        until: float,
        *,
        stores: Mapping[str, DeletableStore],
        away: Collection[str] = (),
        stopped_too: bool = False,
        still: Callable[[], bool] = lambda: True,
    ) -> Done:
        """Do in one store what the policy says, thinning until ``until`` (monotonic), then moving.

        ``stores``: all of the site that take footage now; ``away``: those that should, and do not
        answer.  ``stopped_too``: also a plan that ``blast_radius`` stopped.  ``still``: whether
        the policy is in force, and the store the one it was.  The clock is proven before
        (:meth:`doubt`).
        """
        room = self._measure(store)
        if policy is None:  # nothing says why anything goes
            return Done()
        others, now = (stores, away), room[0]
        patience_s = until - self.clock.monotonic()
        purge = Purge(self.catalog, stores, self.spools(), self.pace, still)
        purge.look_again(store)
        plan, fresh = self._judge(store, policy, room, others)
        spared, condemned, thinned, moved = apply.spare(self.catalog, plan, now), 0, 0, 0
        stopped = "" if stopped_too else plan.stopped
        self._say(store.name, plan, stopped)
        if not stopped:
            condemned = apply.condemn(self.catalog, plan, now)
            thinned = _beside(
                store.name, lambda: self.workers().thinner.carry_out(store, plan, until)
            )
        if plan.moves:  # a stopped plan, too: nothing goes by it
            moved = _beside(store.name, lambda: self._move(stores, plan, policy, patience_s))
        purged = 0
        while True:
            purged += purge.run(store, room[1].grace_ns, room[0], fresh)
            if fresh() or not still():
                return Done(condemned, spared, thinned, moved, purged, stopped, plan)
            room = self._measure(store)  # thinning, moving and deleting may take hours
            again, fresh = self._judge(store, policy, room, others)
            spared += apply.spare(self.catalog, again, room[0])

    def _move(
        self,
        stores: Mapping[str, DeletableStore],
        plan: Plan,
        policy: Policy,
        patience_s: float,
    ) -> int:
        def floor_of(name: str) -> float:
            return policy.room(name, self.level).floor

        return self.workers().mover.carry_out(
            stores, plan, floor_of, self.clock.monotonic() + patience_s
        )

    def _say(self, store: str, plan: Plan, stopped: str) -> None:
        telemetry.PLAN_STOPPED.labels(store).set(bool(stopped))
        for why in self._said.news(f"{store} stopped", [stopped] if stopped else []):
            log.error("plan needs a word", extra={"store": store, "why": why})
        if plan.spares:
            said = {"store": store, "segments": len(plan.spares), "why": plan.spares[0].reason}
            log.warning("condemned no more", extra=said)
        for warning in self._said.news(store, plan.warnings):
            log.warning("plan", extra={"store": store, "why": warning})
        for why, count in plan.waiting.items():
            telemetry.WAITING.labels(store, why).set(count)


def _tell_room(store: str, capacity: Capacity) -> None:
    telemetry.STORED_BYTES.labels(store).set(capacity.stored_bytes)
    if capacity.total_bytes is not None:
        telemetry.STORE_FREE.labels(store).set(capacity.free_bytes)
        telemetry.STORE_SIZE.labels(store).set(capacity.total_bytes)
