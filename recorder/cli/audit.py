"""``recorder audit``: who looked at what and changed what, and proof that nobody touched it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from recorder.audit.note import BadNote, Checkpoint, Key, read_checkpoint, read_key
from recorder.audit.verify import Fault
from recorder.cli.context import Context, echo, emit, pass_context
from recorder.cli.files import read_text
from recorder.cli.logged import Filters, answers
from recorder.cli.options import json_option, site_option
from recorder.errors import NotFound, RequestError
from recorder.logbook.shown import csv_rows, line_of
from recorder.model.counting import number_of

_FILTERS = (
    click.option("--camera", help="Only what is about this camera; or SITE/CAMERA."),
    site_option,
    click.option("--since", help="Only entries from then on: RFC 3339, or -30d."),
    click.option("--until", help="Only entries before then."),
    click.option("--who", default="", help="Only of this caller, such as user:ana."),
    click.option("--action", default="", help="Only this, such as footage.clip, or footage."),
    click.option(
        "--result", type=click.Choice(["allowed", "refused", "failed"]), help="Only what ended so."
    ),
)


def _filters(command: Callable[..., object]) -> Callable[..., object]:
    for option in reversed(_FILTERS):
        command = option(command)
    return command


def _asked(context: Context, given: dict[str, Any]) -> Filters:
    """Read which entries are asked for."""
    for name in ("since", "until"):
        given[name] = context.instant(given[name], name) if given[name] else None
    return Filters(**given)


@click.group()
def audit() -> None:
    """Who looked at what and changed what, and proof that nobody changed that since."""


@audit.command("show")
@_filters
@click.option("--limit", default=100, show_default=True, help="So many at most, the newest.")
@json_option
@pass_context
def show(context: Context, /, limit: int, as_json: bool, **given: object) -> None:
    """Show entries, the newest first: `audit show --camera gate --action footage --since -30d`."""
    shown = answers(context).newest(_asked(context, given), limit)
    if as_json:
        emit(shown)
        return
    for one in shown:
        echo(line_of(one))
    if not shown:
        echo("no entries")


@audit.command("export")
@_filters
@click.option(
    "--format", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True
)
@click.option("--output", "-o", type=click.Path(path_type=Path), help="File; else standard output.")
@json_option
@pass_context
def export(
    context: Context, /, form: str, output: Path | None, as_json: bool, **given: object
) -> None:
    """Write all entries, the oldest first, as JSON lines or CSV.

    A JSON line has the log, the leaf's number and hash, and the entry's own words.
    """
    shown = answers(context).all(_asked(context, given))
    lines: Iterator[str] = csv_rows(shown) if form == "csv" and not as_json else map(_line, shown)
    if output is None:
        for line in lines:
            click.echo(line, nl=False)
        return
    with output.open("w", encoding="utf-8", newline="") as file:
        count = sum(1 for line in lines if file.write(line))
    click.echo(f"{output}: {number_of(count - (form == 'csv'), 'entry')}", err=True)


def _line(shown: dict[str, object]) -> str:
    return json.dumps(shown, ensure_ascii=False) + "\n"


@audit.command("verify")
@click.option(
    "--since",
    "kept",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="A checkpoint you kept, as `audit checkpoint` printed it; may be given often.",
)
@click.option(
    "--key", "keys", multiple=True, help="Trust this key alone, as `audit key` prints it."
)
@click.option(
    "--witness",
    "witnesses",
    multiple=True,
    help="A parent's key, as `audit key --witness` prints it there: it must vouch, too.",
)
@json_option
@pass_context
def verify(
    context: Context,
    kept: tuple[Path, ...],
    keys: tuple[str, ...],
    witnesses: tuple[str, ...],
    as_json: bool,
) -> None:
    """Prove that nothing of the log was removed, changed or reordered (exit code 65).

    All of it is read and hashed anew: from the store, against its signatures, the checkpoints
    that you kept, and the catalog.  With --server the store's objects are fetched and hashed on
    this machine, and the server's entries held to them: with --key nothing it says is believed.
    """
    given = [_key(text) for text in keys]
    done = answers(context).prove([_kept(path) for path in kept], given)
    if context.server is not None and not given:
        echo("the key is the server's own word: give --key, as you kept it", err=True)
    for witness in map(_key, witnesses):
        if done.checkpoint is None or not done.checkpoint.by(witness):
            done.faults.append(Fault("key", f"{witness.name} has not vouched for the checkpoint"))
    size = done.checkpoint.size if done.checkpoint is not None else 0
    if as_json:
        emit(
            {
                "clean": not done.faults,
                "log": done.origin or None,
                "size": size,
                "keys": done.keys,
                "waiting": done.waiting,
                "faults": [{"kind": one.kind, "detail": one.detail} for one in done.faults],
            }
        )
    else:
        for one in done.faults:
            echo(f"{one.kind}: {one.detail}")
        said = "clean" if not done.faults else number_of(len(done.faults), "FAULT", "FAULTS")
        echo(
            f"{said}: {number_of(size, 'entry')} of {done.origin or 'no log'}, "
            f"{done.waiting} not signed yet"
        )
    if done.faults:
        click.get_current_context().exit(65)


def _kept(path: Path) -> Checkpoint:
    try:
        return read_checkpoint(read_text(path))
    except BadNote as exc:
        raise RequestError(f"{path}: {exc}") from exc


def _key(text: str) -> Key:
    try:
        return read_key(text)
    except BadNote as exc:
        raise RequestError(str(exc), hint="recorder audit key prints it") from exc


@audit.command("checkpoint")
@json_option
@pass_context
def checkpoint(context: Context, as_json: bool) -> None:
    """Print the newest checkpoint: keep it elsewhere, for `audit verify --since`."""
    text = answers(context).checkpoint()
    if as_json:
        origin, size = text.splitlines()[:2]
        emit({"log": origin, "size": int(size), "checkpoint": text})
        return
    click.echo(text, nl=False)


@audit.command("key")
@click.option("--witness", is_flag=True, help="The key that vouches for logs of sites below.")
@json_option
@pass_context
def key(context: Context, witness: bool, as_json: bool) -> None:
    """Print the key of each log of this site, the present one last: keep it elsewhere, too."""
    if witness:
        own = answers(context).witness_key()
        if as_json:
            emit({"key": own})
        else:
            click.echo(own)
        return
    logs = answers(context).logs()
    if not logs:
        raise NotFound("no log is begun yet", hint="a running node begins one within a minute")
    if as_json:
        emit([{name: one[name] for name in ("log", "key", "size")} for one in logs])
        return
    for one in logs:
        click.echo(one["key"] or f"{one['log']}: its key is not known here")


@audit.command("begin")
@click.option("--why", required=True, help="Stands in the first entry of the new log.")
@json_option
@pass_context
def begin(context: Context, why: str, as_json: bool) -> None:
    """Begin a new log, where the key of the old one is lost or it cannot be gone on with.

    Its first entry names the old one, its size and its root; what that says stays as it is.
    """
    context.note("log.end", why=why)
    state = context.app.press.begin(f"{why} (by {context.me})")
    if as_json:
        emit({"log": state.origin, "key": state.key})
    else:
        echo(f"the log is {state.origin} from now on; keep its key: {state.key}")


COMMANDS = (audit,)
