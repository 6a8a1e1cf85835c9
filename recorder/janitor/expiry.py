"""Events whose time is over: forgotten when policy says so and no footage needs them.

An event decides which rule keeps the footage that it touches, so it stays until nobody has any of
that any more, here, above or below.  In the stores the objects of a day go when all that they
tell of is gone from a catalog which has itself forgotten events of that day: one that was lost
forgets nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import islice, takewhile
from typing import Protocol

from policies.document import FOREVER, Policy
from recorder import telemetry
from recorder.errors import BadDocument
from recorder.janitor.keeping_events import read_events
from recorder.model.keys import ANY_SITE
from recorder.model.media import ObjectInfo
from recorder.model.timebase import DAY, HOUR, SECOND, Instant, format_instant
from recorder.ports import (
    AgedEvent,
    DeletableStore,
    Documents,
    EventAges,
    Progress,
    Sites,
)
from recorder.store.kept import EVENTS

log = logging.getLogger("recorder.janitor")

PAGE = 1000
"""Events that one sweep looks at; the next goes on behind them."""
NAMED = 100
"""Events that one entry of the audit log names: so many are forgotten at once."""
MOST_OBJECTS = 1000
"""Objects of a store that are looked at each time, and deleted; once a day."""
HEARD_NS = HOUR
"""Of cameras below nothing is forgotten while their site is silent, or late, for so long."""
_DONE = "expired events"


class ExpiryCatalog(Protocol):
    """The parts of the catalog that forgetting events uses."""

    event_ages: EventAges
    documents: Documents
    progress: Progress
    sites: Sites


class Note(Protocol):
    """What writes into the audit log what is about to go: an action, and details of it."""

    def __call__(self, action: str, **details: object) -> None:
        """Write it.  Raises: ``AuditUnavailable``."""


class EventExpiry:
    """Forgets events by policy, page by page.

    ``grace_ns``: a policy counts for events once it has been in force for so long.
    """

    def __init__(self, catalog: ExpiryCatalog, site: str, note: Note, grace_ns: int) -> None:
        self._catalog, self._site, self._note, self._grace_ns = catalog, site, note, grace_ns
        self._after: tuple[Instant, str] = (-1, "")
        self._cleared: dict[str, Instant] = {}
        self._passed: dict[str, str] = {}

    def run(self, policy: Policy | None, now: Instant) -> int:
        """Forget what is due of one page of old events; return how many.

        Raises: ``AuditUnavailable``.
        """
        if policy is None or not self._counts(policy, now):
            return 0
        page = self._catalog.event_ages.aged(now - policy.least_event_age, self._after, PAGE)
        self._after = (page[-1].noted, page[-1].event_id) if len(page) == PAGE else (-1, "")
        behind = self._behind(now)
        old = {one.event_id: one for one in page if _is_over(one, policy, now, behind)}
        free = self._catalog.event_ages.free(old)
        gone = 0
        for i in range(0, len(free), NAMED):
            gone += self._expire([old[name] for name in free[i : i + NAMED]], policy, now)
        return gone

    def _counts(self, policy: Policy, now: Instant) -> bool:
        document = self._catalog.documents.newest("policy")
        return (
            policy.least_event_age < FOREVER
            and document is not None
            and document.version == policy.version
            and now - document.at >= self._grace_ns
        )

    def _behind(self, now: Instant) -> frozenset[str]:
        """Return the sites that may know of footage which is not known here yet."""
        return frozenset(
            one.name
            for one in self._catalog.sites.all()
            if abs(now - one.at) >= HEARD_NS
            or float(one.facts.get("lag_s", 0)) * SECOND >= HEARD_NS
        )

    def _expire(self, events: Sequence[AgedEvent], policy: Policy, now: Instant) -> int:
        names = [one.event_id for one in events]
        kinds = sorted({one.kind for one in events})
        self._note("event.expire", events=names, kinds=kinds, policy=policy.version)
        gone = self._catalog.event_ages.expire(names)
        noted = max(one.noted for one in events)
        facts = self._catalog.progress.of(_DONE)
        if noted > int(facts.get("noted", -1)):
            self._catalog.progress.put(_DONE, {"noted": noted}, now)
        telemetry.EXPIRED_EVENTS.inc(gone)
        log.info("events expired", extra={"events": gone, "kinds": kinds})
        return gone

    def clear(self, store: DeletableStore, now: Instant) -> int:
        """Delete from a store, once a day, objects all of whose events are gone.

        Raises: ``StoreUnavailable``, ``AuditUnavailable``.
        """
        until = int(self._catalog.progress.of(_DONE).get("noted", -1))
        if until < 0 or 0 <= now - self._cleared.get(store.name, now - DAY) < DAY:
            return 0
        oldest = self._catalog.event_ages.oldest()
        last = format_instant(min(until, oldest if oldest is not None else until))[:10]
        prefix = f"{EVENTS}{self._site}/"
        listed = store.list(prefix, self._passed.get(store.name, ""))
        before = takewhile(lambda info: info.key < prefix + last, listed)
        looked = list(islice(before, MOST_OBJECTS))
        due = [info.key for info in looked if self._is_gone(store, info)]
        if due:
            self._note("event.expire-objects", store=store.name, objects=len(due), before=last)
            refused = store.delete(due)
            for key, why in list(refused.items())[:1]:
                log.warning("objects of events stay", extra={"key": key, "reason": why})
            due = [key for key in due if key not in refused]
        whole = len(looked) < MOST_OBJECTS
        self._passed[store.name] = "" if whole else looked[-1].key
        if whole:
            self._cleared[store.name] = now
        return len(due)

    def _is_gone(self, store: DeletableStore, info: ObjectInfo) -> bool:
        """Tell whether none of an object's events is known: clocks may have gone back since."""
        try:
            names = [event.event_id for event, _ in read_events(store, info)]
        except BadDocument as exc:
            log.warning("an object of events is damaged, and stays", extra={"reason": str(exc)})
            return False
        return not self._catalog.event_ages.known(names)


def _is_over(one: AgedEvent, policy: Policy, now: Instant, behind: frozenset[str]) -> bool:
    if behind and (ANY_SITE in one.sites or one.sites & behind):
        return False
    return max(one.noted, one.end) < now - policy.event_age(one.kind)
