"""Who a provider says somebody is, and what that is given here.  Pure.

Nothing is given that no group is mapped to: a provider knows the whole county, and few of it are to
see cameras.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recorder.errors import NotAllowed, NotKnown

PREFIX = "oidc:"
"""Begins the names of accounts that a provider vouches for; no name of a local one has a colon."""
EVERYBODY = "*"
"""The group that everybody is of whom the provider signs in."""
MOST_NAME, MOST_GROUPS, MOST_SUBJECT = 57, 1000, 255
_NAME = re.compile(rf"[\w.@+-]{{1,{MOST_NAME}}}")

Grants = Sequence[Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Vouched:
    """Somebody whom a provider vouches for.

    ``identity``: issuer and subject, which are never another's; ``name``: of the account, if it
    has none yet; ``groups``: those that are mapped; ``grants``: what they are given.
    """

    identity: str
    name: str
    groups: tuple[str, ...]
    grants: Grants


def claim(claims: Mapping[str, object], name: str) -> object:
    """Return a claim, by its name or by a path of names.

    >>> claim({"realm_access": {"roles": ["a"]}, "x.y": 1}, "realm_access.roles")
    ['a']
    """
    if name in claims:
        return claims[name]
    found: object = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def identity_of(claims: Mapping[str, object]) -> str:
    """Return who somebody is, whatever he is called.  Source: OpenID Connect Core 1.0, 5.7.

    Raises: ``NotKnown``.
    """
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= MOST_SUBJECT:
        raise NotKnown("the provider does not say who it is: sub is missing")
    return f"{claims['iss']} {subject}"


def name_of(claims: Mapping[str, object], name_claim: str) -> str:
    """Return the name of somebody's account.

    Raises: ``NotKnown``.

    >>> name_of({"preferred_username": "ana"}, "preferred_username")
    'oidc:ana'
    """
    said = claim(claims, name_claim)
    text = unicodedata.normalize("NFC", said) if isinstance(said, str) else ""
    if _NAME.fullmatch(text) is None:
        raise NotKnown(
            f"the provider says no name that can stand here: {name_claim} is "
            + ("missing" if said is None else "no name"),
            hint=f"letters, digits and . @ + - _, at most {MOST_NAME}; api.oidc.name says which "
            "claim it is, api.oidc.scopes what is asked for",
        )
    if name_claim == "email" and claims.get("email_verified") is not True:
        raise NotKnown("the provider has not verified the address: email_verified is not true")
    return PREFIX + text


def groups_of(claims: Mapping[str, object], groups_claim: str) -> list[str]:
    """Return the groups that somebody is of; none where the provider says none.

    >>> groups_of({"groups": "guards"}, "groups"), groups_of({}, "groups")
    (['guards'], [])
    """
    said = claim(claims, groups_claim)
    if isinstance(said, str):
        return [said]
    if not isinstance(said, Sequence):
        return []
    return [one for one in said[:MOST_GROUPS] if isinstance(one, str)]


def vouched(
    claims: Mapping[str, object], name_claim: str, groups_claim: str, mapping: Mapping[str, Grants]
) -> Vouched:
    """Say who it is and what he is given.

    Raises: ``NotKnown``; ``NotAllowed`` when that is nothing.
    """
    name = name_of(claims, name_claim)
    own = {*groups_of(claims, groups_claim), EVERYBODY}
    named = tuple(one for one in mapping if one in own)
    grants = [grant for one in named for grant in mapping[one]]
    if not grants:
        raise NotAllowed(
            f"{name.removeprefix(PREFIX)} is of no group that is given anything here",
            hint="api.oidc.grants says which groups are",
        )
    return Vouched(identity_of(claims), name, named, grants)
