"""What answers look like, over HTTP and in ``--json``: RFC 3339 in UTC, units in names."""

from __future__ import annotations

from typing import NotRequired  # that of 3.11 is not enough for the API's schema

from typing_extensions import (
    TypedDict,
)


class ShownRange(TypedDict):
    """A stretch of time, ``[start, end)``."""

    start: str
    end: str
    seconds: float


class ShownSpan(ShownRange):
    """Footage without a gap; ``open``: it still grows; ``writer``: the node, and its run."""

    codecs: str
    open: bool
    writer: str
    clean_points_only: bool
    camera_clock_offset_s: float | None


class ShownGap(ShownRange):
    """A stretch without footage, and why; ``not-yet`` is what may still come."""

    cause: str


class ShownDay(TypedDict):
    """How much of what should have been recorded on a day was; ``gap_seconds`` by cause."""

    day: str
    expected_seconds: float
    covered_seconds: float
    coverage: float | None
    gap_seconds: dict[str, float]


class ShownEvent(TypedDict):
    """Something that happened: when, and which footage of which cameras it touches.

    ``labels``: what people call its cameras, of those that are called something.  ``warnings``:
    as it was reported, what is likely to be a mistake.
    """

    id: str
    kind: str
    source: str
    site: str
    cameras: list[str]
    labels: dict[str, str]
    start: str
    end: str
    touched_start: str
    touched_end: str
    received: str
    attributes: dict[str, object]
    image: str | None
    version: int
    warnings: NotRequired[list[str]]


class ShownPoint(TypedDict):
    """An alarm point or a checkpoint; ``labels``: what people call its cameras."""

    name: str
    kind: str
    cameras: list[str]
    labels: dict[str, str]
    pre: str
    post: str
    version: int


class ShownActivity(TypedDict):
    """How much more than usual changes in the picture, from one clean point to the next."""

    start: str
    end: str
    score: int
    motion: bool


class _Activity(TypedDict, total=False):
    activity: list[ShownActivity]


class ShownSpans(ShownRange, _Activity):
    """A timeline, without events."""

    camera: str
    stream: str
    site: str
    label: str | None
    elsewhere: list[str]
    covered_seconds: float
    spans: list[ShownSpan]
    gaps: list[ShownGap]
    days: list[ShownDay]


class ShownTimeline(ShownSpans):
    """Spans and gaps, which together cover the range up to the present; events that touch it.

    ``label``: what people call the camera.  ``elsewhere``: cameras of that name at other sites.
    ``events_until``: where more events touch it than one timeline lists, all that began before
    then are here; ``GET /events`` has the others.  ``activity``: where asked for.
    """

    events: list[ShownEvent]
    events_until: str | None


class ShownCovered(TypedDict):
    """Coverage of one stream."""

    camera: str
    stream: str
    site: str
    label: str | None
    covered_seconds: float
    days: list[ShownDay]


class ShownCoverage(ShownRange):
    """Coverage of all streams over a range."""

    cameras: list[ShownCovered]


class ShownMissing(TypedDict):
    """How much of a range has footage; all gaps of it."""

    covered_seconds: float
    missing_seconds: float
    gaps: list[ShownGap]


class ShownPart(TypedDict):
    """A stretch of a clip without a seam: where it is in the file, and when it was."""

    clip_start_s: float
    clip_end_s: float
    start: str
    end: str
    frames: int
    codecs: str
    camera_clock_offset_s: float | None


class ShownSource(TypedDict):
    """A stored object that bytes of a clip lie in; no digest while it is being written."""

    key: str
    sha256: str | None


class ShownClip(ShownMissing):
    """The true times of a clip, what it is made of, and what is missing in it."""

    camera: str
    stream: str
    site: str
    asked: ShownRange
    first_frame: str
    end: str
    bytes: int
    etag: str
    parts: list[ShownPart]
    sources: list[ShownSource]
    sources_sha256: str


class ShownPicture(TypedDict):
    """A picture of a strip: for which instant, when it was, and a JPEG in base64; none in a gap."""

    wanted: str
    at: str | None
    jpeg: str | None


class ShownStrip(ShownRange):
    """Small pictures over a range, evenly spread."""

    camera: str
    stream: str
    site: str
    pictures: list[ShownPicture]


class ShownHold(TypedDict):
    """A range of cameras that nobody may purge; ``state``: live, expired or released.

    ``labels``: what people call its cameras, of those that are called something.
    """

    id: str
    cameras: list[str]
    labels: dict[str, str]
    start: str
    end: str
    case: str
    reason: str
    owner: str
    state: str
    created: str | None
    expires: str | None
    released: str | None
    released_by: str | None


class ShownLocks(TypedDict):
    """Copies of held footage in a store, and those that the store itself protects."""

    copies: int
    locked: int


class _ShownMask(TypedDict):
    polygon: list[list[float]]
    fill: str


class ShownMask(_ShownMask, total=False):
    """A part of the picture that copies hide; points are ``[x, y]``, each from 0 to 1."""

    name: str


class ShownHeldStream(TypedDict):
    """Held footage of a stream, and what was purged before."""

    stream: str
    segments: int
    bytes: int
    purged_before_seconds: float


class ShownDelivery(TypedDict, total=False):
    """What a site below said of a hold: ``held``, ``nothing`` or ``pending``."""

    state: str
    streams: list[ShownHeldStream]
    at: str


class ShownHeld(ShownHold):
    """A hold, and the footage it keeps.

    ``protection``: ``store`` (the stores lock all copies), ``partly``, or ``emulated`` (this
    system alone keeps them).  ``sites``: what sites below said of it; ``pending``: nothing yet.
    ``notes``: that it keeps footage longer than the law lets a policy keep it.
    """

    protection: str
    stores: dict[str, ShownLocks]
    streams: list[ShownHeldStream]
    sites: dict[str, ShownDelivery]
    notes: list[str]


class ShownReasons(TypedDict):
    """Why the footage of a moment is there, or is not; ``segment``: the key it lies under."""

    camera: str
    at: str
    segment: str | None
    said: list[str]


class ShownEntry(TypedDict):
    """Something that was deleted, lost, damaged or repaired, and by which rule."""

    at: str
    action: str
    key: str
    place: str
    rule: str
    reason: str
    document_version: int


class ShownLog(TypedDict):
    """A log of a site: its origin, its key, and what was signed last, while that is known."""

    log: str
    key: str | None
    size: int
    checkpoint: str | None
