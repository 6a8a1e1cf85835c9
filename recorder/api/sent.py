"""What documents that are sent look like, for those who generate clients.

They are read, and refused with the path of the mistake, by the rooms they are for.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Body
from typing_extensions import TypedDict  # that of 3.11 is not enough for the API's schema

from recorder.api.inlined import sent_as

Timetable = TypedDict(
    "Timetable",
    {"zone": str, "weekly": dict[str, list[str]], "except": dict[str, list[str]]},
    total=False,
)


class AddressIn(TypedDict, total=False):
    """Where a stream is: a ``url``, or the ``make`` of the camera, its ``host`` and ``channel``.

    A ``url`` may have ``{host}``, ``{port}`` and ``{channel}`` in it.
    """

    url: str
    make: str
    host: str
    port: int
    channel: int


class StreamIn(AddressIn, total=False):
    """A stream of a camera; docs/design/format.md says what each field means."""

    credentials: str | None
    transport: str
    audio: str
    listen: bool
    stall_s: float
    enabled: bool
    verify_tls: bool
    ca_file: str
    record: str
    timetable: Timetable | None
    activity: str


class CoordinatesIn(TypedDict):
    """Degrees, WGS 84."""

    latitude: float
    longitude: float


class MaskIn(TypedDict, total=False):
    """A part of the picture that copies hide; points are ``[x, y]``, each from 0 to 1."""

    polygon: list[list[float]]
    fill: Literal["black", "blur"]
    name: str


class CameraIn(StreamIn, total=False):
    """A camera: the fields of its only stream, or ``streams`` by name.

    What is answered may be sent back; a secret sent as ``********`` stays as it is.
    """

    name: str
    label: str | None
    location: str | None
    coordinates: CoordinatesIn | None
    notes: str | None
    group: str
    importance: int
    critical: bool
    sensitive: Literal["purpose", "approval", "both"] | None
    masks: list[MaskIn] | None
    streams: dict[str, StreamIn]
    version: int
    author: str | None


class CameraPatchIn(CameraIn, total=False):
    """What changes of a camera; ``null`` takes a field back to its default (RFC 7396)."""


class _Cameras(TypedDict):
    cameras: dict[str, CameraPatchIn]


class CamerasIn(_Cameras, total=False):
    """Many cameras by their names, whole or what changes of them.

    ``places``: where each stands in a file, for what is said of mistakes; ``name``: the file's.
    """

    places: dict[str, str]
    name: str


class ProbeIn(AddressIn, total=False):
    """A ``camera`` of this site, or a source; ``timeout``: seconds, 60 at most."""

    camera: str
    credentials: str | None
    transport: str
    verify_tls: bool
    ca_file: str
    timeout: float


class AdmittedIn(TypedDict):
    """The catalog of the site that is to have the name."""

    catalog: str


class _Hold(TypedDict):
    cameras: list[str]
    start: str
    end: str
    case: str
    reason: str
    owner: str


class HoldIn(_Hold, total=False):
    """A range of cameras that nobody may purge; the same ``id`` again changes nothing."""

    id: str
    expires: str


class EventIn(TypedDict, total=False):
    """Something that happened: at a ``camera``, or raised by a ``point``; by default now.

    ``pre`` and ``post``: the footage it touches besides, such as ``10s``.  ``image``: a JPEG in
    base64, at most 1 MiB.  The same ``id`` again changes nothing.
    """

    camera: str
    point: str
    kind: str
    at: str
    start: str
    end: str
    pre: str
    post: str
    attributes: dict[str, object]
    image: str
    id: str


class EventPatchIn(TypedDict, total=False):
    """What of an event is to be another; ``attributes`` are merged."""

    kind: str
    start: str
    end: str
    pre: str
    post: str
    attributes: dict[str, object]


class PointIn(TypedDict, total=False):
    """An alarm point or a checkpoint, and the cameras its events touch."""

    kind: str
    cameras: list[str]
    pre: str
    post: str


class ExportIn(TypedDict, total=False):
    """A bundle that is asked for: whole cameras, a range, the case and what it is for.

    ``wait``: how long it may wait for footage to come, or for a store or site that is away.
    ``masked``, ``mark``: copies with masks, with who asked and what for burnt in, instead of what
    was recorded; ``onvif``, ``c2pa``: other forms of the clips, too; ``timestamp``: false for a
    bundle without one.
    """

    cameras: list[str]
    site: str
    stream: str
    start: str
    end: str
    case: str
    purpose: str
    wait: str
    masked: bool
    mark: bool
    onvif: bool
    c2pa: bool
    timestamp: bool


class PolicyIn(TypedDict):
    """A policy; ``GET /api/v1/policy/schema`` describes a rule."""

    rules: list[dict[str, object]]


CameraBody = Annotated[
    dict[str, object],
    Body(),
    sent_as(
        CameraIn,
        {
            "url": "rtsp://10.0.0.7/stream1",
            "credentials": "user:password",
            "group": "gates",
            "importance": 1,
        },
    ),
]
CameraPatchBody = Annotated[
    dict[str, object],
    Body(),
    sent_as(CameraPatchIn, {"group": "key", "streams": {"sub": {"record": "off"}}}),
]
CamerasBody = Annotated[
    dict[str, object],
    Body(),
    sent_as(CamerasIn, {"cameras": {"gate": {"url": "rtsp://10.0.0.7/stream1"}}}),
]
ProbeBody = Annotated[
    dict[str, object],
    Body(),
    sent_as(ProbeIn, {"url": "rtsp://10.0.0.7/stream1", "credentials": "user:password"}),
]
AdmittedBody = Annotated[
    dict[str, object],
    Body(),
    sent_as(AdmittedIn, {"catalog": "5b0c6f8e-6a1f-4a3e-9a68-0d8c9f0f3a11"}),
]
HoldBody = Annotated[
    dict[str, object],
    Body(),
    sent_as(
        HoldIn,
        {
            "cameras": ["post1/gate"],
            "start": "2026-01-05T14:00:00Z",
            "end": "2026-01-05T15:00:00Z",
            "case": "17",
            "reason": "collision",
            "owner": "duty officer",
        },
    ),
]
ExportBody = Annotated[
    dict[str, object],
    Body(),
    sent_as(
        ExportIn,
        {
            "cameras": ["gate"],
            "start": "2026-01-05T14:00:00Z",
            "end": "2026-01-05T15:00:00Z",
            "case": "12/2026",
            "purpose": "robbery at the east gate",
            "wait": "2h",
        },
    ),
]
EventBody = Annotated[
    dict[str, object],
    Body(),
    sent_as(EventIn, {"camera": "gate", "kind": "alarm", "attributes": {"door": "open"}}),
]
EventPatchBody = Annotated[
    dict[str, object],
    Body(),
    sent_as(EventPatchIn, {"end": "2026-07-15T14:21:40Z", "attributes": {"checked": True}}),
]
PointBody = Annotated[
    dict[str, object],
    Body(),
    sent_as(PointIn, {"kind": "alarm", "cameras": ["post1/market"], "pre": "10s", "post": "30s"}),
]
PolicyBody = Annotated[
    dict[str, object],
    Body(),
    sent_as(
        PolicyIn,
        {
            "rules": [{"name": "everything", "keep": {"any": "30d"}}],
        },
    ),
]
