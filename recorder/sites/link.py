"""The link of a site to its parent: changes up, documents down, footage up."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from policies.replicate import Transfer
from recorder import telemetry
from recorder.accounts.peers import PARENT_SITE
from recorder.capture.allowed import check_below
from recorder.catalog.anew import ANEW
from recorder.errors import BadDocument, NameTaken, NotAllowed
from recorder.janitor.holding import FROM_ABOVE
from recorder.model.cameras import Camera
from recorder.model.media import Segment
from recorder.model.places import PARENT
from recorder.model.timebase import Instant
from recorder.ports import (
    Clock,
    ObjectStore,
    SiteBeat,
)
from recorder.sites.answered import Answers
from recorder.sites.asked import Asked
from recorder.sites.heard import EVENTS, Heard
from recorder.sites.joining import learn_parent
from recorder.sites.linked import LinkCatalog, LinkSettings, lag_s
from recorder.sites.noted import FromAbove
from recorder.sites.numbered import NUMBERED, Numbers
from recorder.sites.owed import TAKEN
from recorder.sites.parent import KnownParent
from recorder.sites.remote import RemoteSite
from recorder.sites.removed import REMOVED, removed_sites
from recorder.sites.said import HoldsSaid, StatesSaid
from recorder.sites.speaker import AT
from recorder.sites.turns import TURN, read_turn
from recorder.sites.uplink import Uplink, UplinkSettings
from recorder.sites.word import UNKNOWN, Word

log = logging.getLogger("recorder.sites")

BATCH = 2000
CATCH_UP_S = 10.0
"""So long one exchange follows another while there is more to tell than one takes."""


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
        self._numbers = Numbers(settings.node)
        self._most = BATCH
        self.refused: dict[str, Any] = {}
        """What the parent did not take in, of changes and all else: how much, and why."""
        self._turned_away = self._holds_heard = ""
        self.one_store = ""
        """Why nothing is sent up: the parent's store is one of ours, and no copy lies above."""
        self._anew: list[str] = []
        self._known, self._answers = KnownParent(catalog), Answers()
        self.states = StatesSaid(catalog, clock)
        self._word = Word(catalog)
        self.from_parent = Heard(catalog, settings.site, settings.law, self._above)
        self.holds = HoldsSaid(catalog, clock, settings.site, self.from_parent.called)
        self._stopping = threading.Event()
        uplink = UplinkSettings(settings.level, settings.budget_bps, settings.windows)
        self.parent_name = ""
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
        turn = self._known.turn()
        try:
            answer = self._answers.ask(self.parent, self._message(said))
        except BadDocument as exc:
            self.say_all()
            answer, said = self._without_bad(numbers, said, exc), []
        except Exception as exc:
            self.say_all()  # it may not have heard them
            if isinstance(exc, NameTaken):
                self._note_turned_away(exc)
            elif isinstance(exc, NotAllowed):
                self._known.refuses(str(exc), exc.hint)
            raise
        else:
            self._most = min(BATCH, self._most * 2)
        self._known.check_one(answer, self.clock.monotonic())
        again = [said[one] for one in answer.get("again", ()) if one < len(said)]
        self.catalog.outbox.drop(numbers, again, now)
        if self._known.turn() == turn:  # else another node was answered meanwhile
            self._hear(answer)
        return len(numbers)

    def _without_bad(
        self, numbers: Sequence[int], said: Sequence[Mapping[str, object]], exc: BadDocument
    ) -> dict[str, object]:
        """Find the change that the parent refuses, over some exchanges, and tell it no more.

        Raises: ``exc`` while it is not found, or when it is no change that is refused.
        """
        if len(numbers) > 1:
            self._most = max(1, len(numbers) // 4)
            raise exc
        if not said:
            raise exc
        answer = self._answers.ask(
            self.parent, self._message(())
        )  # refused as well: then it is not that
        telemetry.FEED_REFUSED.inc()
        self.refused = {"count": int(self.refused.get("count", 0)) + 1, "why": str(exc)[:300]}
        log.error("the parent refuses a change, it is told no more", extra={"reason": str(exc)})
        return answer

    def _message(self, said: Sequence[Mapping[str, object]]) -> dict[str, object]:
        waiting, oldest = self.catalog.outbox.depth()
        now, sites = self.clock.now(), self.catalog.sites.all()
        statuses, unlawful = self.states.to_tell(), self.from_parent.unlawful
        return {
            "site": self.settings.site,
            "level": self.settings.level,
            "url": self.settings.url,
            "catalog": self.settings.catalog_id(),
            "turn": self._known.turn(),
            NUMBERED: self._numbers.next(),
            AT: now,
            "changes": list(said),
            "anew": self._anew,
            "statuses": [{**asdict(one), "stream": str(one.stream)} for one in statuses],
            "nodes": [asdict(one) for one in self.catalog.nodes.all()],
            REMOVED: removed_sites(self.catalog.progress, sites, now),
            "sites": [asdict(one) for one in sites if one.name != PARENT],
            "holds": self.holds.to_tell(now),
            "heard": self._word.heard,
            UNKNOWN: self._word.unknown,
            "cameras_heard": self._asked.heard(),
            "holds_heard": self._holds_heard,
            "audit": self._above.said(),
            "events_heard": int(self.catalog.progress.of(EVENTS).get("at", 0)),
            TAKEN: self.from_parent.events_taken
            if self.catalog.progress.of(EVENTS).get("begun")
            else None,
            "facts": {
                "untold": waiting,
                "lag_s": lag_s(now, oldest),
                "backlog": self.uplink.backlog,
                "unsent": self.uplink.unsent.facts,
                **({"policy_refused": unlawful} if unlawful else {}),
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
        self._known.turns_away(str(exc), exc.hint, self.clock.now())

    def say_all(self) -> None:
        """Tell all states, and of all holds, the next time."""
        self.states.forget()
        self.holds.forget()

    def _know_parent(self, answer: Mapping[str, object], now: Instant) -> None:
        """Begin anew with a parent that is not the one it was, or has lost its catalog.

        What is believed of copies above was said of another: it is unknown from now on.
        """
        change = self._known.replaced(answer)
        if change is not None:
            count = self.catalog.outbox.begin_anew(now, *change.moved)
            said = {"site": str(answer["site"]), "was": change.was, "older": change.older}
            log.warning(
                "another parent, or one of us lost its catalog or is older: all is told again",
                extra={**said, "changes": count},
            )
            self._asked.begin_anew()
            self.catalog.progress.put(FROM_ABOVE, {}, now)
            self.catalog.progress.put(EVENTS, {"at": 0}, now)
            self.uplink.begin_anew()
            self.say_all()
            self.from_parent.known_holds = {}
        self._known.remember(answer, now)

    def _know_store(self, identity: str, now: Instant) -> None:
        """See that the parent's store is none of ours: what lies in one place is no second copy."""
        own = self.catalog.identities.names_of(identity) if identity else []
        if own and not self.one_store:
            self.one_store = f"the parent's store is {own[0]} here: one place keeps no second copy"
            log.error("nothing is sent up", extra={"why": self.one_store})
            self.catalog.outbox.begin_anew(now)
        elif not own:
            self.one_store = ""

    def _hear(self, answer: Mapping[str, Any]) -> None:
        now = self.clock.now()
        self._know_parent(answer, now)
        self._know_store(str(answer.get("store_id", "")), now)
        self.parent_name, self._turned_away = str(answer["site"]), ""
        self._hear_aside(answer)
        self._above.heard(answer.get("audit"))
        known = (PARENT_SITE, self.parent_name, None)
        if any((one.kind, one.name, one.ended) == known for one in self.catalog.peers.all()):
            learn_parent(self.catalog.peers, self.clock, self.parent_name, answer.get("keys"))
        facts = {"site": answer["site"], "store": answer.get("store", "")}
        facts["turn"] = read_turn(answer.get(TURN), self._known.turn())
        kept: dict[str, object] = {
            "refused": self.refused,
            "unsent": self.uplink.unsent.facts,
            "policy_refused": self.from_parent.unlawful,
            "one_store": self.one_store,
        }
        facts |= {name: one for name, one in kept.items() if one}
        self.catalog.sites.put(SiteBeat(PARENT, str(answer["level"]), self.parent.url, now, facts))
        if answer.get("policy") is not None:
            self.from_parent.policy(self.parent_name, answer["policy"], now)
        if self.from_parent.holds(self.parent_name, answer.get("holds", ()), now):
            self._holds_heard = str(answer.get("holds_digest", ""))
        self._asked.hear(answer.get("cameras", ()), str(answer["site"]))
        if "events" in answer:
            self.from_parent.events(answer["events"], now)
        self._word.hear(answer.get("word", ()), self.parent_name, now)

    def _hear_aside(self, answer: Mapping[str, Any]) -> None:
        """Remember what the parent set aside of the last message."""
        for one in answer.get("set_aside", ())[:1]:
            why = f"{one['what']}: {one['why']}"
            if why != self.refused.get("why"):
                log.warning("the parent set something aside", extra={"reason": why})
            count = int(self.refused.get("count", 0)) + int(answer.get("set_aside_count", 1))
            self.refused = {"count": count, "why": why}

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
