"""``recorder token``: what services show, and who has signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from recorder.cli.context import Context, echo, emit, pass_context
from recorder.cli.granting import answers
from recorder.cli.options import json_option

if TYPE_CHECKING:
    from recorder.api.shown_people import ShownWord


@click.group()
def token() -> None:
    """Give services tokens, rotate and end them."""


@token.command("add")
@click.argument("user")
@click.option("--label", default="", help="What it is for.")
@click.option("--only", multiple=True, help="A permission, such as footage.view; may be repeated.")
@click.option("--lasts", help="By default 90d; api.limits.token at most.")
@json_option
@pass_context
def token_add(
    context: Context, user: str, label: str, only: tuple[str, ...], lasts: str | None, as_json: bool
) -> None:
    """Print a token of a user or service, once."""
    _tell(answers(context).add_token(user, label, only, lasts), as_json)


def _tell(made: ShownWord, as_json: bool) -> None:
    if as_json:
        emit(made)
    else:
        echo(f"token {made['id']}, until {made['expires']}; it is shown now and never again:")
        echo(made["word"])


@token.command("rotate")
@click.argument("token_id")
@click.option("--overlap", default="1h", show_default=True, help="So long the old one counts.")
@json_option
@pass_context
def token_rotate(context: Context, token_id: str, overlap: str, as_json: bool) -> None:
    """Print a token that takes another's place; that one goes on to count for a while."""
    _tell(answers(context).rotate(token_id, overlap), as_json)


@token.command("list")
@click.option("--sessions", is_flag=True, help="Who has signed in, instead.")
@json_option
@pass_context
def token_list(context: Context, sessions: bool, as_json: bool) -> None:
    """List tokens that count, of all users; never what they are."""
    shown = answers(context).tokens(sessions=sessions)
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
    answers(context).end(token_id)
    if as_json:
        emit({"ended": token_id})
    else:
        echo(f"{token_id} counts no more")


COMMANDS = (token,)
