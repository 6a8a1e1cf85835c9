"""What is answered about users, sessions, tokens and keys of sites."""

from __future__ import annotations

from typing_extensions import TypedDict  # that of 3.11 is not enough for the API's schema

ShownTimes = TypedDict(
    "ShownTimes",
    {"zone": str, "weekly": dict[str, list[str]], "except": dict[str, list[str]]},
    total=False,
)


class ShownGrant(TypedDict, total=False):
    """A role, and conditions that all hold; what is left out is no condition."""

    role: str
    sites: list[str]
    groups: list[str]
    cameras: list[str]
    back: str
    clip: str
    times: ShownTimes
    purpose: bool
    until: str
    four_eyes: list[str]
    masked: bool


class ShownAccount(TypedDict):
    """A user or a service; ``password``: whether there is one; ``version``: of what it may."""

    name: str
    kind: str
    grants: list[ShownGrant]
    password: bool
    created: str
    closed: str | None
    version: str


class ShownCredential(TypedDict):
    """A session or a token; never its word."""

    id: str
    kind: str
    user: str
    label: str
    only: list[str] | None
    address: str
    created: str
    expires: str
    used: str | None


class ShownWord(TypedDict):
    """A word that is shown now and never again."""

    id: str
    word: str
    expires: str


class ShownDecision(TypedDict):
    """Whether somebody may do something, and why."""

    user: str
    action: str
    camera: str | None
    allowed: bool
    reason: str


class ShownRole(TypedDict):
    """A role, and what it may."""

    role: str
    permissions: list[str]


class ShownPeer(TypedDict):
    """A key of a site or a node."""

    kind: str
    name: str
    public_key: str
    created: str
    ended: str | None


class ShownJoined(TypedDict):
    """The parent that a site has joined, and the keys of its nodes."""

    site: str
    public_keys: list[str]


class ShownExpelled(TypedDict):
    """A site that was cast out, and how many keys of it count no more."""

    site: str
    keys: int
