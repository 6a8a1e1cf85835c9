"""Nodes, health, metrics."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from recorder.api.deps import AppDep
from recorder.api.described import Answers, media
from recorder.api.routes.cameras import show_state
from recorder.api.schemas import CleanJson
from recorder.api.shown import ShownNode, ShownOk, ShownPass, ShownReady
from recorder.errors import RecorderError
from recorder.janitor.scrub import pass_of, show_pass
from recorder.metrics import exposition
from recorder.model.timebase import SECOND, format_instant
from recorder.reading.view import NODE_SILENT_NS

router = APIRouter(tags=["operate"])

METRICS = media("Metrics.", "text/plain")
READY: Answers = {503: {"model": ShownReady, "description": "It is not, and why."}}


@router.get("/api/v1/nodes", response_model=list[ShownNode])
def list_nodes(app: AppDep) -> CleanJson:
    """Every node with its last sign of life and its streams' states."""
    now = app.site_clock.now()
    statuses = app.catalog.statuses.all()
    shown = [
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
                if status.node == beat.node
            },
        }
        for beat in app.catalog.nodes.all()
    ]
    return CleanJson(shown)


@router.get("/api/v1/scrub", response_model=list[ShownPass])
def read_scrub(app: AppDep) -> CleanJson:
    """How far reading all copies again is, per store, and what was found."""
    progress, integrity = app.catalog.progress, app.catalog.integrity
    return CleanJson(
        [show_pass(pass_of(progress, name), name, integrity.damaged(name)) for name in app.stores]
    )


@router.get("/healthz")
async def healthz() -> ShownOk:
    """Say that this process answers."""
    return {"status": "ok"}


@router.get("/readyz", responses=READY)
def readyz(app: AppDep, response: Response) -> ShownReady:
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


@router.get("/metrics", response_class=Response, responses=METRICS)
def metrics(request: Request, app: AppDep) -> Response:
    """Prometheus metrics; the streams' figures are of this moment."""
    body = exposition(request.app.state.service, app.clock)
    return Response(body, media_type=CONTENT_TYPE_LATEST)
