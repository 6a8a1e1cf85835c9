"""Changes of events, and events as they travel between catalogs.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from recorder.errors import BadDocument, RequestError, StateError
from recorder.model.checks import check_integer, cleaned
from recorder.model.events import MOST_ROLL_NS, Event, check_attributes, check_when
from recorder.model.keys import check_name, read_camera_id
from recorder.model.timebase import (
    EARLIEST,
    LATEST,
    Instant,
    TimeRange,
    parse_duration,
    parse_instant,
)

FIELDS = ("kind", "start", "end", "pre", "post", "attributes")
"""What of an event can be changed: an alarm goes on, or was of another kind."""


def check_own(event: Event, site: str) -> None:
    """Refuse to change another site's event.

    Raises: ``StateError``.
    """
    if event.site != site:
        raise StateError(
            f"event {event.event_id!r} is of site {event.site}",
            hint="change it there: it is known here within seconds",
        )


def changed_event(event: Event, patch: Mapping[str, object], now: Instant) -> Event:
    """Return an event with what a patch names (RFC 7396), one version on.

    The footage before and after that it touches moves with it, unless ``pre`` or ``post`` is named.
    Raises: ``BadDocument`` with the path of the mistake.
    """
    unknown = sorted(str(key) for key in patch if key not in FIELDS)
    if unknown:
        raise BadDocument(
            f"{unknown[0][:64]}: cannot be changed", hint="what can: " + ", ".join(FIELDS)
        )
    try:
        kind = check_name(patch["kind"], "kind") if "kind" in patch else event.kind
        start = _instant(patch, "start", event.range.start)
        end = _instant(patch, "end", event.range.end)
        if end < start:
            raise RequestError("end: is before start")
        when = TimeRange(start, end)
        check_when(when, now)
        pre = _roll(patch, "pre", event.range.start - event.touched.start)
        post = _roll(patch, "post", event.touched.end - event.range.end)
        attributes = _merged(event.attributes, patch.get("attributes", {}))
    except RequestError as exc:
        raise BadDocument(str(exc), hint=exc.hint) from exc
    return replace(
        event,
        kind=kind,
        range=when,
        touched=TimeRange(start - pre, end + post),
        attributes=attributes,
        version=event.version + 1,
        noted=now,
    )


def _instant(patch: Mapping[str, object], name: str, present: Instant) -> Instant:
    return parse_instant(str(patch[name]), name) if name in patch else present


def _roll(patch: Mapping[str, Any], name: str, present: int) -> int:
    roll = parse_duration(patch[name], name) if name in patch else present
    if not 0 <= roll <= MOST_ROLL_NS:
        raise RequestError(f"{name}: must be between 0 and 1h")
    return roll


def _merged(present: Mapping[str, object], patch: object) -> dict[str, object]:
    if patch is None:
        return {}
    check_attributes(patch)
    assert isinstance(patch, Mapping)  # noqa: S101 - just looked at
    merged = {**present, **patch}
    merged = {key: value for key, value in merged.items() if value is not None}
    check_attributes(merged)
    return merged


def event_document(event: Event) -> dict[str, object]:
    """Write an event as it goes down to a site below, and into stores."""
    body = asdict(event)
    for name in ("range", "touched"):
        given: TimeRange = getattr(event, name)
        body[name] = [given.start, given.end]
    return body


def read_event_document(body: Mapping[str, Any]) -> Event:
    """Read one; its image stays where it was placed.

    Raises: ``RequestError``; ``KeyError``, ``TypeError``, ``ValueError`` when it is malformed.
    """
    received = check_integer(body["received"], "received", EARLIEST, LATEST)
    cameras, attributes = body["cameras"], cleaned(body["attributes"])
    if not isinstance(cameras, list | tuple) or not cameras:
        raise RequestError("cameras: must be a list")
    check_attributes(attributes)
    assert isinstance(attributes, Mapping)  # noqa: S101 - just looked at
    return Event(
        check_name(body["event_id"], "event id"),
        check_name(body["site"], "site"),
        check_name(body["kind"], "kind"),
        check_name(body["source"], "source"),
        tuple(_camera_name(one) for one in cameras),
        _range_of(body["range"], "range"),
        _range_of(body["touched"], "touched"),
        received,
        attributes,
        version=check_integer(body.get("version", 1), "version", 1),
        removed=body.get("removed") is True,
        noted=check_integer(body.get("noted", received), "noted", EARLIEST, LATEST),
    )


def _camera_name(name: object) -> str:
    return str(read_camera_id(name))


def _range_of(said: object, name: str) -> TimeRange:
    if not isinstance(said, list | tuple):
        raise RequestError(f"{name}: must be a list")
    start, end = (check_integer(one, name, EARLIEST, LATEST) for one in said)
    return TimeRange(start, end)
