"""``recorder event``: what happened, reported, listed, changed, removed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from recorder.cli.context import Context, echo, emit, pass_context
from recorder.cli.marked import answers
from recorder.cli.options import json_option, range_options, site_option
from recorder.errors import RequestError
from recorder.model.about import titles
from recorder.model.timebase import format_instant, parse_instant

if TYPE_CHECKING:
    from recorder.model.shown import ShownEvent


@click.group()
def event() -> None:
    """Report, list, change and remove events: motion, alarms, checkpoints."""


@event.command("add")
@click.option("--camera", help="Camera it happened at.")
@site_option
@click.option("--point", help="Alarm point or checkpoint it came from.")
@click.option("--kind", help="motion, alarm, checkpoint, manual; by default the point's.")
@click.option("--at", default="now", show_default=True)
@click.option("--id", "event_id", help="Sending the same one again changes nothing.")
@json_option
@pass_context
def event_add(
    context: Context,
    camera: str | None,
    point: str | None,
    kind: str | None,
    at: str,
    event_id: str | None,
    site: str | None,
    as_json: bool,
) -> None:
    """Report an event."""
    when = None if at == "now" else format_instant(context.instant(at, "at"), 9)
    given = {"camera": camera, "point": point, "kind": kind, "id": event_id, "at": when}
    body: dict[str, object] = {key: value for key, value in given.items() if value is not None}
    shown, new = answers(context).report(body, site)
    if as_json:
        emit(shown)
    else:
        echo(f"event {shown['id']} {'recorded' if new else 'was known already'}")


@event.command("list")
@click.option("--camera", multiple=True, help="Only what touches it; may be given often.")
@site_option
@range_options
@json_option
@pass_context
def event_list(
    context: Context,
    camera: tuple[str, ...],
    site: str | None,
    start: str,
    end: str,
    as_json: bool,
) -> None:
    """List the events whose footage touches a range."""
    if site is not None and not camera:
        raise RequestError("--site: goes with --camera")
    found = answers(context).events(context.range(start, end), camera, site)
    if as_json:
        emit(found)
        return
    for one in found:
        at = format_instant(parse_instant(one["start"]), 3)
        echo(f"{at}  {one['kind']:10} {one['source']}  ({titles(one['cameras'], one['labels'])})")


@event.command("show")
@click.argument("event_id", metavar="ID")
@json_option
@pass_context
def event_show(context: Context, event_id: str, as_json: bool) -> None:
    """Show an event: when it was, what it touches."""
    _tell(answers(context).event(event_id), as_json)


@event.command("change")
@click.argument("event_id", metavar="ID")
@click.option("--kind", help="motion, alarm, checkpoint, manual.")
@click.option("--start", help="When it began.")
@click.option("--end", help="When it ended: an alarm that goes on.")
@click.option("--pre", help="Footage before it that it touches, such as 10s.")
@click.option("--post", help="Footage after it.")
@click.option(
    "--attribute",
    "attributes",
    multiple=True,
    metavar="NAME=TEXT",
    help="An attribute; without a text it goes.  May be given often.",
)
@json_option
@pass_context
def event_change(
    context: Context,
    /,
    event_id: str,
    attributes: tuple[str, ...],
    as_json: bool,
    **given: str | None,
) -> None:
    """Change an event of this site; policy keeps what it touches then."""
    patch: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    for key in ("start", "end"):
        if key in patch:
            patch[key] = format_instant(context.instant(patch[key], key), 9)
    if attributes:
        named = (one.partition("=") for one in attributes)
        patch["attributes"] = {name: text or None for name, _, text in named}
    if not patch:
        raise RequestError("nothing to change", hint="such as --end now; see --help")
    _tell(answers(context).change_event(event_id, patch), as_json)


@event.command("remove")
@click.argument("event_id", metavar="ID")
@json_option
@pass_context
def event_remove(context: Context, event_id: str, as_json: bool) -> None:
    """Remove an event of this site: policy forgets what it touched."""
    answers(context).remove_event(event_id)
    if as_json:
        emit({"removed": event_id})
    else:
        echo(f"event {event_id} removed")


def _tell(shown: ShownEvent, as_json: bool) -> None:
    if as_json:
        emit(shown)
        return
    echo(f"event {shown['id']}: {shown['kind']} of {shown['source']} at {shown['site']}")
    echo(f"  was      {shown['start']} to {shown['end']}")
    echo(f"  touches  {shown['touched_start']} to {shown['touched_end']}")
    echo(f"  cameras  {titles(shown['cameras'], shown['labels'])}")
    for name, value in sorted(shown["attributes"].items()):
        echo(f"  {name}: {value if isinstance(value, str) else json.dumps(value)}")


COMMANDS = (event,)
