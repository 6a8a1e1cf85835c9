"""``recorder user`` and ``access``: who may do what.

On the node itself, whoever may read the catalog's files may do all of it: file permissions are
the proof.  A server asks who it is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from recorder.cli.context import Context, echo, emit, pass_context
from recorder.cli.granting import AccessAnswers, answers
from recorder.cli.options import json_option, site_option
from recorder.cli.whom import named
from recorder.errors import RequestError, StaleVersion
from recorder.model.counting import number_of

if TYPE_CHECKING:
    from recorder.api.shown_people import ShownAccount

TRIES = 5
ROLE_NAMES = ("viewer", "officer", "platform", "admin", "auditor", "operator", "approver")


@click.group()
def user() -> None:
    """Add users and services, say what they may, close them."""


def _grant_options(command: Callable[..., object]) -> Callable[..., object]:
    """Add what makes one grant."""
    for option in (
        click.option(
            "--masked",
            is_flag=True,
            help="Footage only as copies with the camera's masks burnt in.",
        ),
        click.option(
            "--four-eyes",
            multiple=True,
            type=click.Choice(("footage.view", "footage.export")),
            help="Only with another person's approval, each time.",
        ),
        click.option("--purpose", is_flag=True, help="Only with a purpose that is said."),
        click.option("--clip", help="Only clips so long, such as 30m."),
        click.option("--back", help="Only footage so far back, such as 7d."),
        click.option("--camera", "of_cameras", multiple=True, help="Only this one; SITE/CAMERA."),
        click.option("--group", "groups", multiple=True, help="Only cameras of this group."),
        click.option("--site", "sites", multiple=True, help="Only cameras of this site."),
        click.option(
            "--role",
            "roles",
            multiple=True,
            type=click.Choice(ROLE_NAMES),
            help="A role, under these conditions.",
        ),
    ):
        command = option(command)
    return command


def _grants(
    context: Context, roles: tuple[str, ...], of_cameras: tuple[str, ...], **said: object
) -> list[dict[str, object]]:
    said["cameras"] = answers(context).cameras(of_cameras)
    conditions = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in said.items()
        if value
    }
    return [{"role": role, **conditions} for role in roles]


@user.command("add")
@click.argument("name")
@click.option("--admin", is_flag=True, help="May everything: --role admin.")
@click.option("--service", is_flag=True, help="A service, which has tokens and no password.")
@_grant_options
@json_option
@pass_context
def user_add(
    context: Context,
    /,
    name: str,
    admin: bool,
    service: bool,
    roles: tuple[str, ...],
    as_json: bool,
    **conditions: Any,
) -> None:
    """Add a user; a word is printed, once, by which it sets a password within a day.

    From the first user on everybody is asked who he is.
    """
    whom, wanted = answers(context), (*roles, "admin") if admin else roles
    if not wanted:
        raise RequestError(f"user {name}: has no role", hint="such as --role viewer, or --admin")
    kind = "service" if service else "user"
    whom.add(name, _grants(context, wanted, **conditions), kind)
    word = "" if service else whom.invite(name)["word"]
    if as_json:
        emit({"name": name, "kind": kind, "word": word or None})
        return
    echo(f"{kind} {name} is {', '.join(wanted)}")
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
def user_grant(
    context: Context,
    /,
    name: str,
    more: bool,
    roles: tuple[str, ...],
    as_json: bool,
    **conditions: Any,
) -> None:
    """Say anew what a user may; without --role: nothing."""
    whom, wanted = answers(context), _grants(context, roles, **conditions)
    changed = _granted(whom, name, wanted) if more else None
    if changed is None:
        changed = whom.grant(name, wanted, whom.user(name)["kind"])
    if as_json:
        emit({"name": name, "grants": changed["grants"]})
    else:
        echo(f"{name} has {number_of(len(changed['grants']), 'grant')}")


def _granted(whom: AccessAnswers, name: str, more: list[dict[str, object]]) -> ShownAccount:
    """Add to what one may; what another admin adds at the same time stays.

    Raises: ``StaleVersion`` when others change it without end.
    """
    for left in reversed(range(TRIES)):
        account = whom.user(name)
        grants = [{**one} for one in account["grants"]] + more
        try:
            return whom.grant(name, grants, account["kind"], account["version"])
        except StaleVersion:
            if not left:
                raise
    raise AssertionError("unreachable")


@user.command("list")
@json_option
@pass_context
def user_list(context: Context, as_json: bool) -> None:
    """List users and services, and what they may."""
    found = answers(context).users()
    if as_json:
        emit(found)
        return
    for one in found:
        roles = ", ".join(_said(grant) for grant in one["grants"]) or "nothing"
        state = "closed" if one["closed"] else "" if one["password"] else "no password yet"
        state = state if one["kind"] == "user" or one["closed"] else "service"
        echo(f"{one['name']:24} {roles}{'  (' + state + ')' if state else ''}")


def _said(grant: Mapping[str, object]) -> str:
    rest = {name: value for name, value in grant.items() if name != "role"}
    return str(grant["role"]) + (f" {rest}" if rest else "")


@user.command("invite")
@click.argument("name")
@json_option
@pass_context
def user_invite(context: Context, name: str, as_json: bool) -> None:
    """Print a word by which a user sets a password anew, once and within a day."""
    made = answers(context).invite(name)
    if as_json:
        emit({"name": name, "word": made["word"], "expires": made["expires"]})
    else:
        _tell_word(made["word"])


@user.command("redeem")
@click.option("--name", help="Name of the first admin; others have theirs already.")
@json_option
@pass_context
def user_redeem(context: Context, name: str | None, as_json: bool) -> None:
    """Set a password with the word of an invitation; both are asked for, or two lines of input."""
    word, password = asked("Word", "Password")
    account = answers(context).redeem(word, password, name)
    if as_json:
        emit({"name": account["name"]})
    else:
        echo(f"{account['name']} has a password, and can sign in")


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
    answers(context).close(name)
    if as_json:
        emit({"closed": name})
    else:
        echo(f"{name} is closed")


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
def access_explain(
    context: Context,
    user: str,
    action: str,
    camera: str | None,
    purpose: str,
    site: str | None,
    as_json: bool,
) -> None:
    """Say whether USER may do ACTION (such as footage.view) now, on CAMERA or on all, and why."""
    meant = named(camera, site) if camera is not None else None
    found = answers(context).explain(user, action, meant, purpose)
    if as_json:
        emit(found)
    else:
        echo(f"{'yes' if found['allowed'] else 'no'}: {found['reason']}")


@access.command("roles")
@json_option
@pass_context
def access_roles(context: Context, as_json: bool) -> None:
    """List the roles, and the permissions of each."""
    shown = answers(context).roles()
    if as_json:
        emit(shown)
        return
    for role, found in shown.items():
        echo(f"{role:10} {', '.join(found)}")


COMMANDS = (user, access)
