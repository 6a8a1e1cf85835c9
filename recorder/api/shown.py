"""What answers about nodes, sites, cameras and policy look like.

Their functions lie in lower rooms and also write what was stored by others: it is shown as it
is, so these are the documents' word, which a test holds real answers to.
"""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict  # that of 3.11 is not enough for the API's schema

from recorder.api.shown_cameras import ShownState


class ShownBundles(TypedDict):
    """Bundles of evidence on a node's disk."""

    bundles: int
    bytes: int


class ShownWrites(TypedDict):
    """When a write to a store last went well, to the minute; since when none did, and why."""

    at: str | None
    failing_since: str | None
    error: str | None


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
    full: bool
    held: int
    streams: int
    recording: int
    waiting_to_ship: int
    ship_error: str
    unregistered: int
    writes: dict[str, ShownWrites]
    exports: ShownBundles


class ShownDeparted(TypedDict):
    """A node that was removed: the copies its spool had, and how many were nowhere else."""

    node: str
    copies: int
    lost: int


class ShownDepartedSite(TypedDict):
    """A site that was removed: the copies there, and how many segments lay nowhere else."""

    site: str
    copies: int
    lost: int


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

    Among them ``access`` (``on``, ``admins`` who can sign in with a password, tokens ``ending``
    within two weeks) and ``certificate_end``, of a site below that says so.
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


class ShownDevice(TypedDict):
    """A sign-in that a person goes on with in a browser elsewhere, at ``address`` with ``code``.

    ``whole_address`` has the code in it, where the provider offers that.
    """

    device: str
    code: str
    address: str
    whole_address: str
    lasts_seconds: int
    wait_seconds: int


class ShownWait(TypedDict):
    """Nobody has signed in yet."""

    wait_seconds: int


class ShownApproval(TypedDict):
    """A request for another's approval; ``state``: asked, approved, refused, withdrawn, expired."""

    id: str
    state: str
    who: str
    action: str
    camera: str
    label: str | None
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
