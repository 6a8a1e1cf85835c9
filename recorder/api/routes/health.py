"""Nodes, health, metrics."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import Request, Response

from recorder.access.decide import Everything
from recorder.access.permissions import Permission as P
from recorder.api import vital
from recorder.api.clean_json import CleanJson
from recorder.api.deps import AppDep, AuthorDep, LoseQuery
from recorder.api.described import Answers, media
from recorder.api.gate import GateDep, needs
from recorder.api.logged import logs
from recorder.api.paging import PAGED, PagedDep, linked
from recorder.api.routing import Routes
from recorder.api.shown import (
    ShownAnswering,
    ShownDeparted,
    ShownDraining,
    ShownNode,
    ShownOk,
    ShownPass,
    ShownReady,
)
from recorder.janitor.scrub import pass_of, show_pass
from recorder.model.timebase import format_instant
from recorder.sites.nodes import drain, draining, remove, show_nodes

router = Routes(tags=("operate",))

METRICS = media("Metrics.", "text/plain")
ALIVE = CleanJson(vital.alive())
READY: Answers = {503: {"model": ShownReady, "description": "It is not, and why."}}


@router.get(
    "/api/v1/nodes",
    response_model=list[ShownNode],
    responses=PAGED,
    dependencies=[needs(P.SYSTEM_READ)],
)
def list_nodes(app: AppDep, paged: PagedDep) -> CleanJson:
    """Every node with its last sign of life and its streams' states."""
    own, now = app.settings.site, app.site_clock.now()
    shown = show_nodes(app.catalog, own, draining(app.catalog.documents), now)
    return paged.json(shown, lambda one: f"{one['site']}/{one['node']}")


@router.put(
    "/api/v1/nodes/{node}/draining", dependencies=[needs(P.SYSTEM_WRITE), logs("node.drain")]
)
def drain_node(node: str, app: AppDep, author: AuthorDep) -> ShownDraining:
    """Have a node of this site hand its streams to others; each stops when another records it."""
    return {"draining": drain(app.catalog, node, author, app.clock.now(), wanted=True)}


@router.delete(
    "/api/v1/nodes/{node}/draining", dependencies=[needs(P.SYSTEM_WRITE), logs("node.undrain")]
)
def undrain_node(node: str, app: AppDep, author: AuthorDep) -> ShownDraining:
    """Let a node record again."""
    return {"draining": drain(app.catalog, node, author, app.clock.now(), wanted=False)}


@router.delete("/api/v1/nodes/{node}", dependencies=[needs(P.SYSTEM_WRITE), logs("node.remove")])
def delete_node(
    node: str, app: AppDep, author: AuthorDep, lose: LoseQuery = False
) -> ShownDeparted:
    """Forget a node of this site that never comes back, and give up what its spool has.

    Refused (409) while it is heard, and, unless `lose`, while its spool alone has footage.
    """
    done = remove(app.catalog, node, author, app.site_clock.now(), lose=lose)
    return {"node": done.node, "copies": done.copies, "lost": done.lost}


@router.get("/api/v1/answering", dependencies=[needs(P.OWN)])
async def read_answering(app: AppDep) -> ShownAnswering:
    """Who answers here: the site, its level and the node; and the time, which ``now`` means."""
    return {
        "site": app.settings.site,
        "level": app.settings.level,
        "node": app.settings.node,
        "version": version("spanstore"),
        "now": format_instant(app.clock.now(), 9),
    }


@router.get(
    "/api/v1/scrub",
    response_model=list[ShownPass],
    responses=PAGED,
    dependencies=[needs(P.SYSTEM_READ)],
)
def read_scrub(app: AppDep, paged: PagedDep) -> CleanJson:
    """How far reading all copies again is, per store, and what was found."""
    progress, integrity = app.catalog.progress, app.catalog.integrity
    names = paged.of(list(app.stores), str)
    shown = [show_pass(pass_of(progress, one), one, integrity.damaged(one)) for one in names]
    return CleanJson(shown, headers=linked(paged.response))


@router.get("/healthz", response_model=ShownOk, dependencies=[needs(P.PUBLIC)])
async def healthz() -> CleanJson:
    """Say that this process answers."""
    return ALIVE


@router.get("/readyz", responses=READY, dependencies=[needs(P.PUBLIC)])
def readyz(app: AppDep, request: Request, response: Response, gate: GateDep) -> ShownReady:
    """Whether this node can serve; 503 and the reason when it cannot.

    ``state``: ``ok``; ``degraded``, 200, where a store is away or takes nothing while this node
    records, or shares its site with nodes that may: footage waits in their spools, and is served
    from there; ``down``, 503.
    ``checks`` is for those who may look at the system.
    """
    told = gate.decide(Everything(), P.SYSTEM_READ).allowed
    response.status_code, body = vital.ready(app, request.app.state.service, told=told)
    return body


@router.get(
    "/metrics", response_class=Response, responses=METRICS, dependencies=[needs(P.SYSTEM_READ)]
)
def metrics(request: Request, app: AppDep) -> Response:
    """Prometheus metrics; the streams' figures are of this moment."""
    return vital.metrics(app, request.app.state.service)
