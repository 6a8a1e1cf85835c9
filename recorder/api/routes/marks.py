"""Holds, and the points that raise events."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import Query, Response

from recorder.access.permissions import Permission as P
from recorder.api.clean_json import CleanJson
from recorder.api.deps import AppDep, ExpectedDep
from recorder.api.described import VERSIONED, Answers
from recorder.api.gate import Gate, GateDep, needs
from recorder.api.happened import sees_all
from recorder.api.meant import cameras_meant
from recorder.api.paging import PAGED, PagedDep
from recorder.api.routing import Routes
from recorder.api.sent import HoldBody, PointBody
from recorder.app import App
from recorder.audit.entry import Subject
from recorder.clock import new_id
from recorder.errors import NotFound, StateError
from recorder.janitor.holding import HOLDS_LISTED, place, release, show_with_footage
from recorder.logbook.subjects import hold_details, hold_subject
from recorder.model.caller import CallerKind
from recorder.model.checks import check_text
from recorder.model.events import parse_point, show_point
from recorder.model.holds import Hold, parse_hold, show_hold
from recorder.model.shown import ShownHeld, ShownHold, ShownPoint
from recorder.model.timebase import Instant

router = Routes(prefix="/api/v1", tags=("holds and events",))

KNOWN_HOLD: Answers = {
    200: {"model": ShownHeld, "description": "It was known already, and stays as it is."}
}


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
    asked = replace(asked, cameras=cameras_meant(gate, asked.cameras))
    known = app.catalog.holds.get(asked.hold_id)
    if known is not None and not sees_all(gate, known.cameras):  # of others' not a word
        raise StateError(f"hold {asked.hold_id}: the id is taken", hint="take another id, or none")
    with app.book.doing(gate.caller, "hold.add", hold_subject(asked), **hold_details(asked)):
        held, new = place(app.catalog.holds, asked)
    return CleanJson(
        show_with_footage(app.catalog, held, now, app.settings.law), 201 if new else 200
    )


@router.get("/holds", responses=PAGED, dependencies=[needs(P.HOLD_READ, scoped=True)])
def list_holds(
    app: AppDep,
    paged: PagedDep,
    every: Annotated[
        bool, Query(alias="all", description="Released and expired ones, too.")
    ] = False,
    *,
    gate: GateDep,
) -> list[ShownHold]:
    """List what holds now, or all holds, newest first."""
    now = app.clock.now()
    listed = app.catalog.holds.all() if every else _held_now(app, paged.cursor, now)
    held = [one for one in listed if sees_all(gate, one.cameras)]
    found = paged.of(held, lambda hold: hold.hold_id)
    labels = app.catalog.cameras.labels()
    return [show_hold(hold, now, labels) for hold in found]


def _held_now(app: App, cursor: str | None, now: Instant) -> list[Hold]:
    """Return what holds, newest first; the page before may end with one that was released since."""
    last = app.catalog.holds.named([] if cursor is None else [cursor])
    found = {one.hold_id: one for one in (*app.catalog.holds.live(now), *last)}
    return sorted(found.values(), key=lambda one: (-one.created, one.hold_id))


@router.get(
    "/holds/{hold_id}", response_model=ShownHeld, dependencies=[needs(P.HOLD_READ, scoped=True)]
)
def read_hold(hold_id: str, app: AppDep, gate: GateDep) -> CleanJson:
    """Read a hold, and how much footage it keeps."""
    found = app.catalog.holds.get(hold_id)
    if found is None or not sees_all(gate, found.cameras):
        raise NotFound(f"no hold {hold_id!r}", hint="GET /api/v1/holds lists those there are")
    return CleanJson(show_with_footage(app.catalog, found, app.clock.now(), app.settings.law))


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
        raise NotFound(
            f"no live hold {hold_id!r}",
            hint=HOLDS_LISTED,
        )
    caller = gate.caller
    if caller.kind is not CallerKind.NOBODY:  # whatever else is said, it was this one
        by = f"{by} ({caller})" if by != caller.name else by
    with app.book.doing(gate.caller, "hold.release", Subject(name=hold_id), by=by):
        release(app.catalog, hold_id, by, app.clock.now())


# -- points --------------------------------------------------------------------------------------


@router.get("/points", responses=PAGED, dependencies=[needs(P.EVENT_READ, scoped=True)])
def list_points(app: AppDep, paged: PagedDep, gate: GateDep) -> list[ShownPoint]:
    """List alarm points and checkpoints."""
    known = [one for one in app.catalog.points.all() if sees_all(gate, one.cameras)]
    found = paged.of(known, lambda point: point.name)
    labels = app.catalog.cameras.labels()
    return [show_point(point, labels) for point in found]


@router.get("/points/{name}", responses=VERSIONED, dependencies=[needs(P.EVENT_READ, scoped=True)])
def read_point(name: str, app: AppDep, response: Response, gate: GateDep) -> ShownPoint:
    """Read a point; its version is the ETag."""
    found = app.catalog.points.get(name)
    if found is None or not sees_all(gate, found.cameras):
        raise NotFound(f"no point {name!r}", hint="GET /api/v1/points lists those there are")
    response.headers["ETag"] = f'"{found.version}"'
    return show_point(found, app.catalog.cameras.labels())


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
    asked = replace(asked, cameras=cameras_meant(gate, asked.cameras, ahead=True))
    _check_point(gate, app, name)
    with app.book.doing(gate.caller, "point.set", Subject(name=name), cameras=asked.cameras):
        stored = app.catalog.points.put(asked, expected)
    response.headers["ETag"] = f'"{stored.version}"'
    return show_point(stored, app.catalog.cameras.labels())


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
