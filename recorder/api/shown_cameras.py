"""Answers about cameras: documents, states, what a change does."""

from __future__ import annotations

from typing_extensions import TypedDict  # that of 3.11 is not enough for the API's schema

from recorder.model.shown import ShownMask


class ShownTimetable(TypedDict):
    """When a stream is recorded: per day of the week, and dates of their own."""

    zone: str
    weekly: dict[str, list[str]]


class ShownCameraStream(TypedDict):
    """A stream of a camera's document; secrets are masked, and may be sent back so."""

    url: str
    credentials: str | None
    transport: str
    audio: str
    listen: bool
    stall_s: float
    enabled: bool
    verify_tls: bool
    ca_file: str
    record: str
    timetable: ShownTimetable | None
    activity: str


class ShownFigures(TypedDict, total=False):
    """A stream's health on a day."""

    day: str
    recorded_s: float
    sound_s: float
    frames: int
    missing: int
    restarts: dict[str, int]
    rate_ppm: float
    arrival_ms: float
    key_frame_s: float


class ShownHealth(ShownFigures, total=False):
    """A stream's health today, and the day before."""

    yesterday: ShownFigures


class ShownState(TypedDict):
    """A stream's present state: ``recording``, ``connecting``, ``failing``, ``off``."""

    state: str
    cause: str | None
    condition: str | None
    detail: str | None
    node: str
    since: str
    at: str
    sound: str | None
    habits: dict[str, str | None]
    health: ShownHealth


class ShownCoordinates(TypedDict):
    """Degrees, WGS 84."""

    latitude: float
    longitude: float


class ShownAbout(TypedDict):
    """What people call a camera, where it is, and what should be known of it."""

    label: str | None
    location: str | None
    coordinates: ShownCoordinates | None
    notes: str | None


class ShownDocument(ShownAbout):
    """A camera's document."""

    name: str
    group: str
    importance: int
    enabled: bool
    critical: bool
    sensitive: str | None
    masks: list[ShownMask] | None
    version: int
    author: str | None
    streams: dict[str, ShownCameraStream]


class ShownPresent(TypedDict):
    """How a camera does, by its worst stream; ``dark``: it should be recorded now, and is not."""

    stream: str
    state: str
    dark: bool
    since: str | None
    cause: str | None
    condition: str | None
    detail: str | None


class _ShownSeen(ShownAbout):
    name: str
    site: str
    group: str
    present: ShownPresent
    stream_states: list[ShownPresent]
    state: dict[str, ShownState]


class ShownCamera(_ShownSeen, total=False):
    """A camera and the present state of its streams; its document, where it is this site's own."""

    importance: int
    enabled: bool
    critical: bool
    sensitive: str | None
    masks: list[ShownMask] | None
    version: int
    author: str | None
    streams: dict[str, ShownCameraStream]


class ShownDifference(TypedDict):
    """A field that changed; secrets are masked."""

    path: str
    before: Value | None
    after: Value | None


class ShownRetention(TypedDict):
    """How a stream's footage was kept in a store, and how it is kept now."""

    stream: str
    store: str
    before: str
    after: str


class ShownChanged(ShownDocument):
    """A camera's document, what of it changed, and what that means for its footage."""

    changes: list[ShownDifference]
    retention: list[ShownRetention]


class ShownTaken(TypedDict):
    """What becomes of a camera of many: ``added``, ``changed`` or ``same``."""

    camera: str
    done: str
    note: str | None
    changes: list[ShownDifference]
    retention: list[ShownRetention]


class ShownProbe(TypedDict, total=False):
    """What a source offered while it was recorded for some seconds."""

    source: str
    tracks: list[str]
    video: str
    size: str
    frame_rate: float | None
    recordable: bool
    audio: str
    audio_is: str
    took_s: float
    codec: str
    frames: int
    bitrate_kbps: int
    gop_s: float | str
    b_frames: bool
    camera_clock: str
    habits: dict[str, str]


class ShownCameraBelow(ShownDocument, total=False):
    """A camera's document for a site below."""

    at: str


Value = str | int | float | bool | list[str] | list[ShownMask]
"""A field of a document; one that holds others is told field by field."""
