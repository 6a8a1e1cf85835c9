"""Nodes, health, metrics."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from recorder.api.deps import AppDep
from recorder.errors import RecorderError
from recorder.janitor.scrub import pass_of, show_pass
from recorder.metrics import exposition
from recorder.model.timebase import SECOND, format_instant
from recorder.reading.view import NODE_SILENT_NS
from recorder.sites.shown import node_name, show_state

router = APIRouter(tags=["operate"])


@router.get("/api/v1/nodes")
def list_nodes(app: AppDep) -> list[dict[str, Any]]:
    """Every node with its last sign of life and its streams' states."""
    now = app.site_clock.now()
    statuses = app.catalog.statuses.all()
    return [
        {
            **beat.facts,  # figures, which cannot speak for what follows
            "node": beat.node,
            "site": beat.site,
            "alive": now - beat.at < NODE_SILENT_NS and beat.facts.get("state") != "stopped",
            "last_seen": format_instant(beat.at, 3),
            "silent_seconds": round((now - beat.at) / SECOND, 3),
            "stream_states": {
                f"{status.stream.camera}/{status.stream.stream}": show_state(status)
                for status in statuses
                if (status.stream.site, status.node) == (beat.site, node_name(beat))
            },
        }
        for beat in app.catalog.nodes.all()
    ]


@router.get("/api/v1/scrub")
def read_scrub(app: AppDep) -> list[dict[str, Any]]:
    """How far reading all copies again is, per store, and what was found."""
    return [
        show_pass(pass_of(app.catalog.progress, name), name, app.catalog.integrity.damaged(name))
        for name in app.stores
    ]


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Say that this process answers."""
    return {"status": "ok"}


@router.get("/readyz")
def readyz(app: AppDep, request: Request, response: Response) -> dict[str, Any]:
    """Catalog and stores answer; 503 and the reason when one does not."""
    checks: dict[str, str] = {}
    try:
        app.catalog.footage.streams()
        checks["catalog"] = "ok"
    except RecorderError as exc:
        checks["catalog"] = str(exc)
    for name, store in app.stores.items():
        try:
            store.head("spanstore.json")
            checks[f"store {name}"] = "ok"
        except RecorderError as exc:
            checks[f"store {name}"] = str(exc)
    ready = all(said == "ok" for said in checks.values())
    response.status_code = 200 if ready else 503
    return {"ready": ready, "checks": checks}


@router.get("/metrics")
def metrics(request: Request, app: AppDep) -> Response:
    """Prometheus metrics; the streams' figures are of this moment."""
    body = exposition(request.app.state.service, app.clock)
    return Response(body, media_type=CONTENT_TYPE_LATEST)
