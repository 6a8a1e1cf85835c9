"""Holds, events, and the points that raise events."""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from recorder.access.permissions import Permission as P
from recorder.api.deps import AppDep, ExpectedDep, RangeDep, SiteQuery
from recorder.api.described import VERSIONED, Answers, media
from recorder.api.gate import Gate, GateDep, needs
from recorder.api.happened import find_event, sees_all, shown_to
from recorder.api.paging import MOST, PAGED, CursorQuery, LimitQuery, PagedDep, page_of
from recorder.api.schemas import CleanJson
from recorder.api.sent import EventBody, HoldBody, PointBody
from recorder.app import App
from recorder.audit.entry import Subject
from recorder.clock import new_id
from recorder.errors import BadDocument, NotFound, RequestError
from recorder.janitor.holding import place, release, show_with_footage
from recorder.logbook.subjects import event_subject, hold_details, hold_subject
from recorder.model.caller import CallerKind
from recorder.model.checks import check_text, read_integer
from recorder.model.events import Event, parse_event, parse_point, show_event, show_point
from recorder.model.holds import parse_hold, show_hold
from recorder.model.keys import read_camera_id
from recorder.model.shown import ShownEvent, ShownHeld, ShownHold, ShownPoint
from recorder.model.timebase import EARLIEST, LATEST, Instant

router = APIRouter(prefix="/api/v1", tags=["holds and events"])

MOST_IMAGE = 1 << 20
KNOWN_HOLD: Answers = {
    200: {"model": ShownHeld, "description": "It was known already, and stays as it is."}
}
KNOWN_EVENT: Answers = {
    200: {"model": ShownEvent, "description": "It was known already, and stays as it is."}
}
IMAGE = media("The image.", "image/jpeg")


# -- holds ---------------------------------------------------------------------------------------


@router.post(
    "/holds",
    status_code=201,
    response_model=ShownHeld,
    responses=KNOWN_HOLD,
    dependencies=[needs(P.HOLD_WRITE, scoped=True)],
)
def add_hold(body: HoldBody, app: AppDep, gate: GateDep) -> CleanJson:
    """Hold a range of cameras: nothing in it is deleted until the hold is released or expires.

    Fields: ``cameras`` (``site/camera``, or a name alone), ``start``, ``end``, ``case``,
    ``reason``, ``owner``; ``expires`` and ``id`` as you like.  The same hold again changes
    nothing (200); another one under its ``id`` is refused (409).
    """
    now = app.clock.now()
    asked = parse_hold(body, new_id(), now)
    asked = replace(asked, cameras=app.cameras_of(asked.cameras))
    gate.check_all(map(read_camera_id, asked.cameras))
    with app.book.doing(gate.caller, "hold.add", hold_subject(asked), **hold_details(asked)):
        held, new = place(app.catalog.holds, asked)
    return CleanJson(show_with_footage(app.catalog, held, now), 201 if new else 200)


@router.get("/holds", responses=PAGED, dependencies=[needs(P.HOLD_READ, scoped=True)])
def list_holds(app: AppDep, paged: PagedDep, gate: GateDep) -> list[ShownHold]:
    """List all holds, released and expired ones too, newest first."""
    now = app.clock.now()
    held = [one for one in app.catalog.holds.all() if sees_all(gate, one.cameras)]
    found = paged.of(held, lambda hold: hold.hold_id)
    return [show_hold(hold, now) for hold in found]


@router.get(
    "/holds/{hold_id}", response_model=ShownHeld, dependencies=[needs(P.HOLD_READ, scoped=True)]
)
def read_hold(hold_id: str, app: AppDep, gate: GateDep) -> CleanJson:
    """Read a hold, and how much footage it keeps."""
    found = app.catalog.holds.get(hold_id)
    if found is None or not sees_all(gate, found.cameras):
        raise NotFound(f"no hold {hold_id!r}", hint="GET /api/v1/holds lists those there are")
    return CleanJson(show_with_footage(app.catalog, found, app.clock.now()))


@router.delete(
    "/holds/{hold_id}", status_code=204, dependencies=[needs(P.HOLD_RELEASE, scoped=True)]
)
def release_hold(
    hold_id: str,
    app: AppDep,
    by: Annotated[str, Query(description="Who lets it go.")],
    gate: GateDep,
) -> None:
    """Release a hold; its record stays."""
    check_text(by, "by", 256)
    found = app.catalog.holds.get(hold_id)
    if found is not None and not sees_all(gate, found.cameras):
        raise NotFound(f"no live hold {hold_id!r}", hint="`recorder hold list` shows all")
    caller = gate.caller
    if caller.kind is not CallerKind.NOBODY:  # whatever else is said, it was this one
        by = f"{by} ({caller})" if by != caller.name else by
    with app.book.doing(gate.caller, "hold.release", Subject(name=hold_id), by=by):
        release(app.catalog, hold_id, by, app.clock.now())


# -- events --------------------------------------------------------------------------------------


@router.post(
    "/events",
    status_code=201,
    responses=KNOWN_EVENT,
    dependencies=[needs(P.EVENT_WRITE, scoped=True)],
)
def add_event(body: EventBody, app: AppDep, response: Response, gate: GateDep) -> ShownEvent:
    """Report an event: it stands on the timeline, and policy may keep what it touches longer.

    Fields: ``camera`` or ``point``, ``kind``; ``at`` or ``start`` and ``end`` (by default
    now), ``pre`` and ``post`` roll, ``attributes``, ``image`` (base64, JPEG, at most 1 MiB),
    ``id``: sending the same one again changes nothing.
    """
    named = body.get("point")
    point = app.catalog.points.get(str(named)) if named is not None else None
    if named is not None and point is None:
        raise NotFound(f"no point {named!r}", hint="PUT /api/v1/points/NAME makes one")
    event = parse_event(body, point, new_id(), app.settings.site, app.clock.now())
    event = app.touched_by(event, by_point=point is not None)
    gate.check_all(read_camera_id(one, event.site) for one in event.cameras)
    image = _image(body.get("image"))
    with app.book.doing(gate.caller, "event.add", event_subject(event), kind=event.kind):
        new = app.catalog.events.add(event, image)
    if not new:
        response.status_code = 200
    return show_event(event)


def _image(text: object) -> bytes | None:
    if text is None:
        return None
    try:
        image = base64.b64decode(str(text), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise BadDocument("image: is not base64") from exc
    if not image.startswith(b"\xff\xd8"):
        raise BadDocument("image: is not a JPEG")
    if len(image) > MOST_IMAGE:
        raise BadDocument(f"image: {len(image)} bytes are more than {MOST_IMAGE}")
    return image


@router.get("/events", responses=PAGED, dependencies=[needs(P.EVENT_READ, scoped=True)])
def list_events(
    asked: RangeDep,
    request: Request,
    response: Response,
    camera: Annotated[
        list[str] | None, Query(description="Only what touches it; may be given often.")
    ] = None,
    site: SiteQuery = None,
    kind: Annotated[str | None, Query()] = None,
    limit: LimitQuery = MOST,
    cursor: CursorQuery = None,
    *,
    gate: GateDep,
) -> list[ShownEvent]:
    """List events whose footage touches a range, by start; the next page is in ``Link``."""
    if site is not None and not camera:
        raise RequestError("site: goes with camera", hint=f"such as ?camera=gate&site={site}")
    cameras = [gate.named(one, None, site).stream.camera_id for one in camera or ()]
    if not gate.everywhere and not cameras:
        cameras = gate.seen()
        if not cameras:
            return []
    after = _after(cursor) if cursor is not None else None
    found = gate.app.catalog.events.page(asked, cameras, kind, after, limit + 1)
    page = page_of(found, limit, _cursor, request, response)
    return [shown_to(gate, event) for event in page]


def _cursor(event: Event) -> str:
    return f"{event.range.start}.{event.event_id}"


def _after(cursor: str) -> tuple[Instant, str]:
    start, _, event_id = cursor.partition(".")
    return read_integer(start, "cursor", EARLIEST, LATEST), event_id


@router.get("/events/{event_id}", dependencies=[needs(P.EVENT_READ, scoped=True)])
def read_event(event_id: str, app: AppDep, gate: GateDep) -> ShownEvent:
    """Read an event."""
    return shown_to(gate, find_event(app, event_id, gate))


@router.get(
    "/events/{event_id}/image",
    response_class=Response,
    responses=IMAGE,
    dependencies=[needs(P.EVENT_READ, scoped=True)],
)
def read_image(event_id: str, app: AppDep, gate: GateDep) -> Response:
    """Read an event's image."""
    if not gate.everywhere:
        find_event(app, event_id, gate, every=True)  # whose picture it is nobody says
    image = app.catalog.events.image(event_id)
    if image is None:
        raise NotFound(f"event {event_id!r} has no image")
    found = app.catalog.events.get(event_id)
    if found is not None:
        app.book.note(gate.caller, "footage.image", event_subject(found))
    return Response(image, media_type="image/jpeg")


# -- points --------------------------------------------------------------------------------------


@router.get("/points", responses=PAGED, dependencies=[needs(P.EVENT_READ, scoped=True)])
def list_points(app: AppDep, paged: PagedDep, gate: GateDep) -> list[ShownPoint]:
    """List alarm points and checkpoints."""
    known = [one for one in app.catalog.points.all() if sees_all(gate, one.cameras)]
    found = paged.of(known, lambda point: point.name)
    return [show_point(point) for point in found]


@router.get("/points/{name}", responses=VERSIONED, dependencies=[needs(P.EVENT_READ, scoped=True)])
def read_point(name: str, app: AppDep, response: Response, gate: GateDep) -> ShownPoint:
    """Read a point; its version is the ETag."""
    found = app.catalog.points.get(name)
    if found is None or not sees_all(gate, found.cameras):
        raise NotFound(f"no point {name!r}", hint="GET /api/v1/points lists those there are")
    response.headers["ETag"] = f'"{found.version}"'
    return show_point(found)


@router.put("/points/{name}", responses=VERSIONED, dependencies=[needs(P.POINT_WRITE, scoped=True)])
def write_point(
    name: str,
    body: PointBody,
    app: AppDep,
    response: Response,
    expected: ExpectedDep,
    gate: GateDep,
) -> ShownPoint:
    """Add or change an alarm point or checkpoint: ``kind``, ``cameras``, ``pre``, ``post``."""
    asked = parse_point(name, body)
    asked = replace(asked, cameras=app.cameras_of(asked.cameras, ahead=True))
    _check_point(gate, app, name)
    gate.check_all(map(read_camera_id, asked.cameras))
    with app.book.doing(gate.caller, "point.set", Subject(name=name), cameras=asked.cameras):
        stored = app.catalog.points.put(asked, expected)
    response.headers["ETag"] = f'"{stored.version}"'
    return show_point(stored)


@router.delete("/points/{name}", status_code=204, dependencies=[needs(P.POINT_WRITE, scoped=True)])
def remove_point(name: str, app: AppDep, expected: ExpectedDep, gate: GateDep) -> None:
    """Remove a point; its events stay."""
    _check_point(gate, app, name)
    with app.book.doing(gate.caller, "point.remove", Subject(name=name)):
        if not app.catalog.points.delete(name, expected):
            raise NotFound(f"no point {name!r}")


def _check_point(gate: Gate, app: App, name: str) -> None:
    """Refuse a point with cameras out of reach."""
    found = app.catalog.points.get(name)
    if found is not None and not sees_all(gate, found.cameras):
        raise NotFound(f"no point {name!r}", hint="GET /api/v1/points lists those there are")
