"""Accounts of people whom a provider vouches for: made and kept up when they sign in.

An account belongs to an identity, issuer and subject, and to nobody else of its name: neither a
local user, whose name has no colon, nor whoever is given a name at the provider that was another's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from recorder.access.flow import challenge_of
from recorder.access.mapped import Vouched
from recorder.access.words import CODE, digest_of, is_word
from recorder.accounts.changing import change
from recorder.accounts.people import KINDS, USER, PeopleCatalog
from recorder.errors import NotAllowed, NotKnown, RequestError
from recorder.model.timebase import MINUTE
from recorder.ports import Account, Clock

CODE_NS = MINUTE
"""From a browser to the command that waits on the same machine."""


def admit(
    catalog: PeopleCatalog, clock: Clock, person: Vouched, note: Callable[[Account], None]
) -> Account:
    """Return the account of who signed in, with what he is given now.

    ``note`` is called before anything is written.
    Raises: ``NotAllowed`` when it was closed here, or its name is another's.
    """
    found = catalog.accounts.by_identity(person.identity)
    grants = [dict(one) for one in person.grants]
    if found is None:
        fresh = Account(person.name, USER, grants, clock.now(), identity=person.identity)
        if catalog.accounts.get(person.name) is not None:
            raise _taken(person.name)
        note(fresh)
        if catalog.accounts.add(fresh):
            return fresh
        found = catalog.accounts.by_identity(person.identity)  # two of his browsers at once
        if found is None:
            raise _taken(person.name)
    note(_open(found))
    if list(found.grants) != grants:
        return change(catalog.accounts, found.name, lambda old: replace(_open(old), grants=grants))
    return found


def _open(account: Account) -> Account:
    """Refuse one that was closed here.  Raises: ``NotAllowed``."""
    if account.closed is not None:
        raise NotAllowed(f"user {account.name!r} is closed here", hint="an admin has ended it")
    return account


def _taken(name: str) -> NotAllowed:
    return NotAllowed(
        f"the name {name!r} is that of another person here",
        hint="names that a provider gives anew are not taken over; let it say another",
    )


def redeem_code(catalog: PeopleCatalog, clock: Clock, code: object, verifier: object) -> Account:
    """Return who signed in, to the command that waited for it: once, and to it alone.

    Raises: ``NotKnown``; ``RequestError``.
    """
    if not isinstance(code, str) or not isinstance(verifier, str) or len(verifier) > 128:
        raise RequestError("code and verifier: must be texts")
    found = catalog.credentials.by_digest(digest_of(code)) if is_word(code, CODE) else None
    now = clock.now()
    right = found is not None and found.kind == KINDS[CODE] and found.counts(now)
    if found is None or not right or found.label != challenge_of(verifier):
        raise _spent()
    account = catalog.accounts.get(found.account)
    used = catalog.credentials.use_up(found.credential_id, now)
    if not used or account is None or account.closed is not None:
        raise _spent()
    return account


def _spent() -> NotKnown:
    return NotKnown("the code is not known, was used, or is too old", hint="sign in again")
