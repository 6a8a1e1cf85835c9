"""``recorder policy``: how long footage is kept, seen before it is done."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

import click
import yaml

from policies.document import parse_retention
from policies.plan import Plan, by_rule
from recorder.cli.context import Context, emit, json_option, pass_context
from recorder.errors import BadDocument, NotFound
from recorder.janitor import apply
from recorder.model.timebase import DAY, format_instant


@click.group()
def policy() -> None:
    """Set, show, plan and apply the retention policy."""


def _read(path: Path) -> dict[str, Any]:
    try:
        body = yaml.safe_load(path.read_text())
    except yaml.YAMLError as exc:
        raise BadDocument(f"{path}: {exc}") from exc
    if not isinstance(body, dict):
        raise BadDocument(f"{path}: must be a mapping")
    return body


@policy.command("set")
@click.argument("file", type=click.Path(exists=True, path_type=Path, dir_okay=False))
@json_option
@pass_context
def set_(context: Context, file: Path, as_json: bool) -> None:
    """Put a retention document in force, as a new version."""
    body = _read(file)
    parse_retention(body)
    app = context.app
    stored = app.catalog.put_document("retention", body, getpass.getuser(), app.clock.now())
    if as_json:
        emit({"version": stored.version})
    else:
        click.echo(f"retention is now version {stored.version}")


@policy.command("show")
@json_option
@pass_context
def show(context: Context, as_json: bool) -> None:
    """Show the retention document in force."""
    document = context.app.catalog.document("retention")
    if document is None:
        raise NotFound("no retention is set: nothing is ever deleted", hint="recorder policy set")
    at = format_instant(document.at, 3)
    if as_json:
        emit(
            {"version": document.version, "author": document.author, "at": at,
             "body": document.body}
        )  # fmt: skip
        return
    click.echo(f"# version {document.version}, by {document.author}, {at}")
    click.echo(yaml.safe_dump(dict(document.body), sort_keys=False), nl=False)


@policy.command("plan")
@click.option("--file", "-f", type=click.Path(exists=True, path_type=Path, dir_okay=False),
              help="Plan by this document instead of the one in force.")  # fmt: skip
@json_option
@pass_context
def plan(context: Context, file: Path | None, as_json: bool) -> None:
    """Show what would be deleted, by which rule and why; nothing is done."""
    app = context.app
    document = parse_retention(_read(file)) if file else apply.retention_in_force(app.catalog)
    if document is None:
        raise NotFound("no retention is set", hint="recorder policy set FILE, or plan --file FILE")
    plans = [
        apply.plan_for(app.catalog, app.stores[part.name], document, app.clock.now())
        for part in app.settings.all_stores
        if not part.readonly
    ]
    if as_json:
        emit([_shown(one) for one in plans])
        return
    for one in plans:
        _print(one)


def _shown(one: Plan) -> dict[str, Any]:
    return {
        "store": one.store, "version": one.version, "bytes": one.bytes_going,
        "camera_days": one.duration_going_ns / DAY, "kept": one.kept,
        "kept_bytes": one.kept_bytes, "stopped": one.stopped or None,
        "by_rule": by_rule(one.actions),
        "actions": [
            {
                "key": action.copy.segment.key, "rule": action.rule, "reason": action.reason,
                "bytes": action.copy.segment.size_bytes,
            }
            for action in one.actions
        ],
    }  # fmt: skip


def _print(one: Plan) -> None:
    click.echo(
        f"store {one.store}: would condemn {len(one.actions)} segments, "
        f"{one.bytes_going / 1e9:.3f} GB, {one.duration_going_ns / DAY:.3f} camera-days; "
        f"keeps {one.kept}"
    )
    for action in one.actions[:20]:
        click.echo(f"  {action.copy.segment.key}  {action.rule}: {action.reason}")
    if len(one.actions) > 20:
        click.echo(f"  … and {len(one.actions) - 20} more (--json lists all)")
    if one.stopped:
        click.echo(f"  STOPPED: {one.stopped}; recorder policy apply --yes carries it out")


@policy.command("apply")
@click.option("--yes", is_flag=True, help="Carry out a plan that blast_radius stopped.")
@json_option
@pass_context
def apply_(context: Context, yes: bool, as_json: bool) -> None:
    """Condemn what the policy lets go; it is deleted when the grace has passed."""
    app = context.app
    document = apply.retention_in_force(app.catalog)
    if document is None:
        raise NotFound("no retention is set", hint="recorder policy set FILE")
    done = {}
    now = app.clock.now()
    for part in app.settings.all_stores:
        if part.readonly:
            continue
        app.admit(part.name)
        one = apply.plan_for(app.catalog, app.stores[part.name], document, now)
        if one.stopped and not yes:
            _print(one)
            continue
        condemned = apply.condemn(app.catalog, one, now)
        purged = apply.purge(
            app.catalog, app.stores[part.name], [app.spool], app.settings.grace_ns, now
        )
        done[part.name] = {"condemned": condemned, "purged": purged}
    if as_json:
        emit(done)
    for name, counts in ({} if as_json else done).items():
        click.echo(f"store {name}: condemned {counts['condemned']}, purged {counts['purged']}")


@policy.command("log")
@click.option("--limit", default=50, show_default=True)
@json_option
@pass_context
def log(context: Context, limit: int, as_json: bool) -> None:
    """Show the newest deletion records."""
    entries = [
        {
            "at": format_instant(entry.at, 3), "action": entry.action, "key": entry.key,
            "place": entry.place, "rule": entry.rule, "reason": entry.reason,
            "document_version": entry.document_version,
        }
        for entry in context.app.catalog.audit_log(limit)
    ]  # fmt: skip
    if as_json:
        emit(entries)
        return
    for one in entries:
        click.echo(
            f"{one['at']}  {one['action']:8} {one['place']}  {one['key']}  "
            f"{one['rule']} (version {one['document_version']}): {one['reason']}"
        )


COMMANDS = (policy,)
