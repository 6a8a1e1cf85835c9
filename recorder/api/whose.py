"""Whose sessions and tokens are asked for: one's own, or anybody's for who may."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query

from recorder.access.decide import Everything
from recorder.access.permissions import Permission as P
from recorder.api.accounts import (
    UserQuery,
)
from recorder.api.gate import GateDep
from recorder.app import App
from recorder.errors import NotFound, RequestError
from recorder.model.caller import CallerKind
from recorder.ports import Credential


def is_own(gate: GateDep, user: str | None) -> bool:
    """Tell whether an account is the caller's: a site or a node may have the name of a user."""
    own = gate.entry.caller
    return own.kind in (CallerKind.USER, CallerKind.SERVICE) and user in (None, own.name)


def whose_asked(
    gate: GateDep,
    user: UserQuery = None,
    every: Annotated[bool, Query(description="Of all users.")] = False,
) -> str | None:
    """Read whose sessions or tokens are asked for; ``None``: everybody's."""
    if not every:
        return whose_of(gate, user, P.ACCESS_READ)
    if user is not None:
        raise RequestError("user and every: give one of them")
    gate.refuse(gate.decide(Everything(), P.ACCESS_READ))
    return None


WhoseDep = Annotated[str | None, Depends(whose_asked)]


def whose_of(gate: GateDep, user: str | None, permission: P) -> str:
    """Return whose are meant: one's own, if nobody is named."""
    if not is_own(gate, user):
        gate.refuse(gate.decide(Everything(), permission))
    return user or gate.entry.caller.name


def own_credential(app: App, gate: GateDep, credential_id: str) -> Credential:
    """Return a session or token of one's own, or of anybody to who may change access."""
    found = app.people.credential(credential_id)
    if not is_own(gate, found.account) and not gate.decide(Everything(), P.ACCESS_WRITE).allowed:
        raise NotFound(f"no session or token {credential_id[:64]!r}")
    return found
