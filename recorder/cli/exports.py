"""``recorder export``: bundles of evidence, made here or asked for, fetched, taken back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from recorder.cli.allowed import check_asked
from recorder.cli.context import Context, echo, emit, pass_context, progress
from recorder.cli.exported import AskedFor, ExportAnswers, answers
from recorder.cli.options import burnt_options, json_option, site_option
from recorder.errors import RequestError, StateError, UnavailableError
from recorder.model.about import titled
from recorder.model.counting import number_of
from recorder.model.exports import FORMS, Form
from recorder.model.sizes import format_size

if TYPE_CHECKING:
    from recorder.model.shown_exports import ShownExport

KEY = "whoever gets it needs the key's fingerprint some other way: recorder export key"


@click.group("export")
def export() -> None:
    """Make bundles of evidence: signed, to be verified by anybody, without a recorder."""


@export.command("create")
@click.option("--camera", "cameras", multiple=True, required=True, help="May be given again.")
@site_option
@click.option("--stream", help="Stream of the cameras; by default main.")
@click.option("--start", required=True, help="Start of the range.")
@click.option("--end", required=True, help="End of the range.")
@click.option("--case", required=True, help="Name or number of the case.")
@click.option("--purpose", required=True, help="What it is for.")
@click.option("--wait", help="How long it may wait for footage to come or a site that is away.")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    help="Folder to make, or a file that ends in .zip; without it, it is asked for alone.",
)
@burnt_options
@click.option("--onvif", is_flag=True, help="Clips in ONVIF Export File Format, too.")
@click.option("--c2pa", is_flag=True, help="A C2PA manifest beside each clip, too.")
@click.option(
    "--timestamp/--no-timestamp",
    default=True,
    show_default=True,
    help="With a time stamp, where the settings name an authority.",
)
@json_option
@pass_context
def create(
    context: Context, /, output: Path | None, start: str, end: str, as_json: bool, **given: Any
) -> None:
    """Make a bundle: segments as recorded, clips, what is missing and why; all of it signed.

    On the node it is made at once; a folder that broke off (NAME.part) is gone on with when the
    same is asked for again. With --server it is asked for, waited for and fetched. Without -o it
    is asked for, and the recorder makes it: recorder export get fetches it.

    With --masked or --mark it has copies, encoded anew, instead of what was recorded, which it
    names by digests.
    """
    form = Form(**{name: given.pop(name) for name in FORMS})
    asked = AskedFor(range=context.range(start, end), form=form, **given)
    if output is not None:
        _refuse_taken(output)
        if context.server is None:
            _make_here(context, asked, output, as_json)
            return
    found = answers(context)
    made = found.ask(asked)
    if output is not None:
        echo(f"asked for export {made['id']}", err=True)
        try:
            _fetch(found, made["id"], output, as_json)
        except UnavailableError:
            echo(f"go on with it: recorder export get {made['id']} -o {output}", err=True)
            raise
    elif as_json:
        emit(made)
    else:
        echo(f"export {made['id']} is asked for: recorder export get {made['id']} -o FOLDER")


def _refuse_taken(output: Path) -> None:
    if output.exists():
        raise StateError(
            f"{output}: is there already", hint="a bundle is never written over: name another"
        )


def _make_here(context: Context, asked: AskedFor, output: Path, as_json: bool) -> None:
    from recorder.export.sinks import bundle_at
    from recorder.handover import Asked, hand_over

    if asked.wait is not None:
        raise RequestError("--wait: with -o it is made at once, here", hint="leave one of them out")
    wanted = Asked(
        asked.cameras, asked.range, asked.case, asked.purpose, asked.site, asked.stream, asked.form
    )
    check_asked(context, wanted)
    with bundle_at(output) as sink, progress("exporting", None) as step:
        body = hand_over(context.app, context.me, wanted, sink, step)
    if as_json:
        emit({"file": str(output), **body})
        return
    echo(f"{output}: bundle {body['id']}")
    for camera in body["cameras"]:
        size = sum(one["bytes"] for one in camera["segments"])
        name = f"{camera['site']}/{camera['camera']}"
        echo(
            f"  {titled(name, camera['about']['label'])}: "
            f"{number_of(len(camera['segments']), 'segment')}, "
            f"{format_size(size)}, {camera['covered_seconds']:.3f} s of footage"
        )
        if camera["gaps"]:
            gaps = number_of(len(camera["gaps"]), "gap")
            echo(f"  MISSING {camera['missing_seconds']:.3f} s in {gaps}")
        for problem in camera["problems"]:
            echo(f"  {problem}", err=True)
    echo(KEY)


def _fetch(found: ExportAnswers, export_id: str, output: Path, as_json: bool) -> None:
    """Wait for a bundle, and write it where it is wanted."""
    from recorder.export.unpacked import unpack

    done = _follow(found, export_id)
    output.parent.mkdir(parents=True, exist_ok=True)
    packed = output.suffix == ".zip"
    target = output if packed else output.with_name(f"{output.name}.zip")
    if not packed:
        _refuse_taken(target)
    with progress("fetching", done["bytes"]) as step:
        found.save(export_id, target, step)
    if not packed:
        unpack(target, output)
        target.unlink()
    if as_json:
        emit({"file": str(output), **done})
        return
    echo(f"{output}: bundle {export_id}, {format_size(done['bytes'] or 0)}")
    for problem in done["problems"]:
        echo(f"  {problem}", err=True)
    echo(KEY)


def _follow(found: ExportAnswers, export_id: str) -> ShownExport:
    """Wait until a bundle is made; say what it waits for."""
    said, done = "", None
    with progress("exporting", None) as step:
        before = 0
        for done in found.follow(export_id):
            if done["waits_for"] and done["waits_for"] != said:
                said = done["waits_for"]
                echo(f"it waits, until {done['deadline']} at most: {said}", err=True)
            step(max(0, done["done_bytes"] - before))
            before = done["done_bytes"]
    assert done is not None  # noqa: S101 - it is said at least once
    if done["state"] != "done":
        raise StateError(f"export {export_id} is {done['state']}", hint="ask for it anew")
    return done


@export.command("list")
@json_option
@pass_context
def list_(context: Context, as_json: bool) -> None:
    """List exports, newest first: one's own, and those of cameras that one may export."""
    found = answers(context).all()
    if as_json:
        emit(found)
        return
    if not found:
        echo("no exports")
    for one in found:
        echo(_line(one))


def _line(one: ShownExport) -> str:
    few = ",".join(one["cameras"][:3]) + (" …" if len(one["cameras"]) > 3 else "")
    return (
        f"{one['id']}  {one['state']:8} {few}  {one['start']} to {one['end']}  "
        f"case {one['case']}, {one['who']}{_standing(one)}"
    )


def _standing(one: ShownExport) -> str:
    """Say how far an export is."""
    if one["bytes"] is not None and one["state"] == "done":
        until = f", until {one['expires']}" if one["expires"] is not None else ""
        return f"; {format_size(one['bytes'])}{until}"
    if one["failed_for"] or one["waits_for"]:
        return f"; {one['failed_for'] or one['waits_for']}"
    if one["all_bytes"] and one["state"] == "running":
        return f"; {format_size(one['done_bytes'])} of {format_size(one['all_bytes'])}"
    return ""


@export.command("show")
@click.argument("export_id")
@json_option
@pass_context
def show(context: Context, export_id: str, as_json: bool) -> None:
    """Show how far an export is, what it waits for, or why it failed."""
    one = answers(context).one(export_id)
    if as_json:
        emit(one)
        return
    echo(_line(one))
    for camera in one["cameras"]:
        echo(f"  of {titled(camera, one['labels'].get(camera))}")
    echo(f"  asked {one['asked']} for {one['purpose']}")
    for problem in one["problems"]:
        echo(f"  {problem}")
    if one["sha256"] is not None:
        echo(f"  SHA-256 of its zip {one['sha256']}")
        echo(f"  signed by {one['fingerprint']}")


@export.command("get")
@click.argument("export_id")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder to make, or a file that ends in .zip.",
)
@json_option
@pass_context
def get(context: Context, export_id: str, output: Path, as_json: bool) -> None:
    """Fetch a bundle that was asked for, once it is made; it goes on where a line broke."""
    _refuse_taken(output)
    _fetch(answers(context), export_id, output, as_json)


@export.command("remove")
@click.argument("export_id")
@json_option
@pass_context
def remove(context: Context, export_id: str, as_json: bool) -> None:
    """Take an export back: it is made no further, and its bundle goes."""
    answers(context).remove(export_id)
    if as_json:
        emit({"removed": export_id})
    else:
        echo(f"export {export_id} is taken back; the log has the record")


@export.command("key")
@json_option
@pass_context
def key(context: Context, as_json: bool) -> None:
    """Show the key that signs the site's bundles: its fingerprint, to be told in person."""
    found = answers(context).key()
    if as_json:
        emit(found)
        return
    echo(found["fingerprint"])
    echo(found["pem"].rstrip())


COMMANDS = (export,)
