"""Which footage a request for an event's means: camera, and how much before and after."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Depends, Query, Request

from recorder.access.decide import Grant
from recorder.access.permissions import Permission
from recorder.api.deps import ANSWERS, AppDep, StreamQuery, bounded
from recorder.api.gate import Gate, gate_of
from recorder.api.waiting import WaitQuery, wait_as_asked
from recorder.app import App
from recorder.errors import NotFound, RequestError
from recorder.model.event_changes import check_own
from recorder.model.events import Event, show_event
from recorder.model.keys import CameraId, read_camera_id
from recorder.model.masks import PLAIN
from recorder.model.shown import ShownEvent
from recorder.model.timebase import TimeRange, parse_duration

RollQuery = Annotated[
    str | None, Query(description="Such as 10s; by default the roll of the event itself.")
]


@dataclass(frozen=True, slots=True)
class Happened:
    """Footage of an event."""

    camera: CameraId
    range: TimeRange


def cameras_of(event: Event) -> list[str]:
    """Name an event's cameras, each with its site."""
    return [str(one) for one in _cameras(event)]


def _cameras(event: Event) -> list[CameraId]:
    return [read_camera_id(one, event.site) for one in event.cameras]


def sees_all(gate: Gate, cameras: Iterable[str]) -> bool:
    """Tell whether a caller may all of some cameras."""
    return gate.everywhere or all(gate.sees(read_camera_id(one)) for one in cameras)


def find_event(app: App, event_id: str, gate: Gate, *, every: bool = False) -> Event:
    """Return an event that touches what the caller may; with ``every``: that touches nothing else.

    Raises: ``NotFound``.
    """
    found = app.catalog.events.get(event_id)
    enough = all if every else any
    if found is not None and not gate.everywhere and not enough(map(gate.sees, _cameras(found))):
        found = None
    if found is None:
        raise NotFound(f"no event {event_id!r}", hint="GET /api/v1/events lists those of a range")
    return found


def own_event(app: App, event_id: str, gate: Gate) -> Event:
    """Return an event that may be changed here: this site's own, of cameras that the caller may.

    Raises: ``NotFound``; ``StateError`` for another site's.
    """
    found = find_event(app, event_id, gate, every=True)
    check_own(found, app.settings.site)
    return found


def check_image(gate: Gate, event: Event) -> None:
    """Refuse the picture of an event to who may not look at what it may show.

    It is a camera's, and has no masks in it: where a grant limits which footage may be viewed, or
    how, it is footage as any.
    Raises: ``NotAllowed``.
    """
    limited = any(map(_limits_looks, gate.entry.subject.grants))
    for camera in _cameras(event):
        if limited or gate.privacy(camera) != PLAIN:
            asked = TimeRange(event.range.start, max(event.range.end, event.range.start + 1))
            gate.check(camera, asked, permission=Permission.FOOTAGE_VIEW)


def _limits_looks(grant: Grant) -> bool:
    """Tell whether a grant gives footage to be viewed, and not all of it, or not at once."""
    view = Permission.FOOTAGE_VIEW
    wants = bool(grant.back_ns or grant.purpose) or view in grant.four_eyes
    return grant.masked or (wants and view in grant.permissions)


def shown_to(gate: Gate, event: Event) -> ShownEvent:
    """Show an event, of its cameras those that the caller may know of."""
    (shown,) = all_shown_to(gate, [event])
    return shown


def all_shown_to(gate: Gate, events: Iterable[Event]) -> list[ShownEvent]:
    """Show events, of their cameras those that the caller may know of."""
    labels = gate.app.catalog.cameras.labels()

    def seen(event: Event) -> Event:
        if gate.everywhere:
            return event
        said = zip(event.cameras, _cameras(event), strict=True)
        return replace(event, cameras=tuple(name for name, one in said if gate.sees(one)))

    return [show_event(seen(event), labels) for event in events]


def happened(event: Event, camera: str | None, before: str | None, after: str | None) -> Happened:
    """Say which footage of an event is meant.

    Raises: ``RequestError`` when it is of several cameras and none is named.
    """
    touched = _cameras(event)
    meant = touched
    if camera is not None:
        asked = read_camera_id(camera)
        meant = [
            one for one in touched if one.camera == asked.camera and asked.site in ("", one.site)
        ]
    if len(meant) != 1:
        said = "several cameras" if meant else f"no camera {camera!r}"
        raise RequestError(
            f"event {event.event_id}: touches {said}",
            hint="say " + " or ".join(f"camera={one}" for one in touched[:20]),
        )
    start, end = event.touched.start, event.touched.end
    if before is not None:
        start = event.range.start - parse_duration(before, "before")
    if after is not None:
        end = event.range.end + parse_duration(after, "after")
    if end <= start:
        raise RequestError("after: nothing is left of the range")
    return Happened(meant[0], bounded(TimeRange(start, end)))


async def event_range(
    event_id: str,
    request: Request,
    app: AppDep,
    camera: Annotated[str | None, Query(description="Which, of an event of several.")] = None,
    before: RollQuery = None,
    after: RollQuery = None,
    stream: StreamQuery = None,
    wait: WaitQuery = None,
) -> Happened:
    """Return the footage of an event that a request asks for, waited for if it says so."""
    gate = gate_of(request)
    event = await ANSWERS.run(find_event, app, event_id, gate)
    if not gate.everywhere:
        named = zip(event.cameras, _cameras(event), strict=True)
        event = replace(event, cameras=tuple(said for said, one in named if gate.sees(one)))
    found = happened(event, camera, before, after)
    if wait is not None:
        await wait_as_asked(request, app, (str(found.camera), stream, None), found.range, wait)
    return found


EventRange = Annotated[Happened, Depends(event_range)]
