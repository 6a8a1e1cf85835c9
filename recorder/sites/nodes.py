"""How the nodes of a site and below are shown."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Protocol

from recorder.model.timebase import SECOND, Instant, format_instant
from recorder.ports import Leases, Nodes, Statuses
from recorder.reading.view import NODE_SILENT_NS
from recorder.sites.shown import node_name, show_state


class NodeCatalog(Protocol):
    """The parts of the catalog that know nodes."""

    nodes: Nodes
    leases: Leases
    statuses: Statuses


def show_nodes(
    catalog: NodeCatalog, own: str, draining: Collection[str], now: Instant
) -> list[dict[str, Any]]:
    """Write every node: its last sign of life, what it said of itself, its streams' states.

    ``held``: streams that it has by a lease, or says that it has; ``draining``: it is to give
    them to others.
    """
    held: dict[str, int] = {}
    for lease in catalog.leases.all():
        if lease.until > now and "/" in lease.name:
            held[lease.node] = held.get(lease.node, 0) + 1
    statuses = catalog.statuses.all()
    return [
        {
            **beat.facts,  # figures, which cannot speak for what follows
            "node": beat.node,
            "site": beat.site,
            "alive": now - beat.at < NODE_SILENT_NS and beat.facts.get("state") != "stopped",
            "last_seen": format_instant(beat.at, 3),
            "silent_seconds": round((now - beat.at) / SECOND, 3),
            "held": held.get(beat.node, beat.facts.get("streams", 0)),
            "draining": beat.site == own and beat.node in draining,
            "stream_states": {
                f"{status.stream.camera}/{status.stream.stream}": show_state(status)
                for status in statuses
                if (status.stream.site, status.node) == (beat.site, node_name(beat))
            },
        }
        for beat in catalog.nodes.all()
    ]
