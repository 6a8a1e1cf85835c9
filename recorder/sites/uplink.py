"""Footage on its way up: what should travel, most urgent first, and sending it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from policies.document import Policy
from policies.replicate import CLASSES, Transfer, replicate
from recorder.errors import (
    IntegrityError,
    RequestError,
    StateError,
    StoreRefused,
    StoreUnavailable,
)
from recorder.janitor.apply import EVERY, Part, PlanCatalog, facts_of
from recorder.janitor.deciding import policy_in_force
from recorder.model.media import Copy, Segment, SegmentId
from recorder.model.schedule import Timetable
from recorder.model.timebase import HOUR
from recorder.ports import Clock, Commits, Integrity, ObjectStore
from recorder.sites.remote import RemoteSite
from recorder.sites.sending import Sending
from recorder.sites.unsent import Unsent
from recorder.store.verify import told_digest
from recorder.throttle import Throttle

log = logging.getLogger("recorder.sites")

OLDER_S = 300.0
"""How often all footage is planned over; the last hour is planned over each time."""


@dataclass(frozen=True, slots=True)
class UplinkSettings:
    """``budget_bps``: bytes per second of footage up, 0 for no limit; ``windows``: when a class
    may travel (always, where none is given); ``level``: of this site.
    """

    level: str
    budget_bps: int = 0
    windows: Mapping[str, Timetable] = field(default_factory=dict)


class UplinkCatalog(PlanCatalog, Protocol):
    """The parts of the catalog that sending footage uses."""

    commits: Commits
    integrity: Integrity


class Uplink:
    """Sends footage to the parent; every method may fail and be called again."""

    def __init__(
        self,
        parent: RemoteSite,
        catalog: UplinkCatalog,
        store: ObjectStore,
        clock: Clock,
        settings: UplinkSettings,
        read: Callable[[Segment, int, int], Iterator[bytes]],
        make_thin: Callable[[Segment], tuple[Path, Segment]],
    ) -> None:
        """``make_thin`` writes a segment's thin one to a file, which is ours then."""
        self.catalog, self.store, self.clock, self.settings = catalog, store, clock, settings
        self.backlog: dict[str, dict[str, int]] = {}
        self.unsent = Unsent(clock)
        self._older: dict[SegmentId, Transfer] = {}
        self._older_at = -OLDER_S
        self._stopping = threading.Event()
        throttle = Throttle(clock, settings.budget_bps, self._stopping.wait)
        self._sending = Sending(parent, catalog.commits, clock, throttle, read, make_thin)

    def stop(self) -> None:
        """Break off what is being sent."""
        self._stopping.set()

    def begin_anew(self) -> None:
        """Forget what was planned and tried: the parent is another."""
        self._older_at, self._older = -OLDER_S, {}
        self.unsent.keep(())
        self._sending.begin_anew()

    def plan(self) -> list[Transfer]:
        """Say what should travel, most urgent first."""
        policy = policy_in_force(self.catalog.documents)
        if policy is None or not any(rule.replicate for rule in policy.rules):
            self.backlog = {}
            self.unsent.keep(())
            return []
        wanted = self._wanted(policy)
        self.unsent.keep({_name(one) for one in wanted})
        backlog = {name: {"segments": 0, "bytes": 0} for name in CLASSES}
        for one in wanted:
            backlog[one.class_]["segments"] += 1
            backlog[one.class_]["bytes"] += one.size_bytes
        self.backlog = {name: counts for name, counts in backlog.items() if counts["segments"]}
        now = self.clock.now()
        closed = {name for name, table in self.settings.windows.items() if not table.is_on(now)}
        return [one for one in wanted if one.class_ not in closed]

    def _wanted(self, policy: Policy) -> list[Transfer]:
        """Plan over the last hour each time, over all footage now and then."""
        now = self.clock.now()
        level = self.settings.level
        if self.clock.monotonic() - self._older_at >= OLDER_S:
            facts = facts_of(self.catalog, self.store, policy, level, now, part=EVERY)
            self._older = {_name(one): one for one in replicate(policy, facts)}
            self._older_at = self.clock.monotonic()
        facts = facts_of(self.catalog, self.store, policy, level, now, part=Part(after=now - HOUR))
        fresh = {_name(one): one for one in replicate(policy, facts)}
        return sorted({**self._older, **fresh}.values(), key=lambda one: one.rank)

    def carry(self, transfers: Sequence[Transfer], until: float) -> int:
        """Send what is wanted, in order, until ``until`` (monotonic); return how many arrived.

        Stops early so that what has become more urgent meanwhile goes first.  One that fails by
        itself is set aside, and keeps no other waiting.
        Raises: ``SiteUnreachable``, ``StoreUnavailable``, ``NotAllowed`` when all would fail.
        """
        arrived = 0
        for one in transfers:
            if self._stopping.is_set() or self.clock.monotonic() > until:
                break
            if not self.unsent.resting(_name(one)) and self._carried(one):
                arrived += 1
        return arrived

    def _carried(self, one: Transfer) -> bool:
        """Send one segment; true when it has arrived, or is here no more."""
        name = _name(one)
        copies = self.catalog.planning.copies_by_id(self.store.name, [name])
        carry = self._sending.send_clean if one.clean else self._sending.send_whole
        try:
            done = not copies or carry(copies[0].segment)
        except (IntegrityError, RequestError, StateError, StoreUnavailable, StoreRefused) as exc:
            if self.unsent.failed(name, exc) and isinstance(exc, IntegrityError):
                self._suspect(copies[0])
            return False
        self.unsent.passed(name)
        if done:
            self._older.pop(name, None)
        return done

    def _suspect(self, copy: Copy) -> None:
        """Tell the scrubber of a stored segment that is not what it was."""
        found = told_digest(self.store, copy.segment)
        if found and found != copy.segment.digest:
            log.error("stored segment is damaged", extra={"key": copy.segment.key})
            self.catalog.integrity.mark_damaged([copy], self.clock.now())


def _name(one: Transfer) -> SegmentId:
    return SegmentId(one.stream, one.start, one.writer)
