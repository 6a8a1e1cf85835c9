"""Changing a camera's document: only what is named, and what that makes different.  Pure.

Source: RFC 7396, JSON Merge Patch: objects are merged, ``null`` takes back to the default, all
else replaces.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from recorder.errors import BadDocument
from recorder.model.camera_document import SHOWN_FIELDS, STREAM_FIELDS, parse_camera, show_camera
from recorder.model.cameras import Camera
from recorder.model.makes import write_url
from recorder.model.schedule import by_day


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that differs; secrets are shown as such."""

    path: str
    before: object
    after: object


def merge(document: object, change: object) -> object:
    """Apply a merge patch.

    >>> merge({"a": 1, "b": {"c": 2, "d": 3}}, {"a": None, "b": {"c": 4}})
    {'b': {'c': 4, 'd': 3}}
    """
    if not isinstance(change, Mapping):
        return change
    merged = dict(document) if isinstance(document, Mapping) else {}
    for key, value in change.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def change_camera(camera: Camera, change: Mapping[str, object]) -> Camera:
    """Return a camera with what ``change`` names, and all else as it is.

    Fields of a stream at the top mean ``main``, or the only stream there is.
    Raises: ``BadDocument`` with the path of the mistake.
    """
    change = _with_streams(
        camera, {key: value for key, value in change.items() if key not in SHOWN_FIELDS}
    )
    change = {**change, **_written_out(change)}
    document = show_camera(camera)
    for name, stream in _streams(change):
        shown = document["streams"].get(name, {})
        if "@" in str(stream.get("url", "")) and "credentials" not in stream:
            shown.pop("credentials", None)  # those in the new URL count
        if stream.get("record", "timetable") != "timetable" and "timetable" not in stream:
            shown.pop("timetable", None)
    merged = merge(document, change)
    if not isinstance(merged, Mapping):
        raise BadDocument("document: must be an object")
    return parse_camera(camera.name, merged, camera)


def _streams(change: Mapping[str, object]) -> Iterator[tuple[str, Mapping[str, object]]]:
    streams = change.get("streams")
    for name, stream in streams.items() if isinstance(streams, Mapping) else ():
        if isinstance(stream, Mapping):
            yield name, stream


def _written_out(change: Mapping[str, object]) -> dict[str, object]:
    """Return the streams of a change, with URLs instead of makes and hosts, and each day by name.

    A timetable is shown day by day: ``daily`` merged into that would add to what there was.
    """
    written = {
        name: _with_days(write_url(one, name, f"streams.{name}."), f"streams.{name}.")
        for name, one in _streams(change)
    }
    streams = change.get("streams")
    return {"streams": {**streams, **written}} if isinstance(streams, Mapping) else {}


def _with_days(stream: Mapping[str, object], path: str) -> Mapping[str, object]:
    table = stream.get("timetable")
    weekly = table.get("weekly") if isinstance(table, Mapping) else None
    if not isinstance(table, Mapping) or not isinstance(weekly, Mapping):
        return stream
    days = by_day(weekly, f"{path}timetable.weekly")
    return {**stream, "timetable": {**table, "weekly": days}}


def _with_streams(camera: Camera, change: Mapping[str, object]) -> dict[str, object]:
    """Move what stands at the top and is a stream's into the stream that it means."""
    short = {key: change[key] for key in STREAM_FIELDS if key in change}
    rest = {key: value for key, value in change.items() if key not in short}
    if not short:
        return rest
    names = list(camera.streams)
    name = "main" if "main" in names else names[0]
    if name != "main" and len(names) > 1:
        raise BadDocument(
            f"{min(short)}: of which stream?",
            hint=f"say streams.NAME.{min(short)}; it has " + ", ".join(names),
        )
    streams = rest.get("streams") or {}
    if not isinstance(streams, Mapping) or name in streams:
        raise BadDocument(f"{min(short)}: given both at the top and in streams")
    return {**rest, "streams": {**streams, name: short}}


def differences(before: Camera, after: Camera) -> list[Difference]:
    """Say what differs between two documents of a camera, by path."""
    old, new = dict(_flat(_shown(before))), dict(_flat(_shown(after)))
    found = [
        Difference(path, old.get(path), new.get(path))
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path)
    ]
    named = {one.path for one in found}
    for name, source in after.streams.items():
        was = before.streams.get(name)
        for field in ("credentials", "url"):
            path = f"streams.{name}.{field}"
            differ = was is not None and getattr(was, field) != getattr(source, field)
            if differ and path not in named:
                found.append(Difference(path, new.get(path), "another secret"))
    return found


def _shown(camera: Camera) -> dict[str, object]:
    return {key: value for key, value in show_camera(camera).items() if key not in SHOWN_FIELDS}


def _flat(body: Mapping[str, object], path: str = "") -> Iterator[tuple[str, object]]:
    for key, value in body.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}{key}.")
        elif value is not None:
            yield f"{path}{key}", value
