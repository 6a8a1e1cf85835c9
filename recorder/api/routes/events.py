"""Events: reported, read, changed, removed."""

from __future__ import annotations

import base64
import binascii
import logging
from dataclasses import replace
from functools import partial
from typing import Annotated

from fastapi import Query, Request, Response

from recorder.access.permissions import Permission as P
from recorder.api.deps import AppDep, ExpectedDep, RangeDep, SiteQuery
from recorder.api.described import VERSIONED, Answers, media
from recorder.api.gate import GateDep, needs
from recorder.api.happened import (
    all_shown_to,
    cameras_of,
    check_image,
    find_event,
    own_event,
    sees_all,
    shown_to,
)
from recorder.api.meant import cameras_meant
from recorder.api.paging import MOST, PAGED, CursorQuery, LimitQuery, page_of
from recorder.api.routing import Routes
from recorder.api.sent import EventBody, EventPatchBody
from recorder.clock import new_id
from recorder.errors import BadDocument, NotFound, RequestError, StateError
from recorder.janitor.kinds import kind_doubt
from recorder.logbook.subjects import event_subject
from recorder.model.checks import read_integer
from recorder.model.event_changes import changed_event
from recorder.model.events import Event, check_same, parse_event
from recorder.model.shown import ShownEvent
from recorder.model.timebase import EARLIEST, LATEST, Instant

log = logging.getLogger("recorder.api")

router = Routes(prefix="/api/v1", tags=("holds and events",))

MOST_IMAGE = 1 << 20
KNOWN_EVENT: Answers = {
    200: {"model": ShownEvent, "description": "It was known already, and stays as it is."}
}
IMAGE = media("The image.", "image/jpeg")


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
    missing = f"no point {named!r}" if point is not None else ""
    found = cameras_meant(gate, event.cameras, every=point is not None, missing=missing)
    event = app.finder.touched_by(replace(event, cameras=found), by_point=False)
    image = _image(body.get("image"))
    with app.book.doing(gate.caller, "event.add", event_subject(event), kind=event.kind):
        new = app.catalog.events.add(event, image)
    if new:
        return _warned(app, shown_to(gate, event))
    response.status_code = 200
    known = app.catalog.events.get(event.event_id)
    if known is None:
        raise StateError(f"event {event.event_id!r} was removed", hint="send it with another id")
    if not sees_all(gate, cameras_of(known)):  # an id in hand tells nothing of others' events
        raise StateError(f"event {event.event_id!r}: the id is taken", hint="send it with another")
    check_same(event, known, body)
    return shown_to(gate, known)


def _warned(app: AppDep, shown: ShownEvent) -> ShownEvent:
    """Say with an event what is likely to be a mistake: it is taken all the same."""
    doubt = kind_doubt(app.catalog.documents, shown["kind"])
    if doubt:
        log.warning("event of an unknown kind", extra={"event": shown["id"], "why": doubt})
        shown["warnings"] = [doubt]
    return shown


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
    kind: Annotated[str | None, Query(description="Only of this kind.")] = None,
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
    return all_shown_to(gate, page)


def _cursor(event: Event) -> str:
    return f"{event.range.start}.{event.event_id}"


def _after(cursor: str) -> tuple[Instant, str]:
    start, _, event_id = cursor.partition(".")
    return read_integer(start, "cursor", EARLIEST, LATEST), event_id


@router.get(
    "/events/{event_id}", responses=VERSIONED, dependencies=[needs(P.EVENT_READ, scoped=True)]
)
def read_event(event_id: str, app: AppDep, response: Response, gate: GateDep) -> ShownEvent:
    """Read an event; its version is the ETag."""
    found = find_event(app, event_id, gate)
    response.headers["ETag"] = f'"{found.version}"'
    return shown_to(gate, found)


@router.patch(
    "/events/{event_id}", responses=VERSIONED, dependencies=[needs(P.EVENT_WRITE, scoped=True)]
)
def change_event(
    event_id: str,
    body: EventPatchBody,
    app: AppDep,
    response: Response,
    expected: ExpectedDep,
    gate: GateDep,
) -> ShownEvent:
    """Change what is named of an event of this site (RFC 7396): an alarm goes on, or was none.

    Fields: ``kind``, ``start``, ``end``, ``pre``, ``post``; ``attributes`` are merged, ``null``
    takes one away.  Policy keeps what the event touches then, here and at the sites that know it.
    """
    found = own_event(app, event_id, gate)
    change = partial(changed_event, patch=body, now=app.clock.now())
    fields = sorted(str(key)[:64] for key in body)
    with app.book.doing(gate.caller, "event.change", event_subject(found), fields=fields):
        changed = app.catalog.events.change(event_id, change, expected)
    response.headers["ETag"] = f'"{changed.version}"'
    return _warned(app, shown_to(gate, changed))


@router.delete(
    "/events/{event_id}", status_code=204, dependencies=[needs(P.EVENT_WRITE, scoped=True)]
)
def remove_event(event_id: str, app: AppDep, expected: ExpectedDep, gate: GateDep) -> None:
    """Remove an event of this site: what it touched is kept as if it had not happened."""
    found = own_event(app, event_id, gate)
    with app.book.doing(gate.caller, "event.remove", event_subject(found), kind=found.kind):
        if not app.catalog.events.remove(event_id, app.clock.now(), expected):
            raise NotFound(f"no event {event_id!r}")


@router.get(
    "/events/{event_id}/image",
    response_class=Response,
    responses=IMAGE,
    dependencies=[needs(P.EVENT_READ, scoped=True)],
)
def read_image(event_id: str, app: AppDep, gate: GateDep) -> Response:
    """Read an event's image."""
    found = find_event(app, event_id, gate, every=True)  # whose picture it is nobody says
    image = app.catalog.events.image(event_id)
    if image is None:
        raise NotFound(f"event {event_id!r} has no image")
    check_image(gate, found)
    app.book.note(gate.caller, "footage.image", event_subject(found))
    return Response(image, media_type="image/jpeg")
