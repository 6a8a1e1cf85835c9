"""What answers about nodes, sites, cameras and policy look like.

Their functions lie in lower rooms and also write what was stored by others: it is shown as it
is, so these are the documents' word, which a test holds real answers to.
"""

from __future__ import annotations

from typing import Any

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


Value = str | int | float | bool | list[str] | list[ShownMask]
"""A field of a document; one that holds others is told field by field."""


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


class ShownBundles(TypedDict):
    """Bundles of evidence on a node's disk."""

    bundles: int
    bytes: int


class ShownNode(TypedDict, total=False):
    """A node's last sign of life, what it said of itself, and its streams' states."""

    node: str
    site: str
    alive: bool
    last_seen: str
    silent_seconds: float
    stream_states: dict[str, ShownState]
    state: str
    roles: list[str]
    weight: float
    url: str
    clock_ahead_s: float
    draining: bool
    held: int
    streams: int
    recording: int
    waiting_to_ship: int
    ship_error: str
    unregistered: int
    exports: ShownBundles


class ShownDraining(TypedDict):
    """The nodes that are to give their streams to others."""

    draining: list[str]


class ShownClaim(TypedDict):
    """Another of a site's name, which is turned away: its catalog, its URL, when it spoke last."""

    catalog: str
    url: str
    at: str
    why: str
    advice: str


class ShownSite(TypedDict):
    """A site of the tree, as it was last heard of; ``facts`` are what it says of itself.

    ``holds_pending``: holds it has not taken in yet; ``to_tell``: changes that the parent has not.
    """

    site: str | None
    relation: str
    under: str | None
    level: str
    url: str
    last_heard: str
    silent_seconds: float
    facts: dict[str, Any]
    turned_away: ShownClaim | None
    holds_pending: int | None
    to_tell: int | None


class ShownPass(TypedDict, total=False):
    """How far reading all copies of a store again is; without ``began`` it has not."""

    store: str
    began: str | None
    finished: str | None
    checked: int
    bytes: int
    repaired: int
    lost: int
    damaged: int


class ShownReady(TypedDict):
    """Whether this node can serve; for catalog and stores ``ok``, or what is wrong."""

    ready: bool
    state: str
    checks: dict[str, str]


class ShownOk(TypedDict):
    """Alive."""

    status: str


class ShownMe(TypedDict):
    """Who the caller is; ``sign_in``: by which ways one may: ``password``, ``oidc``."""

    kind: str
    name: str
    permissions: list[str]
    access: bool
    sign_in: list[str]


class ShownApproval(TypedDict):
    """A request for another's approval; ``state``: asked, approved, refused, withdrawn, expired."""

    id: str
    state: str
    who: str
    action: str
    camera: str
    start: str
    end: str
    purpose: str
    asked: str
    until: str
    decided: str | None
    by: str | None
    reason: str | None


class ShownAnswering(TypedDict):
    """Who answers, and what time it is there."""

    site: str
    level: str
    node: str
    version: str
    now: str


class ShownPolicy(TypedDict):
    """The policy document in force; ``GET /api/v1/policy/schema`` describes ``body``."""

    version: int
    author: str
    at: str
    body: dict[str, Any]


class ShownVersion(TypedDict):
    """The version a document has now."""

    version: int


class ShownChecked(TypedDict):
    """A document without mistakes, and its rules."""

    ok: bool
    rules: list[str]
    room: dict[str, list[str]]
    notes: list[str]


class ShownAction(TypedDict):
    """A segment that would be deleted or made thin, and why."""

    stream: str
    start: str
    end: str
    bytes: int
    rule: str
    reason: str


class ShownDeletion(ShownAction):
    """A deletion; ``below_min``: before the least that its rule promises."""

    below_min: bool


ShownTransfer = TypedDict(
    "ShownTransfer",
    {
        "stream": str,
        "start": str,
        "end": str,
        "bytes": int,
        "rule": str,
        "reason": str,
        "class": str,
    },
)


class ShownCounted(TypedDict):
    """So much of a class."""

    segments: int
    bytes: int


class ShownChange(TypedDict):
    """What a proposed document changes; counts of segments, and camera-days by camera."""

    said: str
    sooner: int
    spared: int
    thinned: int
    whole: int
    held: int
    by_camera: dict[str, float]


class ShownDryRun(TypedDict):
    """What a policy would do to a store now; lists end after 1000, counts do not."""

    store: str
    version: int
    segments: int
    bytes: int
    camera_days: float
    condemned: int
    condemned_bytes: int
    spared: int
    spared_reason: str | None
    kept: int
    kept_bytes: int
    stopped: str | None
    by_rule: dict[str, int]
    waiting: dict[str, int]
    warnings: list[str]
    change: ShownChange | None
    thin: list[ShownAction]
    thin_segments: int
    thin_bytes: int
    send: dict[str, ShownCounted]
    transfers: list[ShownTransfer]
    actions: list[ShownDeletion]


class ShownDone(TypedDict):
    """What carrying a policy out did to a store; ``stopped``: why it did not."""

    condemned: int
    spared: int
    thinned: int
    purged: int
    stopped: str | None


class ShownForecast(TypedDict):
    """When a store is full if cameras go on as they do; ``short``: who misses its minimum then."""

    store: str
    bytes_per_day: int
    steady_bytes: int
    usable_bytes: int | None
    full_at: str | None
    reach_days: float | None
    grace_seconds: float
    short: list[str]
    said: list[str]
