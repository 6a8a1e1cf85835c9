"""What a node says of itself and its streams: at once when it changes, else now and then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from recorder import telemetry
from recorder.app import App
from recorder.capture.resting import resting_states
from recorder.jobs.news import Running, node_facts
from recorder.model.keys import StreamId
from recorder.model.timebase import SECOND
from recorder.ports import NodeBeat, StreamStatus
from recorder.ports.states import REMOVED
from recorder.sites import nodes

AGAIN_NS = 5 * SECOND
"""What has not changed is said again after so long: a third of the silence that counts as one."""


class Presence:
    """Tells the catalog; one job at a time."""

    def __init__(self, app: App, service: Running) -> None:
        self.app, self.service = app, service
        self._told: NodeBeat | None = None
        self._draining = False
        self.leaving = False  # it stops soon: others are to take its streams first
        self._statuses: dict[StreamId, StreamStatus] = {}

    def recall(self, states: Iterable[StreamStatus]) -> None:
        """Take in what was said of this site's streams before this process began."""
        site = self.app.settings.site
        own = [one for one in states if one.stream.site == site and one.state != REMOVED]
        self._statuses = {one.stream: one for one in own} | self._statuses

    def tell(self, state: str = "running") -> None:
        """Say what is news, of this node and of its streams.

        Nodes that share a site hear of one another every time: leases hang on it.
        """
        telemetry.CLOCK_AHEAD.set(self.app.site_clock.own_offset_ns / 1e9)
        now = self.app.site_clock.now()
        again = self._told is None or not 0 <= now - self._told.at < AGAIN_NS
        if again or self.app.settings.shared:
            self._draining = self.app.settings.node in nodes.draining(self.app.catalog.documents)
        draining = self._draining or self.leaving
        facts = node_facts(self.app, self.service, state, draining=draining)
        if again or self.app.settings.shared or _changed(self._told, facts):
            self.app.catalog.nodes.beat(facts)
            self._told = facts
        news = news_of(self._statuses, self._present())
        if news:
            self.app.catalog.statuses.put(news, quiet=True)
            self._statuses |= {one.stream: one for one in news}

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
