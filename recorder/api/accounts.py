"""What is sent about users, sessions, tokens and keys of sites."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Body, Query
from typing_extensions import TypedDict  # that of 3.11 is not enough for the API's schema

from recorder.api.inlined import sent_as
from recorder.api.sent import Timetable


class GrantIn(TypedDict, total=False):
    """A role, and conditions that all hold; what is left out is no condition."""

    role: str
    sites: list[str]
    groups: list[str]
    cameras: list[str]
    back: str
    clip: str
    times: Timetable
    purpose: bool
    until: str
    four_eyes: list[str]
    masked: bool


class LoginIn(TypedDict):
    """Name and password."""

    name: str
    password: str


class ApprovalIn(TypedDict, total=False):
    """What somebody asks to be allowed; ``action``: ``footage.view`` or ``footage.export``."""

    camera: str
    site: str
    action: str
    start: str
    end: str
    purpose: str


class ApproveIn(TypedDict, total=False):
    """``lasts``: how long the approval counts, such as ``1h``."""

    lasts: str


class RefuseIn(TypedDict, total=False):
    """``reason``: why not."""

    reason: str


class CodeIn(TypedDict):
    """The code that a browser brought to a command, and what its challenge is the digest of."""

    code: str
    verifier: str


class DeviceIn(TypedDict):
    """What ``/access/oidc/device`` answered."""

    device: str


class RedeemIn(TypedDict, total=False):
    """The word of an invitation, and a password; the first admin chooses a name."""

    word: str
    name: str
    password: str


class PasswordIn(TypedDict):
    """The present password, and the next."""

    old: str
    new: str


class AccountIn(TypedDict, total=False):
    """``kind``: ``user`` or ``service``."""

    kind: str
    grants: list[GrantIn]


class TokenIn(TypedDict, total=False):
    """``user``: by default the caller; ``only``: permissions; ``lasts``: such as ``90d``."""

    user: str
    label: str
    only: list[str]
    lasts: str


class RotateIn(TypedDict, total=False):
    """``overlap``: how long the old one goes on to count."""

    overlap: str


class JoinIn(TypedDict):
    """A site that joins: the word it was given, its name, and its public key."""

    word: str
    site: str
    public_key: str


UserQuery = Annotated[str | None, Query(description="Whose; by default one's own.")]

_JSON = dict[str, Any]
LoginBody = Annotated[
    _JSON, Body(), sent_as(LoginIn, {"name": "ana", "password": "four words in a row"})
]
RedeemBody = Annotated[
    _JSON, Body(), sent_as(RedeemIn, {"word": "spanstore_i_…", "password": "four words in a row"})
]
ApprovalBody = Annotated[
    _JSON,
    Body(),
    sent_as(
        ApprovalIn,
        {
            "camera": "gate",
            "action": "footage.export",
            "start": "-30m",
            "end": "now",
            "purpose": "case 2026-117",
        },
    ),
]
ApproveBody = Annotated[_JSON, Body(), sent_as(ApproveIn, {"lasts": "1h"})]
RefuseBody = Annotated[_JSON, Body(), sent_as(RefuseIn, {"reason": "not of this case"})]
CodeBody = Annotated[
    _JSON, Body(), sent_as(CodeIn, {"code": "spanstore_c_…", "verifier": "43 characters or more"})
]
DeviceBody = Annotated[_JSON, Body(), sent_as(DeviceIn, {"device": "GmRhmhcxhwAzkoEqiMEg…"})]
PasswordBody = Annotated[
    _JSON, Body(), sent_as(PasswordIn, {"old": "four words in a row", "new": "some other words"})
]
AccountBody = Annotated[
    _JSON,
    Body(),
    sent_as(AccountIn, {"grants": [{"role": "officer", "groups": ["gates"], "back": "7d"}]}),
]
TokenBody = Annotated[
    _JSON, Body(), sent_as(TokenIn, {"user": "vms", "label": "wall 1", "lasts": "90d"})
]
RotateBody = Annotated[_JSON, Body(), sent_as(RotateIn, {"overlap": "1h"})]
JoinBody = Annotated[
    _JSON, Body(), sent_as(JoinIn, {"word": "spanstore_j_…", "site": "post1", "public_key": "…"})
]
