"""Events: moments with a kind, at cameras; and the points that raise them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from recorder.errors import BadDocument, RequestError, StateError
from recorder.model.about import called
from recorder.model.checks import check_json, json_size
from recorder.model.holds import read_names
from recorder.model.keys import check_name, read_camera_id
from recorder.model.shown import ShownEvent, ShownPoint
from recorder.model.timebase import (
    DAY,
    HOUR,
    SECOND,
    Instant,
    TimeRange,
    format_instant,
    parse_duration,
    parse_instant,
)
from recorder.model.unknown import check_rest

KINDS = ("motion", "alarm", "checkpoint", "manual")
PRE_NS = 10 * SECOND
POST_NS = 30 * SECOND
MOST_ROLL_NS = HOUR
MOST_EVENT_NS = 366 * DAY
MOST_AHEAD_NS = DAY
"""So far may the clock of whoever reports be ahead of ours."""
MOST_ATTRIBUTES = 64 * 1024
"""Bytes of an event's attributes, as JSON."""


@dataclass(frozen=True, slots=True)
class Point:
    """An alarm point or a checkpoint: its events touch the cameras it is linked to.

    ``pre_ns`` and ``post_ns`` widen an event to the footage it touches.
    """

    name: str
    kind: str
    cameras: tuple[str, ...]
    pre_ns: int = PRE_NS
    post_ns: int = POST_NS
    version: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened: ``range`` is when, ``touched`` the footage it concerns.

    ``source`` is the camera or point it came from; ``cameras`` are those it touches:
    its own site's by name, others as ``site/camera``.  ``version`` grows with each change;
    one that was ``removed`` touches nothing any more.  ``noted``: when the catalog that it was
    read from took it in as it is.
    """

    event_id: str
    site: str
    kind: str
    source: str
    cameras: tuple[str, ...]
    range: TimeRange
    touched: TimeRange
    received: Instant
    attributes: Mapping[str, object] = field(default_factory=dict)
    has_image: bool = False
    version: int = 1
    removed: bool = False
    noted: Instant = 0


POINT_FIELDS = ("kind", "cameras", "pre", "post")
EVENT_FIELDS = (
    *("id", "camera", "point", "kind", "at", "start", "end", "pre", "post"),
    *("attributes", "image"),
)


def parse_point(name: str, document: Mapping[str, object]) -> Point:
    """Read a point's document.

    Raises: ``BadDocument`` with the path of the mistake.
    """
    body = dict(document)
    for shown in ("version", "name", "labels"):  # what was read may be written again
        body.pop(shown, None)
    try:
        check_name(name, "point")
        kind = check_name(body.pop("kind", "alarm"), "kind")
        cameras = read_names(body.pop("cameras", None))
        pre, post = _roll(body, "pre", PRE_NS), _roll(body, "post", POST_NS)
    except RequestError as exc:
        raise BadDocument(str(exc), hint=exc.hint) from exc
    check_rest(body, POINT_FIELDS)
    return Point(name, kind, cameras, pre, post)


def parse_event(
    document: Mapping[str, Any], point: Point | None, new_id: str, site: str, now: Instant
) -> Event:
    """Read an event as it is sent; ``point`` is the one it names, if it names one.

    Raises: ``BadDocument`` with the path of the mistake.
    """
    body = dict(document)
    body.pop("image", None)
    source = body.pop("point", None)
    camera = body.pop("camera", None)
    attributes = body.pop("attributes", {})
    if (source is None) == (camera is None):
        said = "missing" if camera is None else "given together with point"
        raise BadDocument(f"camera: {said}", hint="an event names a camera, or a point")
    try:
        check_attributes(attributes)
        at = read_camera_id(camera) if point is None else None
        cameras = point.cameras if point is not None else (str(at),)
        kind = _kind(body.pop("kind", point.kind if point else None))
        event_id = check_name(body.pop("id", new_id), "event id")
        when = _when(body, now)
        pre = _roll(body, "pre", point.pre_ns if point else PRE_NS)
        post = _roll(body, "post", point.post_ns if point else POST_NS)
    except RequestError as exc:
        raise BadDocument(str(exc), hint=exc.hint) from exc
    check_rest(body, EVENT_FIELDS)
    touched = TimeRange(when.start - pre, when.end + post)
    return Event(
        event_id,
        site,
        kind,
        at.camera if at is not None else str(source),
        cameras,
        when,
        touched,
        now,
        dict(attributes),
    )


def _kind(kind: object) -> str:
    if kind is None:
        raise RequestError("kind: missing", hint=f"such as {', '.join(KINDS)}")
    return check_name(kind, "kind")


def check_same(sent: Event, known: Event, document: Mapping[str, object]) -> None:
    """Refuse an event whose id another one has: it would be lost, and nobody told.

    What can be changed later is not looked at, nor when it was where the ``document`` did not say.
    Raises: ``StateError``.
    """
    pairs = [("site", known.site, sent.site), ("source", known.source, sent.source)]
    if known.version == 1 and not document.keys().isdisjoint(("at", "start")):
        start, other = format_instant(known.range.start), format_instant(sent.range.start)
        pairs.append(("start", start, other))
    found = [f"its {name} is {had}, not {said}" for name, had, said in pairs if had != said]
    if found:
        raise StateError(
            f"event {sent.event_id!r} is another: {', '.join(found)}",
            hint="send it with another id; PATCH (recorder event change) changes the one there is",
        )


def check_attributes(attributes: object) -> None:
    """Look at what a source says of an event: JSON that can be stored and sent on.

    Raises: ``RequestError``.
    """
    if not isinstance(attributes, Mapping):
        raise RequestError("attributes: must be an object")
    check_json(attributes, "attributes", most_text=MOST_ATTRIBUTES, lines=True)
    size = json_size(attributes)
    if size > MOST_ATTRIBUTES:
        raise RequestError(f"attributes: {size} bytes are more than {MOST_ATTRIBUTES}")


def check_when(when: TimeRange, now: Instant) -> None:
    """Look at when something happened: not for ages, and not in a future that is no clock's fault.

    Raises: ``RequestError``.
    """
    if when.duration_ns > MOST_EVENT_NS:
        raise RequestError("end: an event lasts 366 days at most")
    if when.end > now + MOST_AHEAD_NS:
        raise RequestError("at: is more than a day in the future")


def _when(body: dict[str, object], now: Instant) -> TimeRange:
    at, start, end = (body.pop(key, None) for key in ("at", "start", "end"))
    if at is not None and (start is not None or end is not None):
        raise RequestError("at: given together with start or end")
    if start is None and end is not None:
        raise RequestError("start: missing", hint="an event with an end says when it began")
    if start is None:
        start = at
    begin = parse_instant(str(start), "start") if start is not None else now
    stop = parse_instant(str(end), "end") if end is not None else begin
    if stop < begin:
        raise RequestError("end: is before start")
    when = TimeRange(begin, stop)
    check_when(when, now)
    return when


def _roll(body: dict[str, Any], key: str, default: int) -> int:
    value = body.pop(key, None)
    roll = default if value is None else parse_duration(value, key)
    if not 0 <= roll <= MOST_ROLL_NS:
        raise RequestError(f"{key}: must be between 0 and 1h")
    return roll


def show_event(event: Event, labels: Mapping[str, str]) -> ShownEvent:
    """Write an event for answers; ``labels``: what people call cameras, by ``site/camera``."""
    return {
        "id": event.event_id,
        "kind": event.kind,
        "source": event.source,
        "site": event.site,
        "cameras": list(event.cameras),
        "labels": called(event.cameras, labels, event.site),
        "start": format_instant(event.range.start),
        "end": format_instant(event.range.end),
        "touched_start": format_instant(event.touched.start),
        "touched_end": format_instant(event.touched.end),
        "received": format_instant(event.received),
        "attributes": dict(event.attributes),
        "image": f"/api/v1/events/{event.event_id}/image" if event.has_image else None,
        "version": event.version,
    }


def show_point(point: Point, labels: Mapping[str, str]) -> ShownPoint:
    """Write a point for answers; ``labels``: what people call cameras, by ``site/camera``."""
    return {
        "name": point.name,
        "kind": point.kind,
        "cameras": list(point.cameras),
        "labels": called(point.cameras, labels),
        "pre": f"{point.pre_ns / SECOND:g}s",
        "post": f"{point.post_ns / SECOND:g}s",
        "version": point.version,
    }


def write_point(point: Point) -> dict[str, object]:
    """Write a point as the catalog keeps it."""
    shown = show_point(point, {})
    return {key: value for key, value in shown.items() if key != "labels"}
