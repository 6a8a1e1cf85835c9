"""``recorder camera``: what should be recorded."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml

from recorder.cli import finding
from recorder.cli.bulk import export, import_
from recorder.cli.cameras import answers
from recorder.cli.context import Context, echo, emit, pass_context, told
from recorder.cli.documents import add, set_
from recorder.cli.files import read_text
from recorder.cli.finding import Wanted
from recorder.cli.listed import list_
from recorder.cli.options import address_options, json_option, site_option
from recorder.model.keys import NAME
from recorder.model.makes import MAKES
from recorder.model.timebase import TimeRange, day_start
from recorder.reading.named import read_asked

if TYPE_CHECKING:
    from recorder.api.shown_cameras import ShownState


@click.group()
def camera() -> None:
    """Add, change, show, remove and probe cameras."""


@camera.command("show")
@click.argument("name")
@site_option
@json_option
@pass_context
def show(context: Context, name: str, site: str | None, as_json: bool) -> None:
    """Show a camera's document and how its streams do; secrets are masked.

    ``camera set --file`` takes it back.  Of one at a site below only how it does is known.
    """
    one = answers(context).show(read_asked(name, site))
    body: dict[str, object] = dict(one)
    if one.get("streams"):
        named = f"{one['site']}/{one['name']}"
        body["state"] = {
            stream: _how(context, named, stream, told) for stream, told in one["state"].items()
        }
    if as_json:
        emit(body)
    else:
        click.echo(yaml.safe_dump(body, sort_keys=False, allow_unicode=True), nl=False)


def _how(context: Context, camera: str, stream: str, told: ShownState) -> dict[str, object]:
    """Say how a stream does: now, and over the UTC day."""
    now = context.now()
    wanted = Wanted(camera, stream, None, TimeRange(day_start(now), now))
    line = finding.answers(context).timeline(wanted, activity=False)
    today = next(iter(line["days"]), None)
    said: dict[str, object] = {"state": told["state"], "since": told["since"]}
    if told["condition"]:
        said |= {"condition": told["condition"], "detail": told["detail"] or ""}
    said |= {"sound": told["sound"], "habits": told["habits"]}
    if today is not None and today["expected_seconds"]:
        share = today["covered_seconds"] / today["expected_seconds"]
        said["recorded_today"] = f"{100 * share:.3f} %"
        said["gaps_today_s"] = {key: round(one, 3) for key, one in today["gap_seconds"].items()}
    return said | {"figures": told["health"]}


@camera.command("remove")
@click.argument("name")
@site_option
@json_option
@pass_context
def remove(context: Context, name: str, site: str | None, as_json: bool) -> None:
    """Stop recording a camera and forget its document; its footage stays."""
    asked = read_asked(name, site)
    answers(context).remove(asked)
    if as_json:
        emit({"removed": str(asked)})
    else:
        echo(f"camera {asked} removed; its footage stays")


@camera.command("probe")
@click.argument("url", required=False)
@address_options
@click.option("--transport", type=click.Choice(["tcp", "udp"]), default="tcp")
@click.option("--credentials-file", type=click.Path(exists=True, path_type=Path))
@click.option("--verify-tls/--no-verify-tls", default=True)
@click.option("--ca-file", help="PEM file of the CA that signed its certificate.")
@click.option("--timeout", default=5.0, show_default=True, help="Seconds to wait.")
@json_option
@pass_context
def probe(
    context: Context,
    /,
    url: str | None,
    transport: str,
    credentials_file: Path | None,
    verify_tls: bool,
    ca_file: str | None,
    timeout: float,
    as_json: bool,
    **address: str | int | None,
) -> None:
    """Say what a source offers, or exactly why it cannot be reached.

    URL may also be the name of a camera; --make and --host say where one is instead.
    """
    if url is not None and _is_named(context, url):
        asked: dict[str, Any] = {"camera": url}
    else:
        asked = {key: one for key, one in {"url": url, **address}.items() if one is not None} | {
            "transport": transport,
            "verify_tls": verify_tls,
            "ca_file": ca_file or "",
        }
        if credentials_file is not None:
            asked["credentials"] = read_text(credentials_file).strip()
    facts = answers(context).probe({**asked, "timeout": timeout})
    if as_json:
        emit(facts)
        return
    for key, value in facts.items():
        echo(f"{key.replace('_', ' '):22} {told(value)}")


@camera.command("makes")
@json_option
def makes(as_json: bool) -> None:
    """List the makes that --make knows, with where their streams are."""
    if as_json:
        emit({"makes": {name: asdict(one) for name, one in MAKES.items()}})
        return
    for name, one in MAKES.items():
        echo(f"{name}{f' (also {one.also})' if one.also else ''}")
        echo(f"  main  {one.main}")
        echo(f"  sub   {one.sub}")


def _is_named(context: Context, text: str) -> bool:
    """Tell whether a camera is meant: what is no URL, and no file of this machine's node."""
    is_name = ":" not in text and NAME.fullmatch(text.rpartition("/")[2]) is not None
    return is_name and (context.server is not None or not Path(text).exists())


for _command in (add, set_, list_, import_, export):
    camera.add_command(_command)

COMMANDS = (camera,)
