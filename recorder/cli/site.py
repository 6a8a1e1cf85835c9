"""``recorder site``: the tree of sites, and how each is linked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from recorder.audit.entry import Subject
from recorder.cli.context import Context, echo, emit, pass_context
from recorder.cli.linked import answers
from recorder.cli.options import json_option
from recorder.errors import RecorderError, RequestError
from recorder.model.counting import number_of
from recorder.model.sizes import format_size
from recorder.model.timebase import SECOND, Instant, format_duration, parse_instant

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
    answers(context).admit(name, catalog)
    if as_json:
        emit({"site": name, "catalog": catalog})
    else:
        echo(f"site {name} is the one with catalog {catalog} from now on")


@site.command("invite")
@click.argument("name")
@json_option
@pass_context
def site_invite(context: Context, name: str, as_json: bool) -> None:
    """Print a word by which the site NAME joins this one, once and within a day."""
    made = answers(context).invite(name)
    if as_json:
        emit({"site": name, "word": made["word"], "expires": made["expires"]})
        return
    echo(
        f"at site {name} say `recorder site join`, and there this word, shown now and never again:"
    )
    echo(made["word"])


@site.command("join")
@json_option
@pass_context
def site_join(context: Context, as_json: bool) -> None:
    """Join the parent with the word that it printed; it is asked for, or a line of input.

    From then on this site proves with a key of its own that it is the one.
    """
    from recorder.cli.access import asked
    from recorder.sites.joining import join

    app, settings = context.app, context.settings
    if not settings.parent:
        raise RequestError("this site has no parent", hint="name it in the setting `parent`")
    (word,) = asked("Word")
    with context.doing("site.join", Subject(settings.site)):
        name = join(app.catalog, app.clock, app.signer, settings.parent, settings.site, word)
    if as_json:
        emit({"parent": name, "site": settings.site})
    else:
        echo(f"site {settings.site} has joined {name}, and signs what it says from now on")


@site.command("expel")
@click.argument("name")
@json_option
@pass_context
def site_cast_out(context: Context, name: str, as_json: bool) -> None:
    """Cast a site below out: nothing that is signed with its keys counts any more."""
    count = answers(context).expel(name)
    if as_json:
        emit({"cast_out": name, "keys": count})
    else:
        echo(f"site {name} is cast out; what it sent stays")


@site.command("remove")
@click.argument("name")
@click.option(
    "--lose", is_flag=True, help="Also where footage is nowhere else: gaps `lost` remain of it."
)
@json_option
@pass_context
def site_remove(context: Context, name: str, lose: bool, as_json: bool) -> None:
    """Forget a site below that never comes back, and those below it; give up what lies there.

    What of its footage lies here and above stays.  Refused while it is heard, and, without --lose,
    while it alone has footage.  If it comes back after all, it is a new site, and tells all it has.
    """
    done = answers(context).remove_site(name, lose=lose)
    if as_json:
        emit(done)
        return
    copies, lost = number_of(done["copies"], "copy"), number_of(done["lost"], "segment")
    had = f"; {copies} there" if done["copies"] else ""
    gaps = f", {lost} of them nowhere else: gaps `lost`" if done["lost"] else ""
    echo(f"site {name} is no more{had}{gaps}")


def _show(context: Context, as_json: bool) -> None:
    own, level, sites = context.own_site(), context.own_level(), answers(context).sites()
    if as_json:
        emit({"site": own, "level": level, "sites": sites})
        return
    parent = next((one for one in sites if one["relation"] == "parent"), None)
    if parent is not None:
        known = f"parent, {parent['level']}" if parent["level"] else "parent"
        echo(
            f"{parent['site'] or parent['url']} ({known})  "
            f"{_heard(parent)}; {number_of(parent['to_tell'] or 0, 'change')} to tell"
            f"{_aside(parent['facts'].get('refused'), 'refused there')}"
            f"{_unsent(parent)}{_turned_away(parent)}{_unlawful(parent)}"
        )
    indent = "  " if parent is not None else ""
    echo(f"{indent}{own} ({level}, this site)")
    _below(sites, "", indent + "  ", context.now())
    for one in sites:
        claim = one["turned_away"]
        if claim is not None:
            echo(f"TURNED AWAY: {claim['why']}, at {claim['url'] or 'no url'}")
            echo(f"  {claim['advice']}")


def _below(sites: list[ShownSite], under: str, indent: str, now: Instant) -> None:
    for one in sites:
        if one["relation"] == "parent" or (one["under"] or "") != under:
            continue
        lag = one["facts"].get("lag_s", 0)
        backlog = ", ".join(
            f"{name} {counts['segments']} ({format_size(counts['bytes'])})"
            for name, counts in one["facts"].get("backlog", {}).items()
        )
        pending = one["holds_pending"]
        holds = f"; {number_of(pending, 'hold')} not delivered" if pending else ""
        echo(
            f"{indent}{one['site']} ({one['level']})  {_heard(one)}; feed lag {lag:g} s"
            f"{'; backlog ' + backlog if backlog else ''}{_unsent(one)}{holds}"
            f"{_unlawful(one)}"
            f"{_aside(one['facts'].get('set_aside'), 'set aside')}"
            f"{standing_said(one['facts'], now)}"
        )
        _below(sites, one["site"] or "", indent + "  ", now)


def standing_said(facts: Mapping[str, object], now: Instant) -> str:
    """Say how access stands at a site, and until when its certificate counts, as far as it says.

    >>> standing_said({"access": {"on": True, "admins": 0, "ending": 2}}, 0)
    '; access on, NO ADMIN CAN SIGN IN, 2 tokens end soon'
    """
    said, access, end = "", facts.get("access"), facts.get("certificate_end")
    if isinstance(access, Mapping):
        said += "; access on" if access.get("on") else "; access OFF"
        if access.get("on") and not access.get("admins"):
            said += ", NO ADMIN CAN SIGN IN"
        if access.get("ending"):
            said += f", {number_of(access['ending'], 'token ends', 'tokens end')} soon"
    if isinstance(end, str):
        try:
            over = parse_instant(end) <= now
        except RecorderError:
            return f"{said}; certificate {end}"
        said += f"; CERTIFICATE ENDED {end[:10]}" if over else f"; certificate until {end[:10]}"
    return said


def _unlawful(one: ShownSite) -> str:
    """Say that the policy from above is not in force at a site."""
    said = one["facts"].get("policy_refused")
    return f"; POLICY REFUSED there: {said}" if said else ""


def _turned_away(parent: ShownSite) -> str:
    """Say that the parent takes nothing from this site."""
    said = parent["facts"].get("turned_away")
    if not isinstance(said, dict):
        why = parent["facts"].get("one_store")
        return f"; NOTHING IS SENT UP: {why}" if why else ""
    return f"; TURNED AWAY: {said.get('why')}\n  {said.get('hint')}"


def _aside(said: object, what: str) -> str:
    """Say what was not taken in of the feed."""
    if not isinstance(said, dict):
        return ""
    why = ": ".join(str(said[key]) for key in ("what", "why") if key in said)
    return f"; {number_of(said.get('count', 0), 'thing')} {what}, the last: {why}"


def _heard(one: ShownSite) -> str:
    silent = round(one["silent_seconds"] * SECOND)
    if isinstance(one["facts"].get("turned_away"), dict):  # by the parent
        return "NOT LINKED"
    return "linked" if silent < REACHED else f"NOT HEARD for {format_duration(silent)}"


def _unsent(one: ShownSite) -> str:
    """Say what cannot be sent up, at this site or one below."""
    said = one["facts"].get("unsent")
    if not isinstance(said, dict) or not said:
        return ""
    many = number_of(said.get("count", 0), "segment")
    return f"; {many} cannot be sent up, the last: {said.get('why')}"


COMMANDS = (site,)
