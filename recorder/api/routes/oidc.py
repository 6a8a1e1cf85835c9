"""Signing in at an OpenID provider: the way there, the way back, and a command that waits for it.

What may wait for the provider runs in threads of its own, and not for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from html import escape
from typing import Annotated, TypeVar, cast
from urllib.parse import urlencode, urlsplit

from fastapi import Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from recorder import telemetry
from recorder.access.flow import (
    LASTS_NS,
    Flow,
    check_command,
    check_next,
    check_state,
    read_flow,
    write_flow,
)
from recorder.access.mapped import Vouched, name_of, vouched
from recorder.access.permissions import Permission as P
from recorder.access.words import CODE, make_word
from recorder.accounts.provider import MOST_WAITING, POOL, Provider
from recorder.accounts.vouched import CODE_NS, admit, redeem_code
from recorder.api.accounts import CodeBody
from recorder.api.deps import ANSWERS, AppDep
from recorder.api.gate import needs
from recorder.api.known import written_by_others
from recorder.api.routing import Routes
from recorder.api.sessions import address_of, give_session, is_secure, show_me
from recorder.api.shown import ShownMe
from recorder.app import App
from recorder.audit.entry import Result, Subject
from recorder.clock import chance
from recorder.errors import (
    NotAllowed,
    NotFound,
    NotKnown,
    ProviderUnreachable,
    TooMany,
)
from recorder.model.caller import Caller, CallerKind
from recorder.ports import Account

router = Routes(prefix="/api/v1/access/oidc", tags=("access",))
log = logging.getLogger("recorder.api")
T = TypeVar("T")

COOKIE = "spanstore-oidc"
PATIENCE_S = 25.0
"""Metadata, keys and tokens, each as slow as it may be."""
NO_STORE = {"Cache-Control": "no-store"}


def _cookie(request: Request) -> str:
    return f"__Host-{COOKIE}" if is_secure(request) else COOKIE


def provider_of(request: Request) -> Provider:
    """Return the provider that people sign in with.  Raises: ``NotFound``."""
    found = cast(Provider, request.app.state.provider)
    if not found.part.issuer:
        raise NotFound("nobody signs in by a provider here", hint="api.oidc names one")
    return found


async def ask(provider: Provider, work: Callable[..., T], *arguments: object) -> T:
    """Ask the provider in a thread; wait for it no longer than somebody looks on.

    Raises: ``ProviderUnreachable``; ``TooMany``.
    """
    if POOL.waiting >= MOST_WAITING:
        raise TooMany("too many sign in at once", hint="try again in a moment", retry_after_s=5)
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await POOL.run(work, *arguments)
    except TimeoutError as exc:
        raise provider.gave_up("the provider does not answer in time") from exc


@router.get(
    "/login", status_code=303, response_class=RedirectResponse, dependencies=[needs(P.PUBLIC)]
)
async def begin_sign_in(
    app: AppDep,
    request: Request,
    next: Annotated[str, Query(description="Path of this host to go on to, when signed in.")] = "",
    port: Annotated[
        int, Query(description="Of a command on the person's machine, which waits for a code.")
    ] = 0,
    challenge: Annotated[str, Query(description="Of that command: S256, of its verifier.")] = "",
) -> RedirectResponse:
    """Send a browser to the OpenID provider, to sign in there.

    It comes back to ``callback``; a cookie says that it is the same browser.
    """
    provider = provider_of(request)
    check_next(next)
    check_command(port, challenge)
    flow = Flow(make_word(CODE, chance), app.clock.now(), next, port, challenge)
    answer = RedirectResponse(await ask(provider, provider.begin, flow), 303, NO_STORE)
    answer.set_cookie(
        _cookie(request),
        write_flow(flow),
        max_age=LASTS_NS // 10**9,
        path="/",
        httponly=True,
        secure=is_secure(request),
        samesite="lax",
    )
    return answer


@router.get(
    "/callback",
    response_class=HTMLResponse,
    include_in_schema=False,
    dependencies=[needs(P.PUBLIC)],
)
@written_by_others
async def finish_sign_in(
    app: AppDep,
    request: Request,
    code: Annotated[str, Query(description="What the provider changes for who it is.")] = "",
    state: Annotated[str, Query(description="Of the sign-in that a browser began.")] = "",
    iss: Annotated[str, Query(description="Whose answer it is, where the provider says so.")] = "",
    error: Annotated[str, Query(description="Why nobody signed in.")] = "",
) -> Response:
    """Take somebody in whom the provider vouches for: a session of ours, as a cookie."""
    provider = provider_of(request)
    try:
        cookie = request.cookies.get(_cookie(request), "")
        if not cookie:
            at = urlsplit(app.settings.oidc_redirect).netloc
            raise NotKnown(
                "this browser did not begin to sign in here",
                hint=f"begin at {at}, with cookies allowed: api/v1/access/oidc/login",
            )
        flow = read_flow(cookie, app.clock.now())
        check_state(flow, state)
        if error or not code:
            raise NotKnown(f"the provider signed nobody in: {(error or 'no code')[:64]!r}")
        account = await _vouched(app, request, provider, (code, iss, flow))
    except ProviderUnreachable:
        telemetry.SIGNED_IN.labels("unavailable").inc()
        raise
    except (NotKnown, NotAllowed):
        telemetry.SIGNED_IN.labels("wrong").inc()
        raise
    telemetry.SIGNED_IN.labels("right").inc()
    answer = await _answer(app, request, flow, account)
    answer.delete_cookie(_cookie(request), path="/", secure=is_secure(request))
    return answer


async def _vouched(
    app: App, request: Request, provider: Provider, came: tuple[str, str, Flow]
) -> Account:
    """Find out who came back, and take him in."""
    code, iss, flow = came
    await ask(provider, provider.check_issuer, iss)
    wanted = (provider.part.name, provider.part.groups)
    claims = await ask(provider, provider.claims, code, flow, wanted)
    return await take_in(app, request, provider, claims)


async def take_in(
    app: App, request: Request, provider: Provider, claims: dict[str, object]
) -> Account:
    """Take in whom a provider speaks of; that stands in the audit log, also if he may not.

    Raises: ``NotKnown``, ``NotAllowed``.
    """
    part, address = provider.part, address_of(request)
    nobody = Caller(CallerKind.NOBODY, address=address)
    try:
        person = vouched(claims, part.name, part.groups, part.grants)
        return await ANSWERS.run(_admit, app, person, address)
    except (NotKnown, NotAllowed) as exc:
        about, why = _about(claims, part.name), str(exc)[:500]
        await ANSWERS.run(
            lambda: app.book.note(
                nobody, "user.login", about, Result.REFUSED, by="oidc", reason=why
            )
        )
        raise


def _about(claims: dict[str, object], name_claim: str) -> Subject:
    with contextlib.suppress(NotKnown):
        return Subject(name=name_of(claims, name_claim))
    return Subject(name=f"oidc {str(claims.get('sub', ''))[:255]}")


def _admit(app: App, person: Vouched, address: str) -> Account:
    def note(account: Account) -> None:
        caller = Caller(CallerKind.USER, account.name, address)
        about, groups = Subject(name=account.name), list(person.groups)
        app.book.note(
            caller, "user.login", about, by="oidc", identity=person.identity, groups=groups
        )

    return admit(app.catalog, app.clock, person, note)


async def _answer(app: App, request: Request, flow: Flow, account: Account) -> Response:
    """Give who signed in a session; or, where a command waits for it, a code for that alone."""
    if flow.port:
        word, _ = await ANSWERS.run(
            app.people.give, CODE, account.name, CODE_NS, flow.challenge, address_of(request)
        )
        return RedirectResponse(
            f"http://127.0.0.1:{flow.port}/?{urlencode({'code': word})}", 303, NO_STORE
        )
    page = HTMLResponse(headers=NO_STORE)
    known = await ANSWERS.run(give_session, app, request, page, account, "oidc")
    text = _page(known.caller.name, flow.next).encode()
    page.body = text
    page.headers["content-length"] = str(len(text))
    return page


def _page(name: str, to: str) -> str:
    """Write the page that goes on by itself.

    A redirect would do less: a browser that comes from elsewhere sends no strict cookie along one,
    but from this page on it does.
    """
    on = f'<meta http-equiv="refresh" content="0;url={escape(to)}">' if to else ""
    link = f' <a href="{escape(to)}">Go on</a>' if to else ""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8">{on}<title>Spanstore</title>'
        f"<p>Signed in as {escape(name)}.{link}</p></html>"
    )


@router.post("/redeem", dependencies=[needs(P.PUBLIC)])
async def redeem_sign_in(
    body: CodeBody, app: AppDep, request: Request, response: Response
) -> ShownMe:
    """Change the code that a browser brought to a command for a session: within a minute, once."""
    provider_of(request)
    account = await ANSWERS.run(
        redeem_code, app.catalog, app.clock, body.get("code"), body.get("verifier")
    )
    known = await ANSWERS.run(give_session, app, request, response, account, "oidc")
    return show_me(app, known, on=True)
