"""Which streams this node captures, where several nodes share a site.

Each stream is recorded by the node that holds its lease.  Placement says who should; a node
that dies loses its leases when they end, and others take its streams.  A stream that should
move is handed over: the other node records first, then takes the lease, then the first stops.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable

from policies.place import place
from recorder.model.cameras import StreamSource
from recorder.model.keys import StreamId
from recorder.model.timebase import SECOND, Instant, heard_within
from recorder.ports import Clock, Lease, Leases, NodeBeat, Nodes

log = logging.getLogger("recorder.capture")

LEASE_NS = 6 * SECOND
"""How long a lease lasts; renewed every two seconds.  A dead node's streams move after it."""

SECOND_COPY = "#2"
"""Ends the name of the lease under which a second node records a critical stream."""

Wanted = dict[StreamId, StreamSource]


def alive(beats: Collection[NodeBeat], site: str, me: str, now: Instant) -> dict[str, float]:
    """Return the nodes of a site that can record, with their weights.  Pure.

    Those whose spool has no room are none of them, as long as there is another.
    """
    found = {
        beat.node: float(beat.facts.get("weight", 1.0))
        for beat in beats
        if beat.site == site
        and heard_within(beat.at, now, LEASE_NS)
        and beat.facts.get("state") == "running"
        and "capture" in beat.facts.get("roles", ())
        and not beat.facts.get("draining")
    }
    own = next((beat for beat in beats if beat.node == me), None)
    if own is None or not own.facts.get("draining"):
        found.setdefault(me, float(own.facts.get("weight", 1.0)) if own is not None else 1.0)
    full = {beat.node for beat in beats if beat.site == site and beat.facts.get("full")}
    return {node: weight for node, weight in found.items() if node not in full} or found


class Share:
    """Chooses, every few seconds, what this node captures."""

    def __init__(
        self,
        leases: Leases,
        nodes: Nodes,
        clock: Clock,
        site: str,
        node: str,
        settled: Callable[[StreamId], bool],
    ) -> None:
        """``settled`` says whether this node's capture of a stream is well under way."""
        self.leases, self.nodes, self.clock = leases, nodes, clock
        self.site, self.node, self.settled = site, node, settled
        self.held: set[str] = set()

    def choose(self, wanted: Wanted, critical: Collection[StreamId] = ()) -> Wanted:
        """Return the part of ``wanted`` that this node captures now.

        ``critical`` streams are recorded by two nodes at once, where there are two.
        Raises: ``CatalogUnavailable``; the caller then goes on with what it has.
        """
        now = self.clock.now()
        nodes = alive(self.nodes.all(), self.site, self.node, now)
        names = {str(stream): stream for stream in wanted}
        placed = place(names, nodes)
        for stream in set(critical) & wanted.keys():
            others = {name: nodes[name] for name in nodes if name != placed[str(stream)]}
            second = str(stream) + SECOND_COPY
            names[second] = stream
            for node in place([str(stream)], others).values():
                placed[second] = node
        mine = {name for name in names if placed.get(name) == self.node}
        leases = self.leases.take(self.node, mine, self.held & set(names), now, now + LEASE_NS)
        self.held = {name for name, lease in leases.items() if lease.node == self.node}
        chosen = {name for name in self.held if name in names}
        for name in sorted(self.held):
            self._hand(leases[name], placed.get(name, self.node))
        for name in sorted(mine - self.held):
            if leases[name].handing == self.node:
                chosen.add(name)  # begin beside the other, then take over
                if self.settled(names[name]) and self.leases.claim(name, self.node, now + LEASE_NS):
                    self.held.add(name)
                    log.info("stream taken over", extra={"stream": name})
        return {names[name]: wanted[names[name]] for name in chosen}

    def alone_with(self, recorded: Iterable[StreamId]) -> bool:
        """Tell whether a stream is recorded here and by no other node that would go on with it."""
        return any(str(stream) in self.held for stream in recorded)

    def has_others(self) -> bool:
        """Tell whether another node can take streams over.  Raises: ``CatalogUnavailable``."""
        found = alive(self.nodes.all(), self.site, self.node, self.clock.now())
        return bool(found.keys() - {self.node})

    def speaks_for(self, stream: StreamId) -> bool:
        """Tell whether this node's word on a stream's state counts: not its second copy's."""
        return str(stream) in self.held or str(stream) + SECOND_COPY not in self.held

    def _hand(self, lease: Lease, to: str) -> None:
        """Offer a stream to the node that should have it, and to nobody else."""
        offered = "" if to == self.node else to
        if lease.handing != offered:
            self.leases.offer(lease.name, self.node, offered)
