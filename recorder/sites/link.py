"""The link of a site to its parent: changes up, documents down, footage up."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from policies.law import Law
from policies.replicate import Transfer
from recorder import telemetry
from recorder.accounts.peers import PARENT_SITE
from recorder.capture.allowed import check_below
from recorder.errors import (
    BadDocument,
    NameTaken,
    RequestError,
)
from recorder.janitor.apply import PlanCatalog
from recorder.janitor.holding import FROM_ABOVE, footage_in
from recorder.janitor.lawful import refused_by_law
from recorder.model.cameras import Camera
from recorder.model.event_changes import read_event_document
from recorder.model.holds import Hold
from recorder.model.keys import StreamId
from recorder.model.media import Segment
from recorder.model.places import PARENT
from recorder.model.schedule import Timetable
from recorder.model.timebase import Instant
from recorder.ports import (
    ChildCameras,
    Clock,
    Commits,
    Footage,
    Identities,
    Integrity,
    Nodes,
    Notices,
    ObjectStore,
    Outbox,
    Peer,
    Peers,
    Progress,
    Secrets,
    SiteBeat,
    Statuses,
    StreamStatus,
)
from recorder.sites.asked import CAMERAS, Asked
from recorder.sites.documents import read_hold_document
from recorder.sites.joining import learn_parent
from recorder.sites.noted import FromAbove
from recorder.sites.owed import TAKEN, named
from recorder.sites.remote import RemoteSite
from recorder.sites.turns import put_back
from recorder.sites.uplink import Uplink, UplinkSettings

log = logging.getLogger("recorder.sites")

EVENTS = "events from above"
ANEW = "anew"
"""A mark in the outbox: before it, or after it, all is told anew."""
KNOWN_PARENT = "parent"
"""What the parent's identity is kept under, among how far long jobs are."""
BATCH = 2000
HOLD_S = 20.0
"""How often it is looked up what a hold keeps: footage still comes."""
HOLDS_AT_ONCE = 5
HOLDS_TOLD_S = 60.0
"""How often it is told of all holds; what changes is told at once."""
CATCH_UP_S = 10.0
"""So long one exchange follows another while there is more to tell than one takes."""
STATES_S = 5.0
"""How often all states are told; those that change are told at once."""


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """``budget_bps``: bytes per second of footage up, 0 for no limit; ``windows``: when a
    class may travel (always, where none is given); ``url``: where this site's API answers;
    ``law``: what a policy from above is held to;
    ``about``: what else is told of this site, such as how access stands;
    ``catalog_id``: what this site's catalog is told apart by from another site of its name.
    """

    site: str
    level: str
    url: str
    budget_bps: int = 0
    windows: Mapping[str, Timetable] = field(default_factory=dict)
    catalog_id: Callable[[], str] = str
    law: Law = field(default_factory=Law)
    about: Callable[[], Mapping[str, Any]] = dict


def _lag_s(now: Instant, oldest: Instant | None) -> float:
    """Say how long the oldest change has waited; none where the clock went back since."""
    return 0.0 if not oldest else max(0.0, round((now - oldest) / 1e9, 1))


class LinkCatalog(PlanCatalog, Protocol):
    """The parts of the catalog that the link to the parent uses."""

    footage: Footage
    commits: Commits
    integrity: Integrity
    outbox: Outbox
    notices: Notices
    child_cameras: ChildCameras
    identities: Identities
    secrets: Secrets
    statuses: Statuses
    nodes: Nodes
    progress: Progress
    peers: Peers


class Link:
    """Speaks to the parent; every method may fail and be called again."""

    def __init__(
        self,
        parent: RemoteSite,
        catalog: LinkCatalog,
        store: ObjectStore,
        clock: Clock,
        settings: LinkSettings,
        read: Callable[[Segment, int, int], Iterator[bytes]],
        make_thin: Callable[[Segment], tuple[Path, Segment]],
        check: Callable[[Camera], Camera] = check_below,
        above: FromAbove | None = None,
    ) -> None:
        """``make_thin`` writes a segment's thin one to a file, which is ours then; ``check``
        refuses cameras that this site does not allow, whoever asks for them; ``above``
        notes in the audit log what comes down, and has the parent countersign it.
        """
        self._above = above or FromAbove()
        self._asked = Asked(catalog, clock, settings.site, check, self._above)
        self.parent, self.catalog, self.store = parent, catalog, store
        self.clock, self.settings = clock, settings
        self._heard: list[int] = []
        self._events_taken: list[tuple[str, int]] = []
        self._most = BATCH
        self.refused: dict[str, Any] = {}
        """What the parent did not take in, of changes and all else: how much, and why."""
        self.unlawful = ""
        """Why the parent's policy is not in force here: a limit of this site's settings."""
        self._turned_away = ""
        self.one_store = ""
        """Why nothing is sent up: the parent's store is one of ours, and no copy lies above."""
        self._anew: list[str] = []
        self._holds_heard = ""
        self._states: dict[StreamId, StreamStatus] = {}
        self._states_at = -STATES_S
        self.parent_name = ""
        self._known_holds: dict[str, Hold] = {}
        self._footage_of: dict[str, tuple[float, dict[str, Any]]] = {}
        self._holds_told: dict[str, Any] = {}
        self._holds_at = -HOLDS_TOLD_S
        self._stopping = threading.Event()
        uplink = UplinkSettings(settings.level, settings.budget_bps, settings.windows)
        self.uplink = Uplink(parent, catalog, store, clock, uplink, read, make_thin)

    def stop(self) -> None:
        """Break off what is being told and sent."""
        self._stopping.set()
        self.uplink.stop()

    # -- the feed --------------------------------------------------------------------------

    def catch_up(self) -> int:
        """Exchange until all is told, or for a while; return how many changes were told."""
        until, told = self.clock.monotonic() + CATCH_UP_S, 0
        while True:
            count = self.exchange()
            told += count
            if count < BATCH or self._stopping.is_set() or self.clock.monotonic() > until:
                return told

    def exchange(self) -> int:
        """Tell the parent what changed and how we are; take in its documents.

        Returns how many changes were told.
        Raises: ``SiteUnreachable``, ``NotAllowed``, ``NameTaken``.
        """
        if not any(site.name == PARENT for site in self.catalog.sites.all()):
            self.catalog.outbox.fill(self.clock.now())
            self._hear({"site": "", "level": ""})  # from now on changes are noted
        now = self.clock.now()
        numbers, taken = self.catalog.outbox.take(self._most, now)
        self._anew = [one["what"] for one in taken if one["k"] == ANEW]
        said = [one for one in taken if one["k"] != ANEW]
        try:
            answer = self.parent.exchange(self._message(said))
        except BadDocument as exc:
            self._states, self._holds_told = {}, {}
            answer, said = self._without_bad(numbers, said, exc), []
        except Exception as exc:
            self._states, self._holds_told = {}, {}  # it may not have heard them
            if isinstance(exc, NameTaken):
                self._note_turned_away(exc)
            raise
        else:
            self._most = min(BATCH, self._most * 2)
        again = [said[one] for one in answer.get("again", ()) if 0 <= one < len(said)]
        self.catalog.outbox.drop(numbers, again, now)
        self._hear(answer)
        return len(numbers)

    def _without_bad(
        self, numbers: Sequence[int], said: Sequence[Mapping[str, Any]], exc: BadDocument
    ) -> dict[str, Any]:
        """Find the change that the parent refuses, over some exchanges, and tell it no more.

        Raises: ``exc`` while it is not found, or when it is no change that is refused.
        """
        if len(numbers) > 1:
            self._most = max(1, len(numbers) // 4)
            raise exc
        if not said:
            raise exc
        answer = self.parent.exchange(self._message(()))  # refused as well: then it is not that
        telemetry.FEED_REFUSED.inc()
        self.refused = {"count": int(self.refused.get("count", 0)) + 1, "why": str(exc)[:300]}
        log.error("the parent refuses a change, it is told no more", extra={"reason": str(exc)})
        return answer

    def _message(self, said: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        waiting, oldest = self.catalog.outbox.depth()
        now = self.clock.now()
        statuses = self._states_to_tell()
        return {
            "site": self.settings.site,
            "level": self.settings.level,
            "url": self.settings.url,
            "catalog": self.settings.catalog_id(),
            "turn": self._turn(),
            "changes": list(said),
            "anew": self._anew,
            "statuses": [{**asdict(one), "stream": str(one.stream)} for one in statuses],
            "nodes": [asdict(one) for one in self.catalog.nodes.all()],
            "sites": [asdict(one) for one in self.catalog.sites.all() if one.name != PARENT],
            "holds": self._holds_said(now),
            "heard": self._heard,
            "cameras_heard": self._asked.heard(),
            "holds_heard": self._holds_heard,
            "audit": self._above.said(),
            "events_heard": int(self.catalog.progress.of(EVENTS).get("at", 0)),
            TAKEN: self._events_taken if self.catalog.progress.of(EVENTS).get("begun") else None,
            "facts": {
                "untold": waiting,
                "lag_s": _lag_s(now, oldest),
                "backlog": self.uplink.backlog,
                "unsent": self.uplink.unsent.facts,
                **({"policy_refused": self.unlawful} if self.unlawful else {}),
                **self.settings.about(),
            },
        }

    def _note_turned_away(self, exc: NameTaken) -> None:
        """Show that the parent takes nothing from us; once it does, all is told anew.

        Another has spoken there by our name: what we believe of copies above may be of its.
        """
        if self._turned_away == str(exc):
            return
        self._turned_away = str(exc)
        log.error("the parent turns this site away", extra={"reason": str(exc), "hint": exc.hint})
        now = self.clock.now()
        beat = next(one for one in self.catalog.sites.all() if one.name == PARENT)
        facts = {**beat.facts, "turned_away": {"why": str(exc), "hint": exc.hint}}
        self.catalog.sites.put(replace(beat, facts=facts))
        forget_parent(self.catalog.progress, now)

    def _states_to_tell(self) -> list[StreamStatus]:
        """Return the states that changed, and every few seconds all of them: a sign of life."""
        all_states = self.catalog.statuses.all()
        if self.clock.monotonic() - self._states_at >= STATES_S:
            self._states_at, self._states = self.clock.monotonic(), {}
        told = {one.stream: _to_compare(one) for one in all_states}
        fresh = [one for one in all_states if self._states.get(one.stream) != told[one.stream]]
        self._states |= {one.stream: told[one.stream] for one in fresh}
        return fresh

    def _holds_said(self, now: Instant) -> dict[str, Any]:
        """Say what live holds keep here and below, of those of which that has changed."""
        live, below = self.catalog.holds.live(now), self.catalog.holds.all_deliveries()
        self._look_at(live)
        if self.clock.monotonic() - self._holds_at >= HOLDS_TOLD_S:
            self._holds_at, self._holds_told = self.clock.monotonic(), {}
        said = {
            hold.hold_id: {
                **below.get(hold.hold_id, {}),
                self.settings.site: self._footage_of[hold.hold_id][1],
            }
            for hold in live
            if hold.hold_id in self._footage_of
        }
        fresh = {name: facts for name, facts in said.items() if self._holds_told.get(name) != facts}
        self._holds_told |= fresh
        return fresh

    def _look_at(self, live: Sequence[Hold]) -> None:
        """Find out what holds keep here: a few at a time, those longest not looked at first."""
        now = self.clock.monotonic()
        ages = {hold.hold_id: self._footage_of.get(hold.hold_id, (-HOLD_S, {}))[0] for hold in live}
        due = [hold for hold in live if now - ages[hold.hold_id] >= HOLD_S]
        for hold in sorted(due, key=lambda one: ages[one.hold_id])[:HOLDS_AT_ONCE]:
            found = footage_in(self.catalog.footage, hold, self.settings.site)
            self._footage_of[hold.hold_id] = (now, found)

    def _know_parent(self, answer: Mapping[str, Any], now: Instant) -> None:
        """Begin anew with a parent that is not the one it was, or has lost its catalog.

        What is believed of copies above was said of another: it is unknown from now on.
        """
        told = {"catalog": str(answer.get("catalog", "")), "site": str(answer["site"])}
        known = self.catalog.progress.of(KNOWN_PARENT)
        older = put_back(self._turn(), int(answer.get("turn_was", self._turn())))
        if not told["catalog"] or (told == known and not older):
            return
        if known:
            other = known["catalog"] != told["catalog"] and known["site"] != told["site"]
            moved = (known["site"], told["site"]) if other else ("", "")
            count = self.catalog.outbox.begin_anew(now, *moved)
            said = {"site": told["site"], "was": known["site"], "older": older, "changes": count}
            log.warning(
                "another parent, or one that lost its catalog or is older: all is told again",
                extra=said,
            )
            self.catalog.progress.put(CAMERAS, {"at": 0}, now)
            self.catalog.progress.put(FROM_ABOVE, {}, now)
            self.catalog.progress.put(EVENTS, {"at": 0}, now)
            self.uplink.begin_anew()
            self._states, self._holds_told, self._known_holds = {}, {}, {}
        self.catalog.progress.put(KNOWN_PARENT, told, now)

    def _know_store(self, identity: str, now: Instant) -> None:
        """See that the parent's store is none of ours: what lies in one place is no second copy."""
        own = self.catalog.identities.names_of(identity) if identity else []
        if own and not self.one_store:
            self.one_store = f"the parent's store is {own[0]} here: one place keeps no second copy"
            log.error("nothing is sent up", extra={"why": self.one_store})
            self.catalog.outbox.begin_anew(now)
        elif not own:
            self.one_store = ""

    def _turn(self) -> int:
        """Return how often the parent has counted that it heard us, by what it said last."""
        beat = next((one for one in self.catalog.sites.all() if one.name == PARENT), None)
        return int(beat.facts.get("turn", 0)) if beat is not None else 0

    def _hear(self, answer: Mapping[str, Any]) -> None:
        now = self.clock.now()
        self._know_parent(answer, now)
        self._know_store(str(answer.get("store_id", "")), now)
        self.parent_name, self._turned_away = str(answer["site"]), ""
        self._hear_aside(answer)
        self._above.heard(answer.get("audit"))
        if any((one.kind, one.name) == (PARENT_SITE, answer["site"]) for one in self._keys()):
            learn_parent(self.catalog.peers, self.clock, self.parent_name, answer.get("keys"))
        facts = {"site": answer["site"], "store": answer.get("store", "")}
        facts["turn"] = int(answer.get("turn", self._turn()))
        kept: dict[str, Any] = {
            "refused": self.refused,
            "unsent": self.uplink.unsent.facts,
            "policy_refused": self.unlawful,
            "one_store": self.one_store,
        }
        facts |= {name: one for name, one in kept.items() if one}
        self.catalog.sites.put(SiteBeat(PARENT, str(answer["level"]), self.parent.url, now, facts))
        if answer.get("policy") is not None:
            self._hear_policy(str(answer["site"]), answer["policy"], now)
        holds = [read_hold_document(document) for document in answer.get("holds", ())]
        if holds:  # all of them, when any differs from what was heard
            named = {"site": str(answer["site"]), "holds": [one.hold_id for one in holds]}
            self.catalog.progress.put(FROM_ABOVE, named, now)
        for hold in holds:
            self._hear_hold(hold)
        self._holds_heard = str(answer.get("holds_digest", ""))
        self._asked.hear(answer.get("cameras", ()), str(answer["site"]))
        if "events" in answer:
            self._hear_events(answer["events"], now)
        word = answer.get("word", ())
        self.catalog.notices.apply(word, now)
        self._heard = [int(one["seq"]) for one in word]

    def _hear_policy(self, site: str, policy: Mapping[str, Any], now: Instant) -> None:
        """Put the parent's policy in force, unless the law here forbids it: then ours goes on."""
        present = self.catalog.documents.newest("policy")
        if present is not None and dict(present.body) == policy["body"]:
            self.unlawful = ""
            return
        before, self.unlawful = self.unlawful, refused_by_law(self.settings.law, policy["body"])
        if self.unlawful:
            if self.unlawful != before:
                log.error("policy from the parent refused", extra={"reason": self.unlawful})
                self._above.policy(site, policy["body"], refused=self.unlawful)
            return
        self._above.policy(site, policy["body"])
        self.catalog.documents.put("policy", policy["body"], f"{policy['author']} at {site}", now)
        log.info("policy from the parent", extra={"site": site})

    def _keys(self) -> list[Peer]:
        """Return the keys that count."""
        return [one for one in self.catalog.peers.all() if one.ended is None]

    def _hear_events(self, documents: Sequence[Mapping[str, Any]], now: Instant) -> None:
        """Take in events from above: footage they touch is kept as they say, here, too."""
        known = self.catalog.progress.of(EVENTS)
        latest, taken = int(known.get("at", 0)), list[tuple[str, int]]()
        for document in documents:
            try:
                event = read_event_document(document)
                if event.site != self.settings.site:  # of its own it knows better
                    self.catalog.events.take([(event, None)], now)
            except (RequestError, KeyError, TypeError, ValueError) as exc:  # a newer release's
                log.error("event not understood", extra={"reason": repr(exc)})
                event = None
            # said to be taken though it is not understood: it would be told again each second
            taken += named(document)
            latest = max(latest, event.noted if event is not None else 0)
        self._events_taken = taken
        if not known.get("begun") or latest > int(known.get("at", 0)):
            self.catalog.progress.put(EVENTS, {"at": latest, "begun": True}, now)

    def _hear_aside(self, answer: Mapping[str, Any]) -> None:
        """Remember what the parent set aside of the last message."""
        for one in answer.get("set_aside", ())[:1]:
            why = f"{one['what']}: {one['why']}"
            if why != self.refused.get("why"):
                log.warning("the parent set something aside", extra={"reason": why})
            count = int(self.refused.get("count", 0)) + int(answer.get("set_aside_count", 1))
            self.refused = {"count": count, "why": why}

    def _hear_hold(self, hold: Hold) -> None:
        if self._known_holds.get(hold.hold_id) == hold:
            return
        self._above.hold(self.parent_name, hold, self.catalog.holds.get(hold.hold_id))
        self.catalog.holds.add(hold)
        if hold.released is not None:
            self.catalog.holds.release(hold.hold_id, hold.released_by, hold.released)
        self._known_holds[hold.hold_id] = hold

    # -- footage ---------------------------------------------------------------------------

    def plan(self) -> list[Transfer]:
        """Say what should travel, most urgent first."""
        return self.uplink.plan()

    def carry(self, transfers: Sequence[Transfer], until: float) -> int:
        """Send footage as :meth:`Uplink.carry` does; nothing to a parent that turns us away, or
        that would put it where it is.
        """
        barred = self._turned_away or self.one_store
        return 0 if barred else self.uplink.carry(transfers, until)

    def silent_ns(self) -> int | None:
        """Return how long the parent has not been heard from."""
        beat = next((one for one in self.catalog.sites.all() if one.name == PARENT), None)
        return self.clock.now() - beat.at if beat is not None else None


def forget_parent(progress: Progress, now: Instant) -> None:
    """Take whoever is above next as another: what is done meanwhile is not noted, or not heard."""
    known = progress.of(KNOWN_PARENT)
    if known.get("catalog"):
        progress.put(KNOWN_PARENT, {**known, "catalog": ""}, now)


def _to_compare(status: StreamStatus) -> StreamStatus:
    """Return what of a state is worth telling when it changes; figures go along with that."""
    return replace(status, at=0, health={"habits": status.health.get("habits", {})})
