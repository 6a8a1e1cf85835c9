"""``recorder hold`` and ``point``: what must stay, and what raises events."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

import click

from recorder.cli.context import Context, echo, emit, pass_context
from recorder.cli.marked import answers
from recorder.cli.options import json_option, range_options, site_option
from recorder.model.about import titles
from recorder.model.checks import check_text
from recorder.model.counting import number_of
from recorder.model.sizes import format_size
from recorder.model.timebase import format_instant

if TYPE_CHECKING:
    from recorder.model.shown import ShownPoint


@click.group()
def hold() -> None:
    """Hold footage: nothing in a hold is deleted, whatever policy says."""


@hold.command("add")
@click.argument("cameras", nargs=-1, required=True)
@site_option
@range_options
@click.option("--case", required=True, help="Name or number of the case.")
@click.option("--reason", required=True, help="Why it must stay.")
@click.option("--owner", default=getpass.getuser, help="Who answers for it; by default you.")
@click.option("--expires", help="When it ends by itself; by default never.")
@click.option("--id", "hold_id", help="Its id; the same hold again changes nothing then.")
@json_option
@pass_context
def hold_add(
    context: Context,
    cameras: tuple[str, ...],
    start: str,
    end: str,
    case: str,
    reason: str,
    owner: str,
    expires: str | None,
    hold_id: str | None,
    site: str | None,
    as_json: bool,
) -> None:
    """Hold a range of one camera or more, at once."""
    asked = context.range(start, end)
    body: dict[str, object] = {
        "cameras": list(cameras),
        "start": format_instant(asked.start, 9),
        "end": format_instant(asked.end, 9),
        "case": case,
        "reason": reason,
        "owner": owner,
    }
    if expires is not None:
        body["expires"] = format_instant(context.instant(expires, "expires"), 9)
    if hold_id is not None:
        body["id"] = hold_id
    shown = answers(context).hold(body, site)
    if as_json:
        emit(shown)
        return
    echo(f"hold {shown['id']}: case {case}")
    for one in shown["streams"]:
        gone = one["purged_before_seconds"]
        lost = f"; {gone:g} s of it were deleted before" if gone else ""
        size = f"{number_of(one['segments'], 'segment')}, {format_size(one['bytes'])}"
        echo(f"  {one['stream']}: {size}{lost}")
    for note in shown.get("notes", ()):
        echo(f"note: {note}")


@hold.command("list")
@click.option("--all", "every", is_flag=True, help="Released and expired ones, too.")
@json_option
@pass_context
def hold_list(context: Context, every: bool, as_json: bool) -> None:
    """List what holds now, newest first."""
    shown = answers(context).holds(every=every)
    if as_json:
        emit(shown)
        return
    if not shown:
        echo("no holds" if every else "nothing is held; --all lists what was")
    for one in shown:
        echo(
            f"{one['id']}  {one['state']:8} {titles(one['cameras'], one['labels'])}  "
            f"{one['start']} to {one['end']}  case {one['case']}, {one['owner']}: {one['reason']}"
        )


@hold.command("release")
@click.argument("hold_id")
@click.option("--by", default=getpass.getuser, help="Who lets it go; by default you.")
@json_option
@pass_context
def hold_release(context: Context, hold_id: str, by: str, as_json: bool) -> None:
    """Release a hold; its record stays, and policy decides again."""
    check_text(by, "by", 256)
    answers(context).release(hold_id, by)
    if as_json:
        emit({"released": hold_id})
    else:
        echo(f"hold {hold_id} released")


@click.group()
def point() -> None:
    """Alarm points and vehicle checkpoints: their events concern the cameras they are linked to."""


@point.command("add")
@click.argument("name")
@click.option("--kind", help="By default as it is, or alarm.")
@click.option("--camera", "cameras", multiple=True, required=True, help="May be given often.")
@site_option
@click.option("--pre", help="Footage before an event; by default as it is, or 10s.")
@click.option("--post", help="Footage after it; by default as it is, or 30s.")
@json_option
@pass_context
def point_add(
    context: Context,
    /,
    name: str,
    cameras: tuple[str, ...],
    site: str | None,
    as_json: bool,
    **given: str | None,
) -> None:
    """Add a point, or link one to other cameras; what else is not named stays as it is."""
    whom, named = answers(context), {key: value for key, value in given.items() if value}
    if len(named) < len(given):
        was = next((one for one in whom.points() if one["name"] == name), None)
        if was is not None:
            named = {"kind": was["kind"], "pre": was["pre"], "post": was["post"], **named}
    shown = whom.put_point(name, {"cameras": list(cameras), **named}, site)
    if as_json:
        emit(shown)
        return
    linked = titles(shown["cameras"], shown["labels"])
    echo(f"point {name} ({_said(shown)}) is linked to {linked}")


def _said(shown: ShownPoint) -> str:
    return f"{shown['kind']}, {shown['pre']} before, {shown['post']} after"


@point.command("list")
@json_option
@pass_context
def point_list(context: Context, as_json: bool) -> None:
    """List points."""
    shown = answers(context).points()
    if as_json:
        emit(shown)
    for one in () if as_json else shown:
        echo(f"{one['name']:24} {_said(one):40} {titles(one['cameras'], one['labels'])}")


@point.command("remove")
@click.argument("name")
@json_option
@pass_context
def point_remove(context: Context, name: str, as_json: bool) -> None:
    """Remove a point; its events stay."""
    answers(context).remove_point(name)
    if as_json:
        emit({"removed": name})
    else:
        echo(f"point {name} removed")


COMMANDS = (hold, point)
