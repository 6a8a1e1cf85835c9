"""Sessions of people who have signed in, by whichever way, and the cookies of browsers."""

from __future__ import annotations

from typing import cast

from fastapi import Request, Response

from recorder.access.words import SESSION
from recorder.accounts.known import Known, show_known, subject_of
from recorder.api.entry import COOKIE, SECURE_COOKIE
from recorder.api.shown import ShownMe
from recorder.app import App
from recorder.errors import NotKnown
from recorder.model.caller import Caller, CallerKind
from recorder.ports import Account


def address_of(request: Request) -> str:
    """Return where a request comes from."""
    return request.client.host if request.client else ""


def is_secure(request: Request) -> bool:
    """Tell whether a browser speaks TLS, as far as we or a trusted proxy know."""
    return request.url.scheme == "https"


def cookie_of(request: Request) -> str:
    """Return the name of a session's cookie."""
    return SECURE_COOKIE if is_secure(request) else COOKIE


def give_session(
    app: App, request: Request, response: Response, account: Account, label: str = ""
) -> Known:
    """Give who has signed in a session of ours, as a cookie; return who that is.

    Raises: ``NotKnown`` when the account is another since it was looked at.
    """
    address, lasts_ns = address_of(request), app.people.limits.session_ns
    word, made = app.people.give(SESSION, account.name, lasts_ns, label, address)
    now = app.catalog.accounts.get(account.name)
    if now is None or (now.password, now.closed) != (account.password, account.closed):
        app.people.end(made.credential_id)  # what changed it had ended those there were
        raise NotKnown("the account was changed meanwhile", hint="sign in again")
    app.knower.forget()
    response.set_cookie(
        cookie_of(request),
        word,
        max_age=lasts_ns // 10**9,
        path="/",
        httponly=True,
        secure=is_secure(request),
        samesite="strict",
    )
    caller = Caller(CallerKind.USER, account.name, address, made.credential_id)
    return Known(caller, subject_of(account), made.expires)


def show_me(app: App, known: Known, *, on: bool) -> ShownMe:
    """Say who somebody is, to himself, and how one signs in here."""
    ways = ["password", *(["oidc"] if app.settings.api.oidc.issuer else [])]
    return cast(ShownMe, {**show_known(known), "access": on, "sign_in": ways})
