"""``recorder hold``, ``event`` and ``point``: what must stay, and what happened."""

from __future__ import annotations

import getpass
from typing import Any

import click

from recorder.audit.entry import Subject
from recorder.cli.context import (
    Context,
    echo,
    emit,
    json_option,
    pass_context,
    range_options,
    site_option,
)
from recorder.clock import new_id
from recorder.errors import NotFound, RequestError
from recorder.janitor.holding import place, release, show_with_footage
from recorder.logbook.subjects import event_subject, hold_details, hold_subject
from recorder.model.checks import check_text
from recorder.model.events import parse_event, parse_point, show_event, show_point
from recorder.model.holds import parse_hold, show_hold
from recorder.model.keys import read_camera_id
from recorder.model.sizes import format_size
from recorder.model.timebase import format_instant
from recorder.reading.named import read_asked


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
def hold_add(context: Context, cameras: tuple[str, ...], start: str, end: str, case: str,
             reason: str, owner: str, expires: str | None, hold_id: str | None,
             site: str | None,
             as_json: bool) -> None:  # fmt: skip
    """Hold a range of one camera or more, at once."""
    app, asked = context.app, context.range(start, end)
    body: dict[str, Any] = {
        "cameras": list(app.cameras_of(cameras, site)), "start": format_instant(asked.start, 9),
        "end": format_instant(asked.end, 9), "case": case, "reason": reason, "owner": owner,
    }  # fmt: skip
    if expires is not None:
        body["expires"] = format_instant(context.instant(expires, "expires"), 9)
    if hold_id is not None:
        body["id"] = hold_id
    now = app.clock.now()
    wanted = parse_hold(body, new_id(), now)
    with context.doing("hold.add", hold_subject(wanted), **hold_details(wanted)):
        held, _ = place(app.catalog.holds, wanted)
    shown = show_with_footage(app.catalog, held, now)
    if as_json:
        emit(shown)
        return
    echo(f"hold {held.hold_id}: case {case}")
    for one in shown["streams"]:
        gone = one["purged_before_seconds"]
        lost = f"; {gone:g} s of it were deleted before" if gone else ""
        echo(f"  {one['stream']}: {one['segments']} segments, {format_size(one['bytes'])}{lost}")


@hold.command("list")
@json_option
@pass_context
def hold_list(context: Context, as_json: bool) -> None:
    """List all holds, released and expired ones too, newest first."""
    now = context.app.clock.now()
    shown = [show_hold(one, now) for one in context.app.catalog.holds.all()]
    if as_json:
        emit(shown)
        return
    if not shown:
        echo("no holds")
    for one in shown:
        echo(
            f"{one['id']}  {one['state']:8} {','.join(one['cameras'])}  {one['start']} "
            f"to {one['end']}  case {one['case']}, {one['owner']}: {one['reason']}"
        )


@hold.command("release")
@click.argument("hold_id")
@click.option("--by", default=getpass.getuser, help="Who lets it go; by default you.")
@json_option
@pass_context
def hold_release(context: Context, hold_id: str, by: str, as_json: bool) -> None:
    """Release a hold; its record stays, and policy decides again."""
    check_text(by, "by", 256)
    with context.doing("hold.release", Subject(name=hold_id), by=by):
        release(context.app.catalog, hold_id, by, context.app.clock.now())
    if as_json:
        emit({"released": hold_id})
    else:
        echo(f"hold {hold_id} released")


@click.group()
def event() -> None:
    """Report and list events: motion, alarms, checkpoints."""


@event.command("add")
@click.option("--camera", help="Camera it happened at.")
@site_option
@click.option("--point", help="Alarm point or checkpoint it came from.")
@click.option("--kind", help="motion, alarm, checkpoint, manual; by default the point's.")
@click.option("--at", default="now", show_default=True)
@click.option("--id", "event_id", help="Sending the same one again changes nothing.")
@json_option
@pass_context
def event_add(context: Context, camera: str | None, point: str | None, kind: str | None,
              at: str, event_id: str | None, site: str | None, as_json: bool) -> None:  # fmt: skip
    """Report an event."""
    app = context.app
    found = app.catalog.points.get(point) if point else None
    if point and found is None:
        raise NotFound(f"no point {point!r}", hint="recorder point list shows those there are")
    body: dict[str, Any] = {"at": format_instant(context.instant(at, "at"), 9)}
    if camera is not None:
        camera = str(read_asked(camera, site))
    given = {"camera": camera, "point": point, "kind": kind, "id": event_id}
    body |= {key: value for key, value in given.items() if value is not None}
    made = parse_event(body, found, new_id(), app.settings.site, app.clock.now())
    made = app.touched_by(made, by_point=found is not None)
    with context.doing("event.add", event_subject(made), kind=made.kind):
        new = app.catalog.events.add(made, None)
    if as_json:
        emit(show_event(made))
    else:
        echo(f"event {made.event_id} {'recorded' if new else 'was known already'}")


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
    cameras = [read_camera_id(one) for one in context.app.cameras_of(camera, site)]
    found = context.app.catalog.events.touching(context.range(start, end), cameras)
    if as_json:
        emit([show_event(one) for one in found])
        return
    for one in found:
        echo(
            f"{format_instant(one.range.start, 3)}  {one.kind:10} {one.source}  "
            f"({', '.join(one.cameras)})"
        )


@click.group()
def point() -> None:
    """Alarm points and vehicle checkpoints: their events concern the cameras they are linked to."""


@point.command("add")
@click.argument("name")
@click.option("--kind", default="alarm", show_default=True)
@click.option("--camera", "cameras", multiple=True, required=True, help="May be given often.")
@site_option
@click.option("--pre", default="10s", show_default=True, help="Footage before an event.")
@click.option("--post", default="30s", show_default=True, help="Footage after it.")
@json_option
@pass_context
def point_add(context: Context, name: str, kind: str, cameras: tuple[str, ...], pre: str,
              post: str, site: str | None, as_json: bool) -> None:  # fmt: skip
    """Add or change a point."""
    linked = list(context.app.cameras_of(cameras, site, ahead=True))
    body = {"kind": kind, "cameras": linked, "pre": pre, "post": post}
    made = parse_point(name, body)
    with context.doing("point.set", Subject(name=name), cameras=linked):
        stored = context.app.catalog.points.put(made)
    if as_json:
        emit(show_point(stored))
    else:
        echo(f"point {name} is linked to {', '.join(stored.cameras)}")


@point.command("list")
@json_option
@pass_context
def point_list(context: Context, as_json: bool) -> None:
    """List points."""
    shown = [show_point(one) for one in context.app.catalog.points.all()]
    if as_json:
        emit(shown)
    for one in () if as_json else shown:
        echo(f"{one['name']:24} {one['kind']:10} {', '.join(one['cameras'])}")


@point.command("remove")
@click.argument("name")
@json_option
@pass_context
def point_remove(context: Context, name: str, as_json: bool) -> None:
    """Remove a point; its events stay."""
    with context.doing("point.remove", Subject(name=name)):
        if not context.app.catalog.points.delete(name):
            hint = "recorder point list shows those there are"
            raise NotFound(f"no point {name!r}", hint=hint)
    if as_json:
        emit({"removed": name})
    else:
        echo(f"point {name} removed")


COMMANDS = (hold, event, point)
