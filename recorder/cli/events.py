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


attribute_option = click.option(
    "--attribute",
    "attributes",
    multiple=True,
    metavar="NAME=TEXT",
    help="An attribute; without a text it goes.  May be given often.",
)


@event.command("add")
@click.option("--camera", help="Camera it happened at.")
@site_option
@click.option("--point", help="Alarm point or checkpoint it came from.")
@click.option("--kind", help="motion, alarm, checkpoint, manual; by default the point's.")
@click.option("--at", default="now", show_default=True, help="When it was, or began.")
@click.option("--end", help="When it ended; by default it was a moment.")
@click.option("--pre", help="Footage before it that it touches; by default the point's, or 10s.")
@click.option("--post", help="Footage after it; by default the point's, or 30s.")
@attribute_option
@click.option("--id", "event_id", help="Sending the same one again changes nothing.")
@json_option
@pass_context
def event_add(
    context: Context,
    /,
    at: str,
    event_id: str | None,
    attributes: tuple[str, ...],
    site: str | None,
    as_json: bool,
    **given: str | None,
) -> None:
    """Report an event."""
    body: dict[str, object] = {key: value for key, value in given.items() if value is not None}
    if event_id is not None:
        body["id"] = event_id
    if given["end"] is not None:
        body["start"] = format_instant(context.instant(at, "at"), 9)
        body["end"] = format_instant(context.instant(given["end"], "end"), 9)
    elif at != "now":
        body["at"] = format_instant(context.instant(at, "at"), 9)
    if attributes:
        body["attributes"] = {name: text for name, text in _named(attributes).items() if text}
    shown, new = answers(context).report(body, site)
    if as_json:
        emit(shown)
    else:
        echo(f"event {shown['id']} {'recorded' if new else 'was known already'}")
    for one in shown.get("warnings", ()):
        click.echo(f"recorder: {one}", err=True)


def _named(attributes: tuple[str, ...]) -> dict[str, str | None]:
    """Read ``NAME=TEXT``; one without a text is ``None``."""
    parted = (one.partition("=") for one in attributes)
    return {name: text or None for name, _, text in parted}


@event.command("list")
@click.option("--camera", multiple=True, help="Only what touches it; may be given often.")
@site_option
@click.option("--kind", help="Only of this kind.")
@range_options
@json_option
@pass_context
def event_list(
    context: Context,
    camera: tuple[str, ...],
    site: str | None,
    kind: str | None,
    start: str,
    end: str,
    as_json: bool,
) -> None:
    """List the events whose footage touches a range."""
    if site is not None and not camera:
        raise RequestError("--site: goes with --camera")
    found = answers(context).events(context.range(start, end), camera, site, kind)
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
@attribute_option
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
        patch["attributes"] = _named(attributes)
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
