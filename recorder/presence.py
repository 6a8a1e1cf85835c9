"""What a node says of itself and its streams: at once when it changes, else now and then."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from recorder import telemetry
from recorder.app import App
from recorder.capture.resting import resting_states
from recorder.clock import new_id
from recorder.errors import ConfigError
from recorder.jobs.news import Running, node_facts
from recorder.model.causes import Cause
from recorder.model.keys import StreamId
from recorder.model.timebase import SECOND, format_instant
from recorder.namesake import Namesakes, Process
from recorder.ports import NodeBeat, StreamStatus
from recorder.ports.states import REMOVED, STOPPED
from recorder.sites import nodes

log = logging.getLogger("recorder.presence")

AGAIN_NS = 5 * SECOND
"""What has not changed is said again after so long: a third of the silence that counts as one."""


class Presence:
    """Tells the catalog; one job at a time."""

    def __init__(
        self,
        app: App,
        service: Running,
        must_end: Callable[[ConfigError], object] = lambda _: None,
    ) -> None:
        """``must_end`` is told that another machine has this node's name, and was there before."""
        self.app, self.service, self._must_end = app, service, must_end
        self._namesakes: Namesakes | None = None
        self._younger = ""
        self.has_elder = False  # then this one says nothing any more: it would speak for that one
        self._told: NodeBeat | None = None
        self._untold_since: float | None = None
        self._draining = False
        self.leaving = False  # it stops soon: others are to take its streams first
        self._statuses: dict[StreamId, StreamStatus] = {}

    def recall(self, states: Iterable[StreamStatus]) -> None:
        """Take in what was said of this site's streams before this process began."""
        site = self.app.settings.site
        own = [one for one in states if one.stream.site == site and one.state != REMOVED]
        self._statuses = {one.stream: one for one in own} | self._statuses

    @property
    def untold_s(self) -> float:
        """For how long the catalog has owed an answer to what it was told, or refused it."""
        since = self._untold_since
        return 0.0 if since is None else self.app.clock.monotonic() - since

    def tell(self, state: str = "running") -> None:
        """Say what is news, of this node and of its streams.

        Nodes that share a site hear of one another every time: leases hang on it.
        """
        if self._untold_since is None:
            self._untold_since = self.app.clock.monotonic()
        self._tell(state)
        self._untold_since = None

    def _tell(self, state: str) -> None:
        telemetry.CLOCK_AHEAD.set(self.app.site_clock.own_offset_ns / 1e9)
        now = self.app.site_clock.now()
        if self.app.settings.shared:
            self._look_for_others()
        if self.has_elder:
            return
        again = self._told is None or not 0 <= now - self._told.at < AGAIN_NS
        if again or self.app.settings.shared:
            self._draining = self.app.settings.node in nodes.draining(self.app.catalog.documents)
        draining = self._draining or self.leaving
        facts = node_facts(self.app, self.service, state, draining=draining)
        if self._namesakes is not None:
            facts = replace(facts, facts={**facts.facts, **self._namesakes.own.facts})
        if again or self.app.settings.shared or _changed(self._told, facts):
            self.app.catalog.nodes.beat(facts)
            self._told = facts
        news = news_of(self._statuses, self._present())
        if news:
            self.app.catalog.statuses.put(news, quiet=True)
            self._statuses |= {one.stream: one for one in news}

    def _look_for_others(self) -> None:
        """See whether another process goes on to speak for this node."""
        if self._namesakes is None:
            self._namesakes = Namesakes(Process(new_id(), self.app.site_clock.now()))
        node = self.app.settings.node
        beats = (one for one in self.app.catalog.nodes.all() if one.node == node)
        other = self._namesakes.hear(next(beats, None))
        if other is None or self.has_elder:
            return
        since = format_instant(other.since, 0)
        if self._namesakes.is_elder(other):
            self.has_elder = True
            said = f"node {node}: another machine has this name, and runs since {since}"
            hint = "give each node of a site a name of its own (setting node)"
            self._must_end(ConfigError(said, hint=hint))
        elif other.name != self._younger:
            self._younger = other.name
            log.error("another machine has this node's name", extra={"node": node, "since": since})

    def told(self) -> Mapping[StreamId, StreamStatus]:
        """What was said last of this node's streams."""
        return self._statuses

    def _present(self) -> list[StreamStatus]:
        """Return the states of streams that are recorded here, and of those at rest."""
        found = self.service.own_statuses()
        documents = self.service.wanted.documents
        if documents is None:
            return found
        running = {one.stream for one in found}
        now, site = self.app.clock.now(), self.app.settings.site
        resting = resting_states(documents, site, now, self._statuses)
        return found + [one for one in resting if one.stream not in running]


def stopped(status: StreamStatus) -> StreamStatus:
    """Return the last word on a stream whose node stops: dark from now on, if it was not before."""
    since = status.at if status.state == "recording" else status.since
    return replace(status, state=STOPPED, cause=Cause.NODE, condition="", since=since)


def _changed(told: NodeBeat | None, facts: NodeBeat) -> bool:
    before: Mapping[str, object] = told.facts if told is not None else {}
    return facts.facts != before


def news_of(
    told: Mapping[StreamId, StreamStatus], statuses: Iterable[StreamStatus]
) -> list[StreamStatus]:
    """Return the states if one differs from what was told, or was told too long ago.  Pure.

    All of them, then: what costs is the statement, and the next time all are due together.
    """
    states = list(statuses)
    for one in states:
        before = told.get(one.stream)
        if before is None or one.at - before.at >= AGAIN_NS or replace(before, at=one.at) != one:
            return states
    return []
