"""``recorder site``: the tree of sites, and how each is linked."""

from __future__ import annotations

import click

from recorder.audit.entry import Subject
from recorder.cli.context import Context, echo, emit, json_option, pass_context
from recorder.model.places import PARENT
from recorder.model.secrets import mask
from recorder.model.sizes import format_size
from recorder.model.timebase import SECOND, format_duration
from recorder.ports import SiteBeat
from recorder.sites.admitted import admit, advice, turned_away
from recorder.sites.tree import show_site

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
    app, now = context.app, context.app.clock.now()
    beats = app.catalog.sites.all()
    live = [hold for hold in app.catalog.holds.all() if hold.live(now)]
    pending = {
        beat.name: sum(
            1 for hold in live if beat.name not in app.catalog.holds.deliveries(hold.hold_id)
        )
        for beat in beats
        if beat.name != PARENT
    }
    away = turned_away(app.catalog, now)
    if as_json:
        shown = [
            {
                **show_site(beat, now, away.get(beat.name)),
                "holds_pending": pending.get(beat.name),
            }
            for beat in beats
        ]
        emit({"site": app.settings.site, "level": app.settings.level, "sites": shown})
        return
    parent = next((beat for beat in beats if beat.name == PARENT), None)
    if parent is not None:
        waiting, _ = app.catalog.outbox.depth()
        echo(
            f"{parent.facts.get('site') or parent.url} (parent, {parent.level})  "
            f"{_heard(parent, now)}; {waiting} changes to tell"
            f"{_aside(parent.facts.get('refused'), 'refused there')}"
            f"{_unsent(parent)}{_turned_away(parent)}"
        )
    indent = "  " if parent is not None else ""
    echo(f"{indent}{app.settings.site} ({app.settings.level}, this site)")
    _below(beats, "", indent + "  ", now, pending)
    for claim in away.values():
        echo(f"TURNED AWAY: {claim.why}, at {mask(claim.url) or 'no url'}")
        echo(f"  {advice(app.catalog, claim, now)}")


def _below(
    beats: list[SiteBeat], under: str, indent: str, now: int, pending: dict[str, int]
) -> None:
    for beat in beats:
        if beat.name == PARENT or str(beat.facts.get("parent", "")) != under:
            continue
        lag = beat.facts.get("lag_s", 0)
        backlog = ", ".join(
            f"{name} {counts['segments']} ({format_size(counts['bytes'])})"
            for name, counts in beat.facts.get("backlog", {}).items()
        )
        holds = f"; {pending[beat.name]} holds not delivered" if pending.get(beat.name) else ""
        echo(
            f"{indent}{beat.name} ({beat.level})  {_heard(beat, now)}; feed lag {lag:g} s"
            f"{'; backlog ' + backlog if backlog else ''}{_unsent(beat)}{holds}"
            f"{_aside(beat.facts.get('set_aside'), 'set aside')}"
        )
        _below(beats, beat.name, indent + "  ", now, pending)


def _turned_away(parent: SiteBeat) -> str:
    """Say that the parent takes nothing from this site."""
    said = parent.facts.get("turned_away")
    if not isinstance(said, dict):
        return ""
    return f"; TURNED AWAY: {said.get('why')}\n  {said.get('hint')}"


def _aside(said: object, what: str) -> str:
    """Say what was not taken in of the feed."""
    if not isinstance(said, dict):
        return ""
    why = ": ".join(str(said[key]) for key in ("what", "why") if key in said)
    return f"; {said.get('count')} things {what}, the last: {why}"


def _heard(beat: SiteBeat, now: int) -> str:
    silent = now - beat.at
    return "linked" if silent < REACHED else f"NOT HEARD for {format_duration(silent)}"


def _unsent(beat: SiteBeat) -> str:
    """Say what cannot be sent up, at this site or one below."""
    said = beat.facts.get("unsent")
    if not isinstance(said, dict) or not said:
        return ""
    return f"; {said.get('count')} segments cannot be sent up, the last: {said.get('why')}"


COMMANDS = (site,)
