"""``recorder user``, ``token`` and ``access``: who may do what, on the node itself.

Whoever may read the catalog's files may do all of it: file permissions are the proof.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from recorder.audit.entry import Subject
from recorder.cli.context import Context, echo, emit, json_option, pass_context, site_option
from recorder.errors import RequestError, StateError
from recorder.model.timebase import format_instant, parse_duration

ROLE_NAMES = ("viewer", "officer", "platform", "admin", "auditor", "operator")


@click.group()
def user() -> None:
    """Add users and services, say what they may, close them."""


def _grant_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what makes one grant."""
    for option in (
        click.option("--purpose", is_flag=True, help="Only with a purpose that is said."),
        click.option("--clip", help="Only clips so long, such as 30m."),
        click.option("--back", help="Only footage so far back, such as 7d."),
        click.option("--camera", "of_cameras", multiple=True, help="Only this one; SITE/CAMERA."),
        click.option("--group", "groups", multiple=True, help="Only cameras of this group."),
        click.option("--site", "sites", multiple=True, help="Only cameras of this site."),
        click.option("--role", "roles", multiple=True, type=click.Choice(ROLE_NAMES),
                     help="A role, under these conditions."),
    ):  # fmt: skip
        command = option(command)
    return command


def _grants(
    context: Context, roles: tuple[str, ...], of_cameras: tuple[str, ...], **said: Any
) -> list[dict[str, Any]]:
    said["cameras"] = context.app.cameras_of(of_cameras, ahead=True)  # a name alone: of this site
    conditions = {name: list(value) if isinstance(value, tuple) else value
                  for name, value in said.items() if value}  # fmt: skip
    return [{"role": role, **conditions} for role in roles]


@user.command("add")
@click.argument("name")
@click.option("--admin", is_flag=True, help="May everything: --role admin.")
@click.option("--service", is_flag=True, help="A service, which has tokens and no password.")
@_grant_options
@json_option
@pass_context
def user_add(context: Context, /, name: str, admin: bool, service: bool, roles: tuple[str, ...],
             as_json: bool, **conditions: Any) -> None:  # fmt: skip
    """Add a user; a word is printed, once, by which it sets a password within a day.

    From the first user on everybody is asked who he is.
    """
    people = context.app.people
    wanted = (*roles, "admin") if admin else roles
    if not wanted:
        raise RequestError(f"user {name}: has no role", hint="such as --role viewer, or --admin")
    if context.app.catalog.accounts.get(name) is not None:
        raise StateError(f"user {name!r}: there is, or was, one", hint="recorder user grant, list")
    grants, kind = _grants(context, wanted, **conditions), "service" if service else "user"
    with context.doing("user.set", Subject(name=name), grants=grants):
        account = people.put(name, grants, kind)[0]
        word = "" if service else people.invite(account.name)[0]
    if as_json:
        emit({"name": name, "kind": account.kind, "word": word or None})
        return
    echo(f"{account.kind} {name} is {', '.join(wanted)}")
    if service:
        echo(f"give it a token: recorder token add {name}")
    else:
        _tell_word(word)


def _tell_word(word: str) -> None:
    echo("the word of the invitation, shown now and never again; it counts once, for a day:")
    echo(word)
    echo("a password is set with it: recorder user redeem, or POST /api/v1/access/redeem")


@user.command("grant")
@click.argument("name")
@click.option("--add", "more", is_flag=True, help="Besides the grants there are.")
@_grant_options
@json_option
@pass_context
def user_grant(context: Context, /, name: str, more: bool, roles: tuple[str, ...], as_json: bool,
               **conditions: Any) -> None:  # fmt: skip
    """Say anew what a user may; without --role: nothing."""
    people = context.app.people
    account = people.get(name)
    before = [dict(one) for one in account.grants] if more else []
    grants = before + _grants(context, roles, **conditions)
    with context.doing("user.set", Subject(name=name), grants=grants):
        changed, _ = people.put(name, grants, account.kind)
    if as_json:
        emit({"name": name, "grants": [dict(one) for one in changed.grants]})
    else:
        echo(f"{name} has {len(changed.grants)} grants")


@user.command("list")
@json_option
@pass_context
def user_list(context: Context, as_json: bool) -> None:
    """List users and services, and what they may."""
    from recorder.accounts.people import show_account

    found = [show_account(one) for one in context.app.catalog.accounts.all()]
    if as_json:
        emit(found)
        return
    for one in found:
        roles = ", ".join(_said(grant) for grant in one["grants"]) or "nothing"
        state = "closed" if one["closed"] else "" if one["password"] else "no password yet"
        state = state if one["kind"] == "user" or one["closed"] else "service"
        echo(f"{one['name']:24} {roles}{'  (' + state + ')' if state else ''}")


def _said(grant: dict[str, Any]) -> str:
    rest = {name: value for name, value in grant.items() if name != "role"}
    return str(grant["role"]) + (f" {rest}" if rest else "")


@user.command("invite")
@click.argument("name")
@json_option
@pass_context
def user_invite(context: Context, name: str, as_json: bool) -> None:
    """Print a word by which a user sets a password anew, once and within a day."""
    with context.doing("user.invite", Subject(name=name)):
        word, made = context.app.people.invite(name)
    if as_json:
        emit({"name": name, "word": word, "expires": format_instant(made.expires, 0)})
    else:
        _tell_word(word)


@user.command("redeem")
@click.option("--name", help="Name of the first admin; others have theirs already.")
@json_option
@pass_context
def user_redeem(context: Context, name: str | None, as_json: bool) -> None:
    """Set a password with the word of an invitation; both are asked for, or two lines of input."""
    word, password = asked("Word", "Password")
    people = context.app.people
    with context.doing("user.redeem", Subject(name=people.invited(word) or name or "")):
        account = people.redeem(word, password, name)
    if as_json:
        emit({"name": account.name})
    else:
        echo(f"{account.name} has a password, and can sign in")


def asked(*what: str) -> list[str]:
    """Ask for secrets: never as arguments, which others see."""
    if sys.stdin.isatty():
        return [click.prompt(one, hide_input=True, err=True) for one in what]
    return [sys.stdin.readline().rstrip("\n") for _ in what]


@user.command("close")
@click.argument("name")
@json_option
@pass_context
def user_close(context: Context, name: str, as_json: bool) -> None:
    """Close an account: its sessions and tokens end, its name is never given again."""
    with context.doing("user.close", Subject(name=name)):
        context.app.people.close(name)
    if as_json:
        emit({"closed": name})
    else:
        echo(f"{name} is closed")


# -- tokens and sessions ---------------------------------------------------------------------------


@click.group()
def token() -> None:
    """Give services tokens, rotate and end them."""


@token.command("add")
@click.argument("user")
@click.option("--label", default="", help="What it is for.")
@click.option("--only", multiple=True, help="A permission, such as footage.view; may be repeated.")
@click.option("--lasts", default="90d", show_default=True, help="At most 400d.")
@json_option
@pass_context
def token_add(context: Context, user: str, label: str, only: tuple[str, ...], lasts: str,
              as_json: bool) -> None:  # fmt: skip
    """Print a token of a user or service, once."""
    lasts_ns = parse_duration(lasts, "lasts")
    with context.doing("token.add", Subject(name=user), only=list(only)):
        word, made = context.app.people.add_token(user, label, list(only) or None, lasts_ns)
    _tell_token(word, made, as_json)


def _tell_token(word: str, made: Any, as_json: bool) -> None:
    expires = format_instant(made.expires, 0)
    if as_json:
        emit({"id": made.credential_id, "word": word, "expires": expires})
    else:
        echo(f"token {made.credential_id}, until {expires}; it is shown now and never again:")
        echo(word)


@token.command("rotate")
@click.argument("token_id")
@click.option("--overlap", default="1h", show_default=True, help="So long the old one counts.")
@json_option
@pass_context
def token_rotate(context: Context, token_id: str, overlap: str, as_json: bool) -> None:
    """Print a token that takes another's place; that one goes on to count for a while."""
    with context.doing("token.rotate", Subject(name=token_id)):
        made = context.app.people.rotate(token_id, parse_duration(overlap, "overlap"))
    _tell_token(*made, as_json)


@token.command("list")
@click.option("--sessions", is_flag=True, help="Who has signed in, instead.")
@json_option
@pass_context
def token_list(context: Context, sessions: bool, as_json: bool) -> None:
    """List tokens that count, of all users; never what they are."""
    from recorder.accounts.people import show_credential

    found = context.app.people.live(None, "session" if sessions else "token")
    shown = [show_credential(one) for one in found]
    if as_json:
        emit(shown)
        return
    for one in shown:
        only = f"  only {', '.join(one['only'])}" if one["only"] else ""
        used = f"used {one['used']}" if one["used"] else "never used"
        echo(f"{one['id']}  {one['user']:16} until {one['expires']}, {used}{only}  {one['label']}")


@token.command("end")
@click.argument("token_id")
@json_option
@pass_context
def token_end(context: Context, token_id: str, as_json: bool) -> None:
    """End a token or a session; nodes that run notice within seconds."""
    with context.doing("session.end", Subject(name=token_id)):
        context.app.people.end(token_id)
    if as_json:
        emit({"ended": token_id})
    else:
        echo(f"{token_id} counts no more")


# -- why -------------------------------------------------------------------------------------------


@click.group()
def access() -> None:
    """Say who may do what, and why."""


@access.command("explain")
@click.argument("user")
@click.argument("action")
@click.argument("camera", required=False)
@click.option("--purpose", default="", help="What would be said that it is for.")
@site_option
@json_option
@pass_context
def access_explain(context: Context, user: str, action: str, camera: str | None, purpose: str,
                   site: str | None, as_json: bool) -> None:  # fmt: skip
    """Say whether USER may do ACTION (such as footage.view) now, on CAMERA or on all, and why."""
    from recorder.access.decide import Circumstances
    from recorder.accounts.explained import explain
    from recorder.accounts.known import subject_of

    app = context.app
    meant = app.cameras_of([camera], site)[0] if camera is not None else None
    subject, when = subject_of(app.people.get(user)), Circumstances(app.clock.now(), purpose)
    (found,) = explain(subject, app.catalog.cameras, action, meant, when)
    if as_json:
        emit(found)
    else:
        echo(f"{'yes' if found['allowed'] else 'no'}: {found['reason']}")


@access.command("roles")
@json_option
@pass_context
def access_roles(_: Context, as_json: bool) -> None:
    """List the roles, and the permissions of each."""
    from recorder.access.permissions import ROLES

    shown = {role.value: sorted(one.value for one in found) for role, found in ROLES.items()}
    if as_json:
        emit(shown)
        return
    for role, found in shown.items():
        echo(f"{role:10} {', '.join(found)}")


COMMANDS = (user, token, access)
