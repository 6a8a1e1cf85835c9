"""Accounts and credentials, written for answers."""

from __future__ import annotations

from recorder.access.grants import show_grants
from recorder.accounts.changing import version_of
from recorder.model.timebase import format_instant, format_known
from recorder.ports import Account, Credential


def show_account(account: Account) -> dict[str, object]:
    """Show an account, never what is kept of its password."""
    return {
        "name": account.name,
        "kind": account.kind,
        "grants": show_grants(account.grants),
        "password": bool(account.password),
        "created": format_instant(account.created, 0),
        "closed": format_known(account.closed, 0),
        "version": version_of(account),
    }


def show_credential(one: Credential) -> dict[str, object]:
    """Show a session or a token, never the word."""
    return {
        "id": one.credential_id,
        "kind": one.kind,
        "user": one.account,
        "label": one.label,
        "only": list(one.only) if one.only is not None else None,
        "address": one.address,
        "created": format_instant(one.created, 0),
        "expires": format_instant(one.expires if one.ended is None else one.ended, 0),
        "used": format_known(one.used, 0),
    }
