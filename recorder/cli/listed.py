"""``recorder camera list``: every camera of this site and below, and how it does."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from recorder.cli.cameras import answers
from recorder.cli.context import Context, echo, emit, pass_context
from recorder.cli.options import json_option
from recorder.errors import RecorderError, RequestError
from recorder.model.counting import number_of
from recorder.model.timebase import (
    SECOND,
    Instant,
    format_duration,
    format_instant,
    parse_instant,
)
from recorder.sites import listing, survey

if TYPE_CHECKING:
    from recorder.api.shown_cameras import ShownCamera, ShownPresent

WATCH_S = 2.0


@click.command("list")
@click.option("--dark", is_flag=True, help="Only cameras that should be recorded and are not.")
@click.option(
    "--below/--own",
    default=True,
    show_default=True,
    help="Also those of sites below, or this site's alone.",
)
@click.option("--site", help="Only cameras of this site.")
@click.option("--group", help="Only cameras of this group.")
@click.option("--state", type=click.Choice([survey.DARK, *survey.STATES]), help="Only those in it.")
@click.option(
    "--search",
    "text",
    help="Only those whose name, site, group, label, location or notes have this text.",
)
@click.option("--watch", is_flag=True, help="Show it anew every two seconds, until Ctrl-C.")
@json_option
@pass_context
def list_(
    context: Context,
    dark: bool,
    below: bool,
    site: str | None,
    group: str | None,
    state: str | None,
    text: str | None,
    watch: bool,
    as_json: bool,
) -> None:
    """List cameras: how each does, since when, and why it is dark.

    Dark is what should be recorded now and is not: outside its timetable a camera is off.  Where
    a site below is not heard, its cameras are unknown.
    """
    if dark and state not in (None, survey.DARK):
        raise RequestError(f"--dark and --state {state}: give one of them")
    if watch and as_json:
        raise RequestError("--watch and --json: give one of them")
    asked = listing.Filter(site, group, survey.DARK if dark else state, text, below)
    if watch:
        _watch(context, asked)
        return
    found, chosen = answers(context).listed(asked)
    if as_json:
        emit(chosen)
    else:
        echo("\n".join(_lines(found, chosen, context.own_site(), context.now())))


def _watch(context: Context, asked: listing.Filter) -> None:
    """Show cameras anew all the time; once they were seen, whoever is away is waited for."""
    context.patience_s = WATCH_S
    whom, own, away = answers(context), context.own_site(), False
    for looks in itertools.count():
        try:
            found, chosen = whom.listed(asked)
            now = context.now()
        except RecorderError as exc:
            if not looks or not exc.retryable:
                raise
            if not away:  # one line; what was seen last stays above it
                echo(f"{exc}; asked again every {WATCH_S:g} s, until Ctrl-C")
            away = True
        else:
            away = False
            click.clear()
            echo("\n".join([format_instant(now, 0), *_lines(found, chosen, own, now)]))
        time.sleep(WATCH_S)
        context.look_again()


def _lines(
    found: Sequence[ShownCamera], chosen: Sequence[ShownCamera], own: str, now: Instant
) -> list[str]:
    if not found:
        return ["no cameras; add one: recorder camera add NAME URL"]
    lines = [
        f"{_named(one, own):32} {stream['stream']:8} {one['group']:12} {_said(one, stream, now)}"
        + (f'  "{one["label"]}"' if one["label"] else "")
        for one in chosen
        for stream in one["stream_states"]
    ]
    counts = Counter(one["present"]["state"] for one in found)
    said = ", ".join(f"{counts[state]} {state}" for state in survey.STATES if counts[state])
    dark = sum(one["present"]["dark"] for one in found)
    return [*lines, f"{number_of(len(found), 'camera')}, {dark} dark: {said}", *_advice(chosen)]


def _advice(chosen: Sequence[ShownCamera]) -> list[str]:
    """Say what can be done about each condition that keeps a camera dark."""
    streams = [stream for one in chosen for stream in one["stream_states"] if stream["dark"]]
    conditions = sorted({str(stream["condition"]) for stream in streams if stream["condition"]})
    if not conditions:
        return []
    from recorder.capture.lines import ADVICE

    return [f"hint: {one}: {ADVICE[one]}" for one in conditions if one in ADVICE]


def _named(one: ShownCamera, own: str) -> str:
    return one["name"] if one["site"] == own else f"{one['site']}/{one['name']}"


def _said(one: ShownCamera, stream: ShownPresent, now: Instant) -> str:
    """Say how a stream does in one line."""
    length = ""
    if stream["since"]:
        silent = max(0, now - parse_instant(stream["since"])) // SECOND * SECOND
        length = f" for {format_duration(silent) or '0s'}"
    reason = stream["condition"] or stream["cause"]
    why = ": ".join(text for text in (reason, stream["detail"]) if text)
    dark = "DARK " if stream["dark"] else ""
    told = one["state"].get(stream["stream"])
    habits = sorted(told["habits"]) if told is not None else []
    said = f"{dark}{stream['state']}{length}{f' ({why})' if why else ''}"
    return said + (f" [{', '.join(habits)}]" if habits else "")
