"""How the nodes of a site and below are shown; which of them are drained."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from recorder.errors import NotFound, StaleVersion
from recorder.janitor.departed import Departed, DepartedCatalog, lives, remove_node
from recorder.model.timebase import SECOND, Instant, format_instant, format_known
from recorder.model.versions import Expected
from recorder.ports import Documents, Leases, Nodes, Statuses
from recorder.sites.shown import node_name, show_state
from recorder.store.watched import read_writes

DRAINING = "draining"
"""The document that names the nodes that are to give their streams to others."""
TRIES = 5
"""Somebody else may drain another node at the same time; then it is read again."""


class DrainingCatalog(Protocol):
    """The parts of the catalog that know nodes, and which are drained."""

    documents: Documents
    nodes: Nodes


class RemovingCatalog(DrainingCatalog, DepartedCatalog, Protocol):
    """The parts of the catalog that know nodes, and what their spools have."""


class NodeCatalog(Protocol):
    """The parts of the catalog that know nodes."""

    nodes: Nodes
    leases: Leases
    statuses: Statuses


def show_nodes(
    catalog: NodeCatalog, own: str, draining: Collection[str], now: Instant
) -> list[dict[str, object]]:
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
            "alive": lives(beat, now),
            "last_seen": format_instant(beat.at, 3),
            "silent_seconds": round((now - beat.at) / SECOND, 3),
            "held": held.get(beat.node, beat.facts.get("streams", 0)),
            "draining": beat.site == own and beat.node in draining,
            "writes": _show_writes(beat.facts.get("writes")),
            "stream_states": {
                f"{status.stream.camera}/{status.stream.stream}": show_state(status)
                for status in statuses
                if (status.stream.site, status.node) == (beat.site, node_name(beat))
            },
        }
        for beat in catalog.nodes.all()
    ]


def _show_writes(said: object) -> dict[str, dict[str, str | None]]:
    """Write how writes to each store went, as the node said it."""
    stores = said if isinstance(said, Mapping) else {}
    read = {str(name): read_writes(facts) for name, facts in stores.items()}
    return {
        name: {
            "at": format_known(one.at, 0),
            "failing_since": format_known(one.failing_since, 0),
            "error": one.error or None,
        }
        for name, one in read.items()
    }


def draining(documents: Documents) -> list[str]:
    """Return the nodes that are to give their streams to others."""
    document = documents.newest(DRAINING)
    return list(document.body.get("nodes", [])) if document is not None else []


def drain(
    catalog: DrainingCatalog, node: str, author: str, now: Instant, *, wanted: bool
) -> list[str]:
    """Have a node give its streams to others, or no more; return all that are to.

    Raises: ``NotFound``.
    """
    if wanted and all(beat.node != node for beat in catalog.nodes.all()):
        raise NotFound(
            f"no node {node!r}",
            hint="`recorder node list`, or GET /api/v1/nodes, shows those there are",
        )
    for tried in range(TRIES):
        document = catalog.documents.newest(DRAINING)
        found = {*(document.body.get("nodes", []) if document is not None else [])}
        names = sorted(found | {node} if wanted else found - {node})
        expected = Expected(match=f'"{document.version}"') if document else Expected(none_match="*")
        try:
            catalog.documents.put(DRAINING, {"nodes": names}, author, now, expected)
        except StaleVersion:
            if tried + 1 == TRIES:
                raise
            continue
        return names
    raise AssertionError("unreachable")


def remove(
    catalog: RemovingCatalog, node: str, author: str, now: Instant, *, lose: bool
) -> Departed:
    """Forget a node that never comes back, and give up what its spool has.

    Raises: what :func:`recorder.janitor.departed.remove_node` raises.
    """
    done = remove_node(catalog, node, now, lose=lose)
    if node in draining(catalog.documents):  # a new node of that name is to record
        drain(catalog, node, author, now, wanted=False)
    return done
