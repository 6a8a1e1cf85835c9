"""``recorder camera import`` and ``export``: many cameras at once."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click
import yaml

from recorder.cli.cameras import answers
from recorder.cli.context import Context, emit, pass_context
from recorder.cli.documents import value_said
from recorder.cli.files import read_text
from recorder.cli.options import json_option
from recorder.errors import RequestError
from recorder.model.counting import number_of
from recorder.model.sheets import read_sheet, with_credentials, write_sheet

if TYPE_CHECKING:
    from recorder.api.shown_cameras import ShownTaken

KINDS = ("csv", "yaml")


def _kind(path: Path | None, given: str | None) -> str:
    ending = path.suffix.lower().lstrip(".") if path is not None else "yaml"
    kind = given or {"yml": "yaml", "json": "yaml"}.get(ending, ending)
    if kind not in KINDS:
        raise RequestError(f"{path}: is neither .csv nor .yaml", hint="say --format csv or yaml")
    return kind


@click.command("import")
@click.argument("file", type=click.Path(exists=True, path_type=Path, dir_okay=False))
@click.option("--format", "form", type=click.Choice(KINDS), help="By default as the file's name.")
@click.option(
    "--credentials-file",
    type=click.Path(exists=True, path_type=Path),
    help="File with user:password, for all streams with an address that say none.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be added and changed.")
@json_option
@pass_context
def import_(
    context: Context,
    file: Path,
    form: str | None,
    credentials_file: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Add and change cameras of this site by a table or a map; none is removed.

    All are looked at before one is stored.  Of a camera that there is only what the file names
    changes, as by ``camera set``.  Instead of a url a row may have a make, as ``camera makes``
    lists them, and a host.  ``camera export`` writes such a file.
    """
    wanted = read_sheet(read_text(file), _kind(file, form), str(file))
    if credentials_file is not None:
        wanted = with_credentials(wanted, read_text(credentials_file).strip())
    done = answers(context).take(wanted, file.name, dry=dry_run)
    if as_json:
        emit(done)
        return
    for one in done:
        _say(one)
    counts = Counter(one["done"] for one in done)
    said = ", ".join(f"{counts[what]} {what}" for what in ("added", "changed", "same"))
    click.echo(f"{said}{'; nothing was stored' if dry_run else ''}")


def _say(one: ShownTaken) -> None:
    if one["done"] == "same" and not one["note"]:
        return
    note = f"; {one['note']}" if one["note"] else ""
    click.echo(f"{one['camera']} {one['done']}{note}")
    for each in one["changes"]:
        click.echo(f"  {each['path']}: {value_said(each['before'])} -> {value_said(each['after'])}")
    for kept in one["retention"]:
        how = f"{kept['before']} -> {kept['after']}"
        click.echo(f"  {kept['stream']} in store {kept['store']}: {how}")


@click.command("export")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="File; else standard output.")
@click.option("--format", "form", type=click.Choice(KINDS), help="By default as the file's name.")
@json_option
@pass_context
def export(context: Context, output: Path | None, form: str | None, as_json: bool) -> None:
    """Write the cameras of this site as a table or a map; secrets are masked."""
    kind = "yaml" if as_json else _kind(output, form)
    cameras = answers(context).documents()
    sheet = write_sheet(cameras, kind)
    if isinstance(sheet, str):
        text = sheet
    elif as_json:
        text = json.dumps(sheet, indent=2, ensure_ascii=False) + "\n"
    else:
        text = yaml.safe_dump(sheet, sort_keys=False, allow_unicode=True)
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, "utf-8")
        click.echo(f"{output}: {number_of(len(cameras), 'camera')}", err=True)
