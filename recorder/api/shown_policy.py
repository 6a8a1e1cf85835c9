"""Answers about policies: checked, planned, carried out, foreseen."""

from __future__ import annotations

from typing_extensions import TypedDict  # that of 3.11 is not enough for the API's schema

from recorder.api.shown import ShownTransfer


class ShownPolicy(TypedDict):
    """The policy document in force; ``GET /api/v1/policy/schema`` describes ``body``."""

    version: int
    author: str
    at: str
    body: dict[str, object]


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


class ShownMove(ShownAction):
    """A segment that would be put into another store, ``to``."""

    to: str


class ShownDeletion(ShownAction):
    """A deletion; ``below_min``: before the least that its rule promises."""

    below_min: bool


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
    moved: int
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
    move: list[ShownMove]
    move_segments: int
    move_bytes: int
    send: dict[str, ShownCounted]
    transfers: list[ShownTransfer]
    actions: list[ShownDeletion]


class ShownDone(TypedDict):
    """What carrying a policy out did to a store.

    ``stopped``: why it did not, and ``yes`` does; ``left_out``: why it could not; ``hint``: what
    a person can do about that; ``retryable``: whether it may be over by itself.
    """

    condemned: int
    spared: int
    thinned: int
    moved: int
    purged: int
    stopped: str | None
    left_out: str | None
    hint: str | None
    retryable: bool | None


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
