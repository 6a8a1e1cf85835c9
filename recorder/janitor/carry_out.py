"""The one orchestration of retention: judge, take back, condemn, thin, delete, store by store."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from policies.document import Policy
from policies.facts import Capacity
from policies.plan import Plan
from policies.retain import retain
from recorder import telemetry
from recorder.janitor import apply
from recorder.janitor.meter import Meter
from recorder.janitor.proof import ClockProof
from recorder.model.timebase import Instant
from recorder.ports import Clock, DeletableStore

log = logging.getLogger("recorder.janitor")


RESTING = 9
"""So many times as long as planning took, nothing is swept: what is condemned is judged each time,
and there is a grace's worth of it."""


class JanitorCatalog(apply.PlanCatalog, apply.SweepCatalog, Protocol):
    """The parts of the catalog that retention uses."""


class Thinning(Protocol):
    """What makes thin segments."""

    def carry_out(self, store: DeletableStore, plan: Plan, until: float) -> int:
        """Make thin segments until ``until`` (monotonic); return how many."""


@dataclass(frozen=True, slots=True)
class Done:
    """What was done in one store; ``stopped`` says why no more was, if it was not."""

    condemned: int = 0
    spared: int = 0
    thinned: int = 0
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
        thinner: Callable[[], Thinning],
        spools: Callable[[], Sequence[apply.CacheSpool]],
        pace: Callable[[int], object],
        *,
        level: str,
        grace_ns: int,
    ) -> None:
        self.catalog, self.clock, self.proof, self.meter = catalog, clock, proof, meter
        self.thinner, self.spools, self.pace = thinner, spools, pace
        self.level, self.grace_ns = level, grace_ns
        self.rests_until = 0.0
        """Until then (monotonic) no sweep is due: planning takes a tenth of the time at most."""

    def doubt(self, *, vouched: bool) -> str:
        """Say why nothing may be destroyed now; ``vouched``: a person stands for the clock."""
        if vouched:
            self.proof.believe()
        why = "" if vouched else self.proof.doubt()
        telemetry.CLOCK_DOUBTED.set(bool(why))
        return f"{why}: nothing is deleted until it is right" if why else ""

    def plan(self, store: DeletableStore, policy: Policy, now: Instant) -> Plan:
        """Decide what to do with every copy in a store; change nothing."""
        return self._plan(store, policy, now, self.meter.capacity(store, now, self.grace_ns))

    def _plan(
        self, store: DeletableStore, policy: Policy, now: Instant, capacity: Capacity
    ) -> Plan:
        begin = self.clock.monotonic()
        facts = apply.facts_of(self.catalog, store, policy, self.level, now, capacity=capacity)
        plan = retain(policy, facts)
        end = self.clock.monotonic()
        self.rests_until = max(self.rests_until, end) + RESTING * (end - begin)
        return plan

    def carry_out(
        self,
        store: DeletableStore,
        policy: Policy | None,
        until: float,
        *,
        stopped_too: bool = False,
    ) -> Done:
        """Do in one store what the policy says, thinning until ``until`` (monotonic).

        ``stopped_too``: also a plan that ``blast_radius`` stopped.  The clock is proven before
        (:meth:`doubt`).
        """
        now = self.clock.now()
        capacity = self.meter.capacity(store, now, self.grace_ns)
        _tell_room(store.name, capacity)
        plan = self._plan(store, policy, now, capacity) if policy is not None else None
        condemned = spared = thinned = 0
        stopped = ""
        if plan is not None:
            spared = apply.spare(self.catalog, plan, now)
            stopped = "" if stopped_too else plan.stopped
            self._say(store.name, plan, stopped)
            if not stopped:
                condemned = apply.condemn(self.catalog, plan, now)
                thinned = self.thinner().carry_out(store, plan, until)
        purged = apply.purge(self.catalog, store, self.spools(), capacity.grace_ns, now, self.pace)
        return Done(condemned, spared, thinned, purged, stopped, plan)

    @staticmethod
    def _say(store: str, plan: Plan, stopped: str) -> None:
        telemetry.PLAN_STOPPED.labels(store).set(bool(stopped))
        if stopped:
            log.error("plan needs a word", extra={"store": store, "why": stopped})
        if plan.spares:
            said = {"store": store, "segments": len(plan.spares), "why": plan.spares[0].reason}
            log.warning("condemned no more", extra=said)
        for warning in plan.warnings:
            log.warning("plan", extra={"store": store, "why": warning})
        for why, count in plan.waiting.items():
            telemetry.WAITING.labels(store, why).set(count)


def _tell_room(store: str, capacity: Capacity) -> None:
    telemetry.STORED_BYTES.labels(store).set(capacity.stored_bytes)
    if capacity.total_bytes is not None:
        telemetry.STORE_FREE.labels(store).set(capacity.free_bytes)
        telemetry.STORE_SIZE.labels(store).set(capacity.total_bytes)
