"""``recorder policy``: what is kept where and for how long, seen before it is done."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

import click
import yaml

from policies.document import Policy, schema
from policies.doubts import notes
from policies.forecast import shortcomings
from policies.presets import PRESETS
from policies.read import parse_policy
from recorder.audit.entry import Subject
from recorder.cli.context import Context, echo, emit, json_option, pass_context, stream_option
from recorder.errors import BadDocument, NotFound
from recorder.janitor import advise, apply
from recorder.janitor.margins import room_said
from recorder.logbook.subjects import document_details
from recorder.model.sizes import format_size
from recorder.model.timebase import DAY, MINUTE, format_duration, format_instant
from recorder.model.yaml_text import read_yaml

file_argument = click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
file_option = click.option(
    "--file", "-f", type=click.Path(exists=True, path_type=Path, dir_okay=False),
    help="Use this document instead of the one in force, and say what it changes.",
)  # fmt: skip


@click.group()
def policy() -> None:
    """Set, explain, try and apply the policy: what is kept, for how long, what travels."""


def _read(path: Path) -> dict[str, Any]:
    try:
        body = read_yaml(path.read_text(), str(path))
    except UnicodeDecodeError as exc:
        raise BadDocument(f"{path}: is not UTF-8") from exc
    if not isinstance(body, dict):
        raise BadDocument(f"{path}: must be a mapping")
    return body


def _in_force(context: Context) -> Policy:
    found = apply.policy_in_force(context.app.catalog.documents)
    if found is None:
        raise NotFound(
            "no policy is set: nothing is ever deleted", hint="recorder policy set FILE"
        )  # fmt: skip
    return found


@policy.command("check")
@file_argument
@json_option
@pass_context
def check(context: Context, file: Path, as_json: bool) -> None:
    """Check a document, and whether this node's stores have room for it; nothing is changed."""
    found = parse_policy(_read(file))
    settings = context.settings
    said: dict[str, list[str]] = {}
    if settings.catalog or (settings.data / "catalog.db").exists():  # else nothing is recorded here
        app = context.app
        said = room_said(app.catalog, app.planned_stores, found, settings.level, app.clock.now(),
                         app.grace_ns)  # fmt: skip
    if as_json:
        rules = [rule.name for rule in found.rules]
        emit({"ok": True, "rules": rules, "room": said, "notes": notes(found)})
        return
    echo(f"{file}: {len(found.rules)} rules, no mistakes")
    for name, lines in said.items():
        for line in lines:
            echo(f"  store {name}: {line}")
    for note in notes(found):
        echo(f"note: {note}")


@policy.command("set")
@file_argument
@json_option
@pass_context
def set_(context: Context, file: Path, as_json: bool) -> None:
    """Put a document in force, as a new version."""
    body, app = _read(file), context.app
    found = parse_policy(body)
    with context.doing("policy.set", Subject(name="policy"), **document_details(body)):
        stored = app.catalog.documents.put("policy", body, getpass.getuser(), app.clock.now())
    if as_json:
        emit({"version": stored.version})
    else:
        echo(f"policy is now version {stored.version}")
        for note in notes(found, app.levels):
            echo(f"note: {note}")


@policy.command("show")
@json_option
@pass_context
def show(context: Context, as_json: bool) -> None:
    """Show the document in force."""
    _in_force(context)
    document = context.app.catalog.documents.newest("policy")
    assert document is not None  # noqa: S101 - it is in force
    at = format_instant(document.at, 3)
    if as_json:
        emit(
            {"version": document.version, "author": document.author, "at": at,
             "body": document.body}
        )  # fmt: skip
        return
    echo(f"# version {document.version}, by {document.author}, {at}")
    click.echo(yaml.safe_dump(dict(document.body), sort_keys=False), nl=False)


@policy.command("schema")
@click.option("--json", "_json", is_flag=True, help="It is JSON always.")
def schema_(_json: bool) -> None:
    """Print the JSON Schema of the document."""
    emit(schema())


@policy.command("preset")
@click.argument("name", type=click.Choice(sorted(PRESETS)))
@json_option
def preset(name: str, as_json: bool) -> None:
    """Print a document to begin with."""
    if as_json:
        emit(PRESETS[name])
    else:
        click.echo(yaml.safe_dump(PRESETS[name], sort_keys=False), nl=False)


@policy.command("plan")
@file_option
@json_option
@pass_context
def plan(context: Context, file: Path | None, as_json: bool) -> None:
    """Show what would be deleted, by which rule and why; nothing is done."""
    app = context.app
    proposed = parse_policy(_read(file)) if file else None
    if proposed is None:
        _in_force(context)
    runs = [
        run
        for part in app.settings.all_stores
        if not part.readonly
        and (run := advise.dry_run(
            app.catalog, app.stores[part.name], proposed, app.settings.level, app.clock.now(),
            app.grace_ns,
        ))
    ]  # fmt: skip
    if as_json:
        emit([advise.show_dry_run(run) for run in runs])
        return
    for run in runs:
        _print(run)


def _print(run: advise.DryRun) -> None:
    one = run.plan
    echo(
        f"store {one.store}: would condemn {len(one.actions)} segments, "
        f"{format_size(one.bytes_going)}, {one.camera_days:.3f} camera-days; keeps {one.kept}"
    )
    if one.condemned:
        going = format_size(sum(each.size_bytes for each in one.condemned))
        echo(f"  condemned already, and rightly so: {len(one.condemned)} segments, {going}")
    if one.spares:
        echo(f"  would take back {len(one.spares)} marks: {one.spares[0].reason}")
    if run.change is not None:
        echo(f"  against the document in force: {run.change.said}")
        for camera, days in list(run.change.by_camera.items())[:10]:
            echo(f"    {camera}: {days:.3g} days sooner")
    _print_actions(run)
    for why, count in one.waiting.items():
        echo(f"  {count} segments past their age stay: {why}")
    for warning in one.warnings:
        echo(f"  WARNING: {warning}")
    if one.stopped:
        echo(f"  STOPPED: {one.stopped}; recorder policy apply --yes carries it out")


def _print_actions(run: advise.DryRun) -> None:
    one = run.plan
    for action in one.actions[:20]:
        span = f"{format_instant(action.start, 0)} {action.stream}"
        echo(f"  {span}  {action.rule}: {action.reason}")
    for thin in one.thins[:5]:
        echo(f"  {format_instant(thin.start, 0)} {thin.stream}  {thin.rule}: {thin.reason}")
    if one.thins:
        echo(f"  would thin {len(one.thins)} segments, {format_size(one.bytes_thinned)}")
    for name, counts in advise.by_class(run.transfers).items():
        echo(
            f"  would send up {counts['segments']} segments, {format_size(counts['bytes'])}, "
            f"class {name}; first: {next(t for t in run.transfers if t.class_ == name).rule}"
        )
    if len(one.actions) > 20:
        echo(f"  … and {len(one.actions) - 20} more (--json lists a thousand)")


@policy.command("apply")
@click.option("--yes", is_flag=True, help="Carry out a plan that blast_radius stopped.")
@json_option
@pass_context
def apply_(context: Context, yes: bool, as_json: bool) -> None:
    """Condemn what the policy lets go; it is deleted when the grace has passed."""
    _in_force(context)
    from recorder import jobs  # capture and all, which no other command here needs

    with context.doing("policy.apply", Subject(name="policy"), stopped_too=yes):
        done = jobs.apply_policy(context.app, stopped_too=yes)
    if as_json:
        emit(done)
        return
    for name, counts in done.items():
        echo(
            f"store {name}: condemned {counts['condemned']}, taken back {counts['spared']}, "
            f"thinned {counts['thinned']}, purged {counts['purged']}"
        )
        if counts["stopped"]:
            echo(f"  STOPPED: {counts['stopped']}; --yes carries it out")


@policy.command("explain")
@click.argument("camera")
@click.option("--at", required=True, help="A moment: RFC 3339, or relative to now such as -3d.")
@stream_option
@json_option
@pass_context
def explain(
    context: Context, camera: str, at: str, stream: str | None, site: str | None, as_json: bool
) -> None:
    """Say why the footage of a moment is there and when it goes, or why it is not there."""
    app = context.app
    moment = context.instant(at, "at")
    segment, said = advise.explain_moment(app, camera, stream, moment, site)
    if as_json:
        emit({"camera": camera, "at": format_instant(moment), "segment": segment, "said": said})
        return
    echo(f"segment {segment}" if segment else f"no segment of {camera} then")
    for line in said:
        echo(f"  {line}")


@policy.command("forecast")
@file_option
@json_option
@pass_context
def forecast(context: Context, file: Path | None, as_json: bool) -> None:
    """Say when each store is full, and which streams then miss their minimum."""
    app, now = context.app, context.app.clock.now()
    found = parse_policy(_read(file)) if file else _in_force(context)
    all_found = [
        advise.forecast_of(
            app.catalog,
            app.stores[part.name],
            found,
            app.settings.level,
            now,
            app.grace_ns,
        )
        for part in app.settings.all_stores
        if not part.readonly
    ]
    if as_json:
        emit([advise.show_forecast(one) for one in all_found])
        return
    for one in all_found:
        echo(
            f"store {one.store}: {format_size(round(one.bytes_per_day))} a day, "
            f"{format_size(round(one.steady_bytes))} in the end"
        )
        if one.usable_bytes is None:
            echo("  the store does not say how large it is")
        elif one.full_at is None:
            echo(f"  fits: {format_size(round(one.usable_bytes))} are usable")
        else:
            left = max(0, one.full_at - now) // MINUTE * MINUTE
            echo(f"  full on {format_instant(one.full_at, 0)}, in {format_duration(left)}")
        if one.reach_ns is not None:
            echo(f"  footage then reaches {one.reach_ns / DAY:.1f} days back")
        for line in shortcomings(one, app.grace_ns):
            echo(f"  {line}")


@policy.command("log")
@click.option("--limit", default=50, show_default=True)
@json_option
@pass_context
def log(context: Context, limit: int, as_json: bool) -> None:
    """Show the newest deletion records."""
    entries = [advise.show_entry(entry) for entry in context.app.catalog.audit.newest(limit)]
    if as_json:
        emit(entries)
        return
    for one in entries:
        echo(
            f"{one['at']}  {one['action']:8} {one['place']}  {one['key']}  "
            f"{one['rule']} (version {one['document_version']}): {one['reason']}"
        )


COMMANDS = (policy,)
