"""Many cameras at once, as a table (CSV) or a map (YAML): read and written.  Pure.

In a table a row is a stream.  An empty cell says nothing: what there is stays, what is new has its
default; ``null`` takes back to the default.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from recorder.errors import BadDocument
from recorder.model.checks import check_text
from recorder.model.keys import check_name
from recorder.model.makes import FIELDS as ADDRESS
from recorder.model.unknown import meant
from recorder.model.yaml_text import read_yaml

OF_CAMERA = (
    "label",
    "location",
    "latitude",
    "longitude",
    "notes",
    "group",
    "importance",
    "enabled",
    "critical",
    "sensitive",
    "masks",
)
OF_STREAM = (
    "url",
    *ADDRESS,
    "credentials",
    "transport",
    "audio",
    "record",
    "timetable",
    "listen",
    "stall_s",
    "verify_tls",
    "ca_file",
    "activity",
)
COLUMNS = ("name", "stream", *OF_CAMERA, *OF_STREAM)
_VALUES = (
    "importance",
    "enabled",
    "critical",
    "timetable",
    "listen",
    "stall_s",
    "verify_tls",
    "latitude",
    "longitude",
    "masks",
    "port",
    "channel",
)
MOST_CAMERAS = 10_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """One camera as a sheet has it; ``where`` it stands there."""

    where: str
    name: str
    document: Mapping[str, object]


def read_sheet(text: str, kind: str, what: str) -> list[Wanted]:
    """Read cameras from a sheet; ``kind``: ``csv`` or ``yaml``.

    Raises: ``BadDocument`` that says where the mistake is.
    """
    found = _read_table(text, what) if kind == "csv" else _read_map(text, what)
    return _bounded(found, what)


def _bounded(found: list[Wanted], what: str) -> list[Wanted]:
    if not found or len(found) > MOST_CAMERAS:
        raise BadDocument(f"{what}: must have a camera, and {MOST_CAMERAS} at most")
    return found


def _read_map(text: str, what: str) -> list[Wanted]:
    return _in_map(read_yaml(text, what), f"{what}: ")


def _in_map(body: object, before: str) -> list[Wanted]:
    cameras = body.get("cameras") if isinstance(body, dict) else None
    if not isinstance(cameras, dict) or not all(isinstance(one, dict) for one in cameras.values()):
        raise BadDocument(
            f"{before}cameras: must be a map of names to documents",
            hint="such as cameras: {gate: {url: rtsp://10.0.0.7/stream1}}",
        )
    return [Wanted(f"{before}cameras.{name}", str(name), one) for name, one in cameras.items()]


def with_credentials(wanted: Iterable[Wanted], credentials: str) -> list[Wanted]:
    """Give credentials to all streams that say where they are, and have none of their own."""

    def given(stream: Mapping[str, object]) -> dict[str, object]:
        url = str(stream.get("url") or "")
        has_address = stream.get("make") or (url and "@" not in url)
        own = {} if stream.get("credentials") or not has_address else {"credentials": credentials}
        return {**stream, **own}

    def of_camera(document: Mapping[str, object]) -> dict[str, object]:
        streams = document.get("streams")
        if not isinstance(streams, Mapping):
            return given(document)
        each = {
            key: given(one) if isinstance(one, Mapping) else one for key, one in streams.items()
        }
        return {**given(document), "streams": each}

    return [replace(one, document=of_camera(one.document)) for one in wanted]


def read_sent(body: Mapping[str, object]) -> list[Wanted]:
    """Read cameras as the API is sent them: ``cameras``, and where each stood (``places``).

    Raises: ``BadDocument``.
    """
    places = body.get("places") or {}
    if not isinstance(places, Mapping):
        raise BadDocument("places: must be a map of names to where they stand")
    found = [
        replace(one, where=check_text(places.get(one.name, one.where), "places", 256))
        for one in _in_map(dict(body), "")
    ]
    return _bounded(found, "cameras")


def show_sent(wanted: Iterable[Wanted]) -> dict[str, object]:
    """Write cameras as the API is sent them."""
    listed = list(wanted)
    return {
        "cameras": {one.name: dict(one.document) for one in listed},
        "places": {one.name: one.where for one in listed},
    }


def _read_table(text: str, what: str) -> list[Wanted]:
    first = text.partition("\n")[0]
    mark = max(",;\t", key=first.count)
    rows = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), delimiter=mark, strict=True)
    odd = [one for one in rows.fieldnames or () if one not in COLUMNS]
    if odd or "name" not in (rows.fieldnames or ()):
        first = str(odd[0]) if odd else "name"
        said = f"no such column: {first[:64]!r}" if odd else "there is no column name"
        raise BadDocument(f"{what}: {said}", hint=meant(first, COLUMNS))
    found: dict[str, tuple[str, dict[str, object]]] = {}
    try:
        for number, row in enumerate(rows, 2):
            _take_row(row, f"{what}: row {number}", found)
    except csv.Error as exc:
        raise BadDocument(f"{what}: is no CSV: {exc}") from exc
    return [Wanted(where, name, document) for name, (where, document) in found.items()]


def _take_row(
    row: Mapping[str, Any], where: str, found: dict[str, tuple[str, dict[str, Any]]]
) -> None:
    if None in row:
        raise BadDocument(f"{where}: has more cells than there are columns")
    cells = {key: str(value).strip() for key, value in row.items() if value and value.strip()}
    if not cells:
        return
    name, stream = cells.pop("name", ""), cells.pop("stream", "main")
    if not name:
        raise BadDocument(f"{where}: has no name")
    values = {key: _cell(key, text, where) for key, text in cells.items()}
    _, document = found.setdefault(name, (where, {"streams": {}}))
    if stream in document["streams"]:
        raise BadDocument(f"{where}: {name} has a stream {stream} in an earlier row")
    own = {key: value for key, value in values.items() if key in OF_CAMERA}
    place = {key: own.pop(key) for key in ("latitude", "longitude") if key in own}
    if place:
        own["coordinates"] = None if None in place.values() else place
    twice = [key for key in own if key in document and document[key] != own[key]]
    if twice:
        raise BadDocument(f"{where}: {twice[0]} of {name} is another in an earlier row")
    document |= own
    document["streams"][stream] = {key: values[key] for key in OF_STREAM if key in values}


def _cell(key: str, text: str, where: str) -> object:
    if text == "null":
        return None
    return read_yaml(text, f"{where}: {key}") if key in _VALUES else text


def write_sheet(cameras: Iterable[Mapping[str, object]], kind: str) -> dict[str, object] | str:
    """Write cameras as they are shown: a map that YAML is made of, or a table."""
    shown = [_document(one) for one in cameras]
    if kind != "csv":
        return {"cameras": {name: document for name, document in shown}}
    out = io.StringIO()
    columns = [key for key in COLUMNS if key not in ADDRESS]  # what is stored is the URL
    rows = csv.DictWriter(out, columns, lineterminator="\n")
    rows.writeheader()
    for name, document in shown:
        for stream, source in document["streams"].items():
            place = document.get("coordinates", {})
            row = {"name": name, "stream": stream, **document, **place, **source}
            rows.writerow({key: _written(row[key]) for key in columns if key in row})
    return out.getvalue()


def _document(camera: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    name = check_name(camera["name"], "camera")
    known = (*OF_CAMERA, "coordinates", "streams")
    body = {key: one for key, one in camera.items() if key in known}
    streams = {
        name: {key: one for key, one in source.items() if one is not None and key in OF_STREAM}
        | ({} if source["enabled"] else {"enabled": False})
        for name, source in body["streams"].items()
    }
    return name, {
        **{key: one for key, one in body.items() if one is not None},
        "streams": streams,
    }


def _written(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
