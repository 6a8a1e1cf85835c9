"""``recorder policy``: what is kept where and for how long, seen before it is done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml

from policies.document import schema
from policies.presets import PRESETS
from recorder.cli.context import Context, echo, emit, pass_context
from recorder.cli.deciding import answers
from recorder.cli.files import read_text
from recorder.cli.finding import Wanted
from recorder.cli.options import json_option, stream_option
from recorder.errors import BadDocument
from recorder.model.counting import number_of
from recorder.model.sizes import format_size
from recorder.model.timebase import (
    MINUTE,
    TimeRange,
    format_duration,
    format_instant,
    parse_instant,
)
from recorder.model.yaml_text import read_yaml

if TYPE_CHECKING:
    from recorder.api.shown_policy import ShownDryRun

file_argument = click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
file_option = click.option(
    "--file",
    "-f",
    type=click.Path(exists=True, path_type=Path, dir_okay=False),
    help="Use this document instead of the one in force, and say what it changes.",
)


@click.group()
def policy() -> None:
    """Set, explain, try and apply the policy: what is kept, for how long, what travels."""


def _read(path: Path) -> dict[str, object]:
    body = read_yaml(read_text(path), str(path))
    if not isinstance(body, dict):
        raise BadDocument(f"{path}: must be a mapping")
    return body


@policy.command("check")
@file_argument
@json_option
@pass_context
def check(context: Context, file: Path, as_json: bool) -> None:
    """Check a document, and whether this node's stores have room for it; nothing is changed."""
    found = answers(context).check(_read(file))
    if as_json:
        emit(found)
        return
    echo(f"{file}: {number_of(len(found['rules']), 'rule')}, no mistakes")
    for name, lines in found["room"].items():
        for line in lines:
            echo(f"  store {name}: {line}")
    for note in found["notes"]:
        echo(f"note: {note}")


@policy.command("set")
@file_argument
@json_option
@pass_context
def set_(context: Context, file: Path, as_json: bool) -> None:
    """Put a document in force, as a new version."""
    body, whom = _read(file), answers(context)
    version = whom.put(body)
    if as_json:
        emit({"version": version})
    else:
        echo(f"policy is now version {version}")
        for note in whom.check(body)["notes"]:
            echo(f"note: {note}")


@policy.command("show")
@json_option
@pass_context
def show(context: Context, as_json: bool) -> None:
    """Show the document in force."""
    shown = answers(context).show()
    if as_json:
        emit(shown)
        return
    echo(f"# version {shown['version']}, by {shown['author']}, {shown['at']}")
    click.echo(yaml.safe_dump(shown["body"], sort_keys=False), nl=False)


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
    runs = answers(context).plan(_read(file) if file else None)
    if as_json:
        emit(runs)
        return
    for run in runs:
        _print(run)


def _print(one: ShownDryRun) -> None:
    echo(
        f"store {one['store']}: would condemn {number_of(one['segments'], 'segment')}, "
        f"{format_size(one['bytes'])}, {one['camera_days']:.3f} camera-days; keeps {one['kept']}"
    )
    if one["condemned"]:
        going = f"{number_of(one['condemned'], 'segment')}, {format_size(one['condemned_bytes'])}"
        echo(f"  condemned already, and rightly so: {going}")
    if one["spared"]:
        echo(f"  would take back {number_of(one['spared'], 'mark')}: {one['spared_reason']}")
    if one["change"] is not None:
        echo(f"  against what is in force: {one['change']['said']}")
        for camera, days in list(one["change"]["by_camera"].items())[:10]:
            echo(f"    {camera}: {days:.3g} days sooner")
    _print_actions(one)
    for why, count in one["waiting"].items():
        many = number_of(count, "segment past its age stays", "segments past their age stay")
        echo(f"  {many}: {why}")
    for warning in one["warnings"]:
        echo(f"  WARNING: {warning}")
    if one["stopped"]:
        echo(f"  STOPPED: {one['stopped']}; recorder policy apply --yes carries it out")


def _print_actions(one: ShownDryRun) -> None:
    for action in [*one["actions"][:20], *one["thin"][:5], *one["move"][:5]]:
        start = format_instant(parse_instant(action["start"]), 0)
        echo(f"  {start} {action['stream']}  {action['rule']}: {action['reason']}")
    if one["thin_segments"]:
        size = format_size(one["thin_bytes"])
        echo(f"  would thin {number_of(one['thin_segments'], 'segment')}, {size}")
    if one["move_segments"]:
        size = format_size(one["move_bytes"])
        into = ", ".join(sorted({each["to"] for each in one["move"]}))
        echo(f"  would move {number_of(one['move_segments'], 'segment')}, {size}, into {into}")
    for name, counts in one["send"].items():
        first = next(each["rule"] for each in one["transfers"] if each["class"] == name)
        echo(
            f"  would send up {number_of(counts['segments'], 'segment')}, "
            f"{format_size(counts['bytes'])}, class {name}; first: {first}"
        )
    if one["segments"] > 20:
        echo(f"  … and {one['segments'] - 20} more (--json lists a thousand)")


@policy.command("apply")
@click.option("--yes", is_flag=True, help="Carry out a plan that blast_radius stopped.")
@json_option
@pass_context
def apply_(context: Context, yes: bool, as_json: bool) -> None:
    """Condemn what the policy lets go; it is deleted when the grace has passed.

    A store that does not answer (exit code 75), or refuses (78: its keys, this machine's clock), is
    left out and named; the others are done.  One whose plan blast_radius stopped is exit code 75.
    """
    done = answers(context).apply(stopped_too=yes)
    if as_json:
        emit(done)
    else:
        _print_done(done, yes=yes)
    left_out = [counts for counts in done.values() if counts["left_out"]]
    if left_out or any(counts["stopped"] for counts in done.values()):
        later = all(counts["retryable"] for counts in left_out)
        click.get_current_context().exit(75 if later else 78)  # EX_TEMPFAIL, EX_CONFIG


def _print_done(done: dict[str, Any], *, yes: bool) -> None:
    for name, counts in done.items():
        if counts["left_out"]:
            echo(f"store {name}: LEFT OUT: {counts['left_out']}")
            if counts["hint"]:
                echo(f"  hint: {counts['hint']}")
            continue
        echo(
            f"store {name}: condemned {counts['condemned']}, taken back {counts['spared']}, "
            f"thinned {counts['thinned']}, moved {counts['moved']}, purged {counts['purged']}"
        )
        if counts["stopped"]:
            helps = "--yes does not change that" if yes else "--yes carries it out, if it may"
            echo(f"  STOPPED: {counts['stopped']}; {helps}")


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
    moment = context.instant(at, "at")
    found = answers(context).explain(
        Wanted(camera, stream, site, TimeRange(moment, moment + 1)), moment
    )
    if as_json:
        emit(found)
        return
    segment = found["segment"]
    echo(f"segment {segment}" if segment else f"no segment of {camera} then")
    for line in found["said"]:
        echo(f"  {line}")


@policy.command("forecast")
@file_option
@json_option
@pass_context
def forecast(context: Context, file: Path | None, as_json: bool) -> None:
    """Say when each store is full, and which streams then miss their minimum."""
    found = answers(context).forecast(_read(file) if file else None)
    if as_json:
        emit(found)
        return
    now = context.now()
    for one in found:
        day, steady = format_size(one["bytes_per_day"]), format_size(one["steady_bytes"])
        echo(f"store {one['store']}: {day} a day, {steady} in the end")
        if one["usable_bytes"] is None:
            if not one["said"]:
                echo("  the store does not say how large it is")
        elif one["full_at"] is None:
            echo(f"  fits: {format_size(one['usable_bytes'])} are usable")
        else:
            left = max(0, parse_instant(one["full_at"]) - now) // MINUTE * MINUTE
            echo(f"  full on {one['full_at']}, in {format_duration(left)}")
        if one["reach_days"] is not None:
            echo(f"  footage then reaches {one['reach_days']:.1f} days back")
        for line in one["said"]:
            echo(f"  {line}")


@policy.command("log")
@click.option("--limit", default=50, show_default=True)
@json_option
@pass_context
def log(context: Context, limit: int, as_json: bool) -> None:
    """Show the newest deletion records."""
    entries = answers(context).log(limit)
    if as_json:
        emit(entries)
        return
    for one in entries:
        echo(
            f"{one['at']}  {one['action']:8} {one['place']}  {one['key']}  "
            f"{one['rule']} (version {one['document_version']}): {one['reason']}"
        )


COMMANDS = (policy,)
