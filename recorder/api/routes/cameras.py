"""Cameras: what should be recorded, and how it is doing."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Header, Response

from recorder.api.deps import AppDep, quick
from recorder.api.described import Answers, header
from recorder.api.schemas import CleanJson
from recorder.api.sent import CameraBody
from recorder.api.shown import ShownCamera, ShownDocument
from recorder.capture.health import fresh
from recorder.errors import NotFound
from recorder.model.cameras import Camera, parse_camera, show_camera
from recorder.model.checks import read_integer
from recorder.model.keys import check_name
from recorder.model.timebase import format_instant
from recorder.ports import StreamStatus

VERSIONED: Answers = {200: {"headers": {"ETag": header("Its version, for If-Match.")}}}
WRITTEN: Answers = {
    **VERSIONED,
    201: {"model": ShownDocument, "description": "It is new."},
}
FIGURES = (*fresh(""), "yesterday")

router = APIRouter(prefix="/api/v1", tags=["cameras"])


def show_state(status: StreamStatus) -> dict[str, Any]:
    """Write a stream's present state."""
    return {
        "state": status.state,
        "cause": status.cause if status.state != "recording" else None,
        "condition": status.condition or None,
        "detail": status.detail or None,
        "node": status.node,
        "since": format_instant(status.since, 3),
        "at": format_instant(status.at, 3),
        "sound": status.health.get("sound"),
        "habits": dict(status.health.get("habits", {})),
        "health": {key: status.health[key] for key in FIGURES if key in status.health},
    }


def _shown(camera: Camera, statuses: list[StreamStatus]) -> dict[str, Any]:
    body = show_camera(camera)
    own = [status for status in statuses if status.stream.camera == camera.name]
    body["state"] = {status.stream.stream: show_state(status) for status in own}
    return body


@router.get("/cameras", response_model=list[ShownCamera])
@quick
def list_cameras(app: AppDep) -> CleanJson:
    """List all cameras with the present state of their streams."""
    statuses = app.catalog.statuses.all()
    return CleanJson([_shown(camera, statuses) for camera in app.catalog.cameras.all()])


@router.get("/cameras/{camera}", response_model=ShownCamera, responses=VERSIONED)
@quick
def read_camera(camera: str, app: AppDep) -> CleanJson:
    """Read one camera; its version is the ETag."""
    found = app.catalog.cameras.get(camera)
    if found is None:
        raise NotFound(f"no camera {camera!r}", hint="GET /api/v1/cameras lists those there are")
    shown = _shown(found, app.catalog.statuses.all())
    return CleanJson(shown, headers={"ETag": f'"{found.version}"'})


@router.put("/cameras/{camera}", response_model=ShownDocument, responses=WRITTEN)
def write_camera(
    camera: str,
    body: CameraBody,
    app: AppDep,
    response: Response,
    if_match: Annotated[str | None, Header()] = None,
    author: Annotated[str, Header(alias="X-Author")] = "api",
) -> dict[str, Any]:
    """Add a camera, or change it; recording follows within seconds.

    ``If-Match`` with the ETag that was read refuses to overwrite another's change.
    A secret sent as ``********`` stays as it is.
    """
    expected = None
    if if_match is not None and if_match != "*":
        expected = read_integer(if_match.strip('"'), "If-Match", 0, 2**31)
    old = app.catalog.cameras.get(camera)
    asked = app.allowed.check_camera(parse_camera(camera, body, old))
    parsed = replace(asked, author=author)
    stored = app.catalog.cameras.put(parsed, app.clock.now(), expected)
    response.status_code = 200 if old is not None else 201
    response.headers["ETag"] = f'"{stored.version}"'
    return show_camera(stored)


@router.delete("/cameras/{camera}", status_code=204)
def remove_camera(camera: str, app: AppDep) -> None:
    """Stop recording a camera and forget its document; its footage stays."""
    check_name(camera, "camera")
    if not app.catalog.cameras.delete(camera):
        raise NotFound(f"no camera {camera!r}")
