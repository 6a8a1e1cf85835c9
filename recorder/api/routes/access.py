"""Signing in; users, sessions and tokens."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import cast

from fastapi import Request, Response

from recorder import telemetry
from recorder.access.decide import Everything
from recorder.access.grants import read_permission
from recorder.access.permissions import ROLES, Role
from recorder.access.permissions import Permission as P
from recorder.accounts import invitations
from recorder.accounts.changing import version_of
from recorder.accounts.known import Known
from recorder.accounts.passwords import POOL, in_turn
from recorder.accounts.people import USER
from recorder.accounts.shown import show_account, show_credential
from recorder.api.accounts import (
    AccountBody,
    LoginBody,
    PasswordBody,
    RedeemBody,
    RotateBody,
    TokenBody,
)
from recorder.api.deps import ANSWERS, AppDep, CallerDep, IfMatch, NewOnly
from recorder.api.described import Answers
from recorder.api.gate import Gate, GateDep, needs
from recorder.api.logged import logs
from recorder.api.paging import PAGED, PagedDep
from recorder.api.routing import Routes
from recorder.api.sessions import address_of, cookie_of, give_session, is_secure, show_me
from recorder.api.shown import ShownMe
from recorder.api.shown_people import ShownAccount, ShownCredential, ShownWord
from recorder.api.whose import WhoseDep, own_credential, whose_of
from recorder.audit.entry import Result, Subject
from recorder.errors import NotKnown, RequestError
from recorder.model.caller import Caller, CallerKind
from recorder.model.checks import check_text
from recorder.model.timebase import HOUR, format_instant, parse_duration
from recorder.model.versions import meant_for
from recorder.ports import Account, Credential

router = Routes(prefix="/api/v1/access", tags=("access",))

ADDED: Answers = {201: {"model": ShownAccount, "description": "It is new."}}


@router.post("/login", dependencies=[needs(P.PUBLIC)])
async def sign_in(body: LoginBody, app: AppDep, request: Request, response: Response) -> ShownMe:
    """Sign in with name and password: a browser keeps the session as a cookie.

    Wrong passwords cost time, more each time; nobody is locked out for ever.
    """
    name = check_text(body.get("name"), "name", 63)
    password = check_text(body.get("password"), "password", 256)
    address = address_of(request)
    backoff = request.app.state.backoff
    backoff.check(name, address)
    account = await ANSWERS.run(app.catalog.accounts.get, name)
    usable = account is not None and account.closed is None and account.kind == USER
    kept = account.password if account is not None and usable else ""
    wrong = partial(backoff.wrong, name, address)  # until it is right: many at once are many tries
    if not await in_turn(kept, password, wrong) or account is None:
        telemetry.SIGNED_IN.labels("wrong").inc()
        nobody, about = Caller(CallerKind.NOBODY, address=address), Subject(name=name)
        await ANSWERS.run(app.book.note, nobody, "user.login", about, Result.REFUSED)
        raise NotKnown(
            "name or password is wrong", hint="an admin can invite you anew: recorder user invite"
        )
    backoff.right(name, address)
    telemetry.SIGNED_IN.labels("right").inc()
    known = Caller(CallerKind.USER, name, address)
    await ANSWERS.run(app.book.note, known, "user.login", Subject(name=name))
    opened = await ANSWERS.run(give_session, app, request, response, account)
    return show_me(app, opened, on=True)


@router.post("/logout", status_code=204, dependencies=[needs(P.OWN), logs("user.logout")])
def sign_out(app: AppDep, caller: CallerDep, request: Request, response: Response) -> None:
    """End the session, or the token, that this request shows."""
    if caller.session and caller.kind in (CallerKind.USER, CallerKind.SERVICE):
        app.people.end(caller.session)
        app.knower.forget()
    response.delete_cookie(cookie_of(request), path="/", secure=is_secure(request))


@router.get("/me", dependencies=[needs(P.PUBLIC)])
def read_me(app: AppDep, gate: GateDep) -> ShownMe:
    """Say who the caller is, and what it may, somewhere; ``access``: whether anybody is asked."""
    entry = gate.entry
    return show_me(app, Known(entry.caller, entry.subject, app.clock.now()), on=entry.on)


@router.post("/redeem", dependencies=[needs(P.PUBLIC)])
async def redeem_invitation(body: RedeemBody, app: AppDep, caller: CallerDep) -> ShownAccount:
    """Set a password with the word of an invitation, which counts once.

    The first admin's, which ``recorder serve`` prints, takes a ``name`` besides.
    """
    word, wanted = body.get("word"), body.get("name")

    def redeem() -> Account:
        # what counts not is in no log: anybody may say it
        owner = invitations.invited(app.people, word)
        with app.book.doing(caller, "user.redeem", Subject(name=owner or str(wanted or "")[:63])):
            return invitations.redeem(app.people, word, body.get("password"), wanted)

    account = await POOL.run(redeem)  # it hashes: in turn with those who sign in
    app.knower.forget()
    return _account(account)


@router.post("/password", status_code=204, dependencies=[needs(P.OWN), logs("user.password")])
async def change_password(
    body: PasswordBody, app: AppDep, caller: CallerDep, request: Request
) -> None:
    """Change one's own password; one's other sessions and tokens end."""
    if caller.kind is not CallerKind.USER:
        raise RequestError("only users have passwords", hint="sign in first")
    old = check_text(body.get("old"), "old", 256)
    backoff = request.app.state.backoff
    backoff.check(caller.name, caller.address)
    account = await ANSWERS.run(app.people.get, caller.name)
    wrong = partial(backoff.wrong, caller.name, caller.address)
    if not await in_turn(account.password, old, wrong):
        raise NotKnown("old: is not the present password")
    backoff.right(caller.name, caller.address)
    await POOL.run(app.people.set_password, caller.name, body.get("new"), caller.session)
    app.knower.forget()


# -- sessions and tokens ---------------------------------------------------------------------------


@router.get("/sessions", responses=PAGED, dependencies=[needs(P.OWN)])
def list_sessions(app: AppDep, whose: WhoseDep, paged: PagedDep) -> list[ShownCredential]:
    """List sessions that count: where and when somebody signed in."""
    found = app.people.live(whose, "session")
    return [_shown(one) for one in paged.of(found, lambda one: one.credential_id)]


@router.get("/tokens", responses=PAGED, dependencies=[needs(P.OWN)])
def list_tokens(app: AppDep, whose: WhoseDep, paged: PagedDep) -> list[ShownCredential]:
    """List tokens that count."""
    found = app.people.live(whose, "token")
    return [_shown(one) for one in paged.of(found, lambda one: one.credential_id)]


@router.post("/tokens", status_code=201, dependencies=[needs(P.OWN), logs("token.add")])
def add_token(body: TokenBody, app: AppDep, gate: GateDep) -> ShownWord:
    """Make a token; its word is in this answer and nowhere else."""
    said = body.get("user")
    user = whose_of(gate, check_text(said, "user", 63) if said else None, P.ACCESS_WRITE)
    lasts_ns = parse_duration(body["lasts"], "lasts") if "lasts" in body else None
    only = body.get("only")
    limit = gate.entry.subject.only
    if limit is not None:  # a token makes none that may more
        only = _within(gate, only or sorted(limit), limit)
    return _word(*app.people.add_token(user, body.get("label", ""), only, lasts_ns))


def _within(gate: Gate, only: Iterable[object], limit: frozenset[P]) -> list[str]:
    """Return what a token is to be limited to, which is within what limits another.

    Raises: ``NotAllowed``; ``BadDocument``.
    """
    asked = [read_permission(one) for one in only]
    more = next((one for one in asked if one not in limit), None)
    if more is not None:
        gate.refuse(gate.decide(Everything(), more))
    return [one.value for one in asked]


@router.post(
    "/tokens/{token}/rotate", status_code=201, dependencies=[needs(P.OWN), logs("token.rotate")]
)
def rotate_token(token: str, body: RotateBody, app: AppDep, gate: GateDep) -> ShownWord:
    """Make a token that takes another's place; that one goes on to count for ``overlap``."""
    found = own_credential(app, gate, app.people.token(token).credential_id)
    limit = gate.entry.subject.only
    if limit is not None:  # the word of what may more is for who may as much
        _within(gate, found.only or sorted(ROLES[Role.ADMIN]), limit)
    overlap_ns = parse_duration(body.get("overlap", HOUR // 10**9), "overlap")
    made = app.people.rotate(token, overlap_ns)
    app.knower.forget()
    return _word(*made)


@router.delete(
    "/sessions/{session}", status_code=204, dependencies=[needs(P.OWN), logs("session.end")]
)
def end_session(session: str, app: AppDep, gate: GateDep) -> None:
    """End a session, or a token: it counts no more, on other nodes within seconds."""
    app.people.end(own_credential(app, gate, session).credential_id)
    app.knower.forget()


# -- users -----------------------------------------------------------------------------------------


@router.get("/users", responses=PAGED, dependencies=[needs(P.ACCESS_READ)])
def list_users(app: AppDep, paged: PagedDep) -> list[ShownAccount]:
    """List users and services, closed ones too."""
    found = app.catalog.accounts.all()
    return [_account(one) for one in paged.of(found, lambda one: one.name)]


@router.get("/users/{name}", dependencies=[needs(P.ACCESS_READ)])
def read_user(name: str, app: AppDep, response: Response) -> ShownAccount:
    """Read what a user or a service may; one that is closed is in the list alone.

    The ETag is the version of what it may.
    """
    return _tagged(response, app.people.get(name))


def _tagged(response: Response, account: Account) -> ShownAccount:
    response.headers["ETag"] = f'"{version_of(account)}"'
    return _account(account)


@router.put("/users/{name}", responses=ADDED, dependencies=[needs(P.ACCESS_WRITE)])
def write_user(
    name: str,
    body: AccountBody,
    app: AppDep,
    caller: CallerDep,
    response: Response,
    if_match: IfMatch = None,
    if_none_match: NewOnly = None,
) -> ShownAccount:
    """Add a user or a service, or change its grants; ``If-None-Match: *`` only adds (412).

    ``If-Match`` with the ETag that was read refuses to write over another's change (412).
    """
    kind, only_new = check_text(body.get("kind", USER), "kind", 64), if_none_match is not None
    grants = body.get("grants", [])
    with app.book.doing(caller, "user.set", Subject(name=name), grants=grants):
        known = app.catalog.accounts.get(name) if if_match is not None else None
        expected = "" if if_match is not None else None  # of one that there is none of: NotFound
        if known is not None:
            expected = meant_for(if_match, version_of(known), f"change user {name!r}")
        account, new = app.people.put(name, grants, kind, only_new=only_new, expected=expected)
    app.knower.forget()
    response.status_code = 201 if new else 200
    return _tagged(response, account)


@router.delete(
    "/users/{name}", status_code=204, dependencies=[needs(P.ACCESS_WRITE), logs("user.close")]
)
def close_user(name: str, app: AppDep) -> None:
    """Close an account: its sessions and tokens end, its name is never given again."""
    app.people.close(name)
    app.knower.forget()


@router.post(
    "/users/{name}/invitation",
    status_code=201,
    dependencies=[needs(P.ACCESS_WRITE), logs("user.invite")],
)
def invite_user(name: str, app: AppDep) -> ShownWord:
    """Make the word by which a user sets a password: within a day, once."""
    return _word(*invitations.invite(app.people, name))


# -- shapes ----------------------------------------------------------------------------------------


def _account(account: Account) -> ShownAccount:
    return cast(ShownAccount, show_account(account))


def _shown(one: Credential) -> ShownCredential:
    return cast(ShownCredential, show_credential(one))


def _word(word: str, made: Credential) -> ShownWord:
    return {"id": made.credential_id, "word": word, "expires": format_instant(made.expires, 0)}
