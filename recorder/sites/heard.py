"""What comes down from the parent, taken in: policy, holds, events."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from policies.law import Law
from recorder.errors import RequestError
from recorder.janitor.holding import FROM_ABOVE
from recorder.janitor.lawful import refused_by_law
from recorder.model.event_changes import read_event_document
from recorder.model.holds import Hold, differences, name_from_above, read_hold
from recorder.model.places import PARENT
from recorder.model.timebase import Instant
from recorder.ports import Documents, Events, Holds, Progress, Sites
from recorder.sites.noted import FromAbove
from recorder.sites.owed import named
from recorder.sites.speaker import is_heard

log = logging.getLogger("recorder.sites")

EVENTS = "events from above"


class HeardCatalog(Protocol):
    """The parts of the catalog that what comes down goes into."""

    documents: Documents
    events: Events
    holds: Holds
    progress: Progress
    sites: Sites


class Heard:
    """Takes in; what is known already changes nothing."""

    def __init__(self, catalog: HeardCatalog, site: str, law: Law, above: FromAbove) -> None:
        """``law``: what a policy is held to; ``above`` notes in the audit log."""
        self._catalog, self._site, self._law, self._above = catalog, site, law, above
        self.unlawful = ""
        """Why the parent's policy is not in force here: a limit of this site's settings, or words
        that this release does not know."""
        self.events_taken: list[tuple[str, int]] = []
        """Of the last answer, by id and version."""
        self.known_holds: dict[str, Hold] = {}
        self.called: dict[str, str] = {}
        """What holds from above are called here, by their ids there, where that is otherwise."""
        self._odd_hold = ""

    def policy(self, site: str, policy: Mapping[str, object], now: Instant) -> None:
        """Put the parent's policy in force, unless the law here forbids it, or it is not
        understood: then ours goes on.
        """
        present, body = self._catalog.documents.newest("policy"), policy.get("body")
        if present is not None and dict(present.body) == body:
            self.unlawful = ""
            return
        before, self.unlawful = self.unlawful, refused_by_law(self._law, body)
        if self.unlawful or not isinstance(body, Mapping):
            if self.unlawful != before:
                log.error("policy from the parent refused", extra={"reason": self.unlawful})
                said = body if isinstance(body, Mapping) else {}
                self._above.policy(site, said, refused=self.unlawful)
            return
        self._above.policy(site, body)
        author = f"{policy.get('author', '')} at {site}"
        self._catalog.documents.put("policy", body, author, now)
        log.info("policy from the parent", extra={"site": site})

    def events(self, documents: Sequence[Mapping[str, object]], now: Instant) -> None:
        """Take in events from above: footage they touch is kept as they say, here, too."""
        known = self._catalog.progress.of(EVENTS)
        latest, taken = int(known.get("at", 0)), list[tuple[str, int]]()
        better = {self._site, *(self._below(now) if documents else ())}  # know of their own events
        for document in documents:
            try:
                event = read_event_document(document)
                if event.site not in better:
                    self._catalog.events.take([(event, None)], now)
            except (RequestError, KeyError, TypeError, ValueError) as exc:  # a newer release's
                log.error("event not understood", extra={"reason": repr(exc)})
                event = None
            # said to be taken though it is not understood: it would be told again each second
            taken += named(document)
            latest = max(latest, event.noted if event is not None else 0)
        self.events_taken = taken
        if not known.get("begun") or latest > int(known.get("at", 0)):
            self._catalog.progress.put(EVENTS, {"at": latest, "begun": True}, now)

    def _below(self, now: Instant) -> list[str]:
        """Return the sites that are heard of from below."""
        beats = self._catalog.sites.all()
        return [one.name for one in beats if one.name != PARENT and is_heard(one, now)]

    def holds(self, parent: str, documents: Sequence[Mapping[str, object]], now: Instant) -> bool:
        """Take in holds from above, all of them or none; tell whether they were understood.

        One that is not is shown above as not held here, and keeps no other back.
        """
        odd = ""
        for document in documents:
            try:
                self._hold(parent, read_hold(document))
            except (RequestError, KeyError, TypeError, ValueError) as exc:  # a newer release's
                odd = f"{document.get('hold_id')}: {exc!r}"
        if documents:
            ids = [str(one.get("hold_id")) for one in documents]
            self.known_holds = {name: one for name, one in self.known_holds.items() if name in ids}
            self._note_from_above(parent, [self.called.get(one, one) for one in ids], now)
        if odd and odd != self._odd_hold:  # it is told again each second
            log.error("hold from above not understood", extra={"reason": odd})
        self._odd_hold = odd
        return not odd

    def _note_from_above(self, parent: str, names: Sequence[str], now: Instant) -> None:
        """Remember which holds were placed above: those that are told, and those told before that
        are in force here. By a clock above that is ahead they may have expired.
        """
        before = self._catalog.progress.of(FROM_ABOVE).get("holds", ())
        missing = {str(one) for one in before} - set(names) if isinstance(before, list) else set()
        live = [one.hold_id for one in self._catalog.holds.live(now)] if missing else []
        kept = [name for name in live if name in missing]
        self._catalog.progress.put(FROM_ABOVE, {"site": parent, "holds": [*names, *kept]}, now)

    def _hold(self, parent: str, hold: Hold) -> None:
        """Take in a hold from above, or that it was released there.

        A hold of this site that has its id and is another one is neither taken for it, nor
        released with it.
        """
        if self.known_holds.get(hold.hold_id) == hold:
            return
        here, known = hold, self._catalog.holds.get(hold.hold_id)
        if known is not None and differences(hold, known):
            here = replace(hold, hold_id=name_from_above(hold))
            self.called[hold.hold_id] = here.hold_id
            known = self._catalog.holds.get(here.hold_id)
            if known is None:
                said = {"hold": hold.hold_id, "here": here.hold_id}
                log.warning("a hold from above has the id of another one here", extra=said)
        self._above.hold(parent, here, known)
        self._catalog.holds.add(here)
        if hold.released is not None:
            self._catalog.holds.release(here.hold_id, hold.released_by, hold.released)
        self.known_holds[hold.hold_id] = hold
