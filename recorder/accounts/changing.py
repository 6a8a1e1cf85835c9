"""Changing an account as it is now, not as it was when somebody read it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

from recorder.access.grants import show_grants
from recorder.errors import NotFound, StaleVersion
from recorder.ports import Account, Accounts

TRIES = 5


def change(accounts: Accounts, name: str, made: Callable[[Account], Account]) -> Account:
    """Change an account as it is now: what another changes at the same time is looked at again.

    Raises: ``NotFound``; ``StaleVersion`` when others change it without end; what ``made`` raises.
    """
    for _ in range(TRIES):
        old = accounts.get(name)
        if old is None:
            raise NotFound(f"no user {name!r}", hint="recorder user list shows those there are")
        new = made(old)
        if accounts.put(new, old):
            return new
    raise StaleVersion(f"user {name!r}: others are changing it", hint="try again")


def version_of(account: Account) -> str:
    """Return what changes with what an account may, and with nothing else."""
    said = json.dumps([show_grants(account.grants), account.closed], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:16]
