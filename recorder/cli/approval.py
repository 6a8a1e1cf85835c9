"""``recorder approval``: what one person asks to see or export, and another approves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from recorder.cli.approved import answers
from recorder.cli.context import Context, echo, emit, pass_context
from recorder.cli.options import json_option, range_options, site_option
from recorder.model.about import titled
from recorder.model.timebase import parse_duration

if TYPE_CHECKING:
    from recorder.api.shown import ShownApproval


@click.group()
def approval() -> None:
    """Four eyes: ask another person's approval; give, refuse or withdraw it."""


@approval.command("ask")
@click.argument("camera")
@range_options
@click.option(
    "--action",
    type=click.Choice(("footage.view", "footage.export")),
    default="footage.export",
    show_default=True,
    help="What is to be done.",
)
@click.option("--purpose", required=True, help="What it is for: the other must know.")
@site_option
@json_option
@pass_context
def approval_ask(
    context: Context,
    camera: str,
    start: str,
    end: str,
    action: str,
    purpose: str,
    site: str | None,
    as_json: bool,
) -> None:
    """Ask another person to approve a range of one camera; somebody has a day to answer.

    Asked with --server: on the node itself nothing needs an approval.
    """
    asked = context.range(start, end)
    named = camera if site is None or "/" in camera else f"{site}/{camera}"
    _tell(answers(context).ask(named, action, asked, purpose), as_json)


@approval.command("list")
@json_option
@pass_context
def approval_list(context: Context, as_json: bool) -> None:
    """List one's own requests and those that one may decide, the newest first."""
    shown = answers(context).all()
    if as_json:
        emit(shown)
        return
    if not shown:
        echo("no requests")
    for one in shown:
        echo(_line(one))


@approval.command("approve")
@click.argument("request_id")
@click.option("--lasts", default="1h", show_default=True, help="How long it counts.")
@json_option
@pass_context
def approval_approve(context: Context, request_id: str, lasts: str, as_json: bool) -> None:
    """Approve what somebody else asks for: that person, camera, range and act alone."""
    parse_duration(lasts, "lasts")
    _tell(answers(context).approve(request_id, lasts), as_json)


@approval.command("refuse")
@click.argument("request_id")
@click.option("--reason", default="", help="Why not.")
@json_option
@pass_context
def approval_refuse(context: Context, request_id: str, reason: str, as_json: bool) -> None:
    """Refuse what somebody else asks for; or end what was approved, at once."""
    _tell(answers(context).refuse(request_id, reason), as_json)


@approval.command("withdraw")
@click.argument("request_id")
@json_option
@pass_context
def approval_withdraw(context: Context, request_id: str, as_json: bool) -> None:
    """Take one's own request back; what was approved ends at once.  With --server."""
    _tell(answers(context).withdraw(request_id), as_json)


def _tell(one: ShownApproval, as_json: bool) -> None:
    if as_json:
        emit(one)
    else:
        echo(_line(one))


def _line(one: ShownApproval | Any) -> str:
    by = f" by {one['by']}" if one["by"] else ""
    why = f" ({one['reason']})" if one["reason"] else ""
    until = f", until {one['until']}" if one["state"] in ("asked", "approved") else ""
    camera = titled(one["camera"], one["label"])
    return (
        f"{one['id']}  {one['state']}{by}{why}{until}  {one['who']}: {one['action']} of "
        f"{camera}, {one['start']} to {one['end']}, for {one['purpose']}"
    )


COMMANDS = (approval,)
