"""``recorder site``: the tree of sites, and how each is linked."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import click

from recorder.audit.entry import Subject
from recorder.cli.context import Context, echo, emit, json_option, pass_context
from recorder.model.sizes import format_size
from recorder.model.timebase import SECOND, format_duration
from recorder.sites.admitted import admit
from recorder.sites.tree import show_tree

if TYPE_CHECKING:
    from recorder.api.shown import ShownSite

REACHED = 15 * SECOND


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def site(ctx: click.Context, as_json: bool) -> None:
    """Show the tree of sites: who is heard from, feed lag, backlog, holds not delivered."""
    if ctx.invoked_subcommand is None:
        _show(ctx.obj, as_json)


@site.command("admit")
@click.argument("name")
@click.argument("catalog")
@json_option
@pass_context
def site_admit(context: Context, name: str, catalog: str, as_json: bool) -> None:
    """Give the name of a site below to the one that was turned away with CATALOG.

    As for a site that has lost its catalog, or was restored from a backup: it is another one to
    its parent, which took what it knows from the one before.
    """
    with context.doing("site.admit", Subject(name), catalog=catalog):
        admit(context.app.catalog, name, catalog, context.app.clock.now())
    if as_json:
        emit({"site": name, "catalog": catalog})
    else:
        echo(f"site {name} is the one with catalog {catalog} from now on")


def _show(context: Context, as_json: bool) -> None:
    if context.client is not None:
        told = context.client.answering()
        own, level, sites = told["site"], told["level"], context.client.sites()
    else:
        own, level = context.settings.site, context.settings.level
        app = context.app
        sites = cast("list[ShownSite]", show_tree(app.catalog, app.clock.now()))
    if as_json:
        emit({"site": own, "level": level, "sites": sites})
        return
    parent = next((one for one in sites if one["relation"] == "parent"), None)
    if parent is not None:
        echo(
            f"{parent['site'] or parent['url']} (parent, {parent['level']})  "
            f"{_heard(parent)}; {parent['to_tell']} changes to tell"
            f"{_aside(parent['facts'].get('refused'), 'refused there')}"
            f"{_unsent(parent)}{_turned_away(parent)}"
        )
    indent = "  " if parent is not None else ""
    echo(f"{indent}{own} ({level}, this site)")
    _below(sites, "", indent + "  ")
    for one in sites:
        claim = one["turned_away"]
        if claim is not None:
            echo(f"TURNED AWAY: {claim['why']}, at {claim['url'] or 'no url'}")
            echo(f"  {claim['advice']}")


def _below(sites: list[ShownSite], under: str, indent: str) -> None:
    for one in sites:
        if one["relation"] == "parent" or (one["under"] or "") != under:
            continue
        lag = one["facts"].get("lag_s", 0)
        backlog = ", ".join(
            f"{name} {counts['segments']} ({format_size(counts['bytes'])})"
            for name, counts in one["facts"].get("backlog", {}).items()
        )
        pending = one["holds_pending"]
        holds = f"; {pending} holds not delivered" if pending else ""
        echo(
            f"{indent}{one['site']} ({one['level']})  {_heard(one)}; feed lag {lag:g} s"
            f"{'; backlog ' + backlog if backlog else ''}{_unsent(one)}{holds}"
            f"{_aside(one['facts'].get('set_aside'), 'set aside')}"
        )
        _below(sites, one["site"] or "", indent + "  ")


def _turned_away(parent: ShownSite) -> str:
    """Say that the parent takes nothing from this site."""
    said = parent["facts"].get("turned_away")
    if not isinstance(said, dict):
        return ""
    return f"; TURNED AWAY: {said.get('why')}\n  {said.get('hint')}"


def _aside(said: object, what: str) -> str:
    """Say what was not taken in of the feed."""
    if not isinstance(said, dict):
        return ""
    why = ": ".join(str(said[key]) for key in ("what", "why") if key in said)
    return f"; {said.get('count')} things {what}, the last: {why}"


def _heard(one: ShownSite) -> str:
    silent = round(one["silent_seconds"] * SECOND)
    return "linked" if silent < REACHED else f"NOT HEARD for {format_duration(silent)}"


def _unsent(one: ShownSite) -> str:
    """Say what cannot be sent up, at this site or one below."""
    said = one["facts"].get("unsent")
    if not isinstance(said, dict) or not said:
        return ""
    return f"; {said.get('count')} segments cannot be sent up, the last: {said.get('why')}"


COMMANDS = (site,)
