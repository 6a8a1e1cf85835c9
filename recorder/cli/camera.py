"""``recorder camera``: what should be recorded."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

import click
import yaml

from recorder.app import find_ffmpeg
from recorder.audit.entry import Subject
from recorder.cli.bulk import export, import_
from recorder.cli.context import Context, echo, emit, json_option, pass_context, site_option
from recorder.cli.documents import add, check_site_below, set_
from recorder.cli.listed import list_
from recorder.errors import NotFound
from recorder.model.cameras import Camera, parse_camera
from recorder.model.keys import NAME
from recorder.model.timebase import SECOND, TimeRange, day_start, format_instant
from recorder.model.timeline import coverage_by_day
from recorder.ports import StreamStatus
from recorder.reading.named import read_asked
from recorder.sites import listing, survey
from recorder.sites.shown import show_seen


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
    app, own = context.app, context.settings.site
    found = survey.survey(app.catalog, own, app.site_clock.now())
    one = listing.find(found, own, read_asked(name, site))
    body = show_seen(one)
    document = one.document
    if document is not None:
        body["created"] = format_instant(document.created, 3)
        told = [each.status for each in one.streams if each.status is not None]
        body["state"] = {each.stream.stream: _how(context, each, document) for each in told}
    if as_json:
        emit(body)
    else:
        click.echo(yaml.safe_dump(body, sort_keys=False, allow_unicode=True), nl=False)


def _how(context: Context, status: StreamStatus, document: Camera) -> dict[str, Any]:
    """Say how a stream does: now, and over the UTC day."""
    now = context.app.clock.now()
    line = context.app.view.timeline(status.stream, TimeRange(day_start(now), now), document)
    today = next(iter(coverage_by_day(line)), None)
    health = dict(status.health)
    said: dict[str, Any] = {"state": status.state, "since": format_instant(status.since, 3)}
    if status.condition:
        said |= {"condition": status.condition, "detail": status.detail}
    said |= {"sound": health.pop("sound", None), "habits": health.pop("habits", {})}
    if today is not None and today.expected_ns:
        said["recorded_today"] = f"{100 * today.covered_ns / today.expected_ns:.3f} %"
        said["gaps_today_s"] = {key: round(ns / SECOND, 3) for key, ns in today.gaps_ns.items()}
    return said | {"figures": health}


@camera.command("remove")
@click.argument("name")
@site_option
@json_option
@pass_context
def remove(context: Context, name: str, site: str | None, as_json: bool) -> None:
    """Stop recording a camera and forget its document; its footage stays."""
    asked, catalog = read_asked(name, site), context.app.catalog
    if asked.site not in ("", context.settings.site):
        check_site_below(context, asked.site)
        now = context.app.clock.now()
        with context.doing("camera.ask-remove", Subject(asked.site, asked.camera)):
            catalog.child_cameras.put(asked.site, asked.camera, None, getpass.getuser(), now)
    else:
        about = Subject(context.settings.site, asked.camera)
        with context.doing("camera.remove", about):
            if not catalog.cameras.delete(asked.camera):
                hint = _elsewhere(context, asked.camera)
                raise NotFound(f"no camera {name!r} at this site", hint=hint)
    if as_json:
        emit({"removed": str(asked)})
    else:
        echo(f"camera {asked} removed; its footage stays")


def _elsewhere(context: Context, name: str) -> str:
    """Say where there is a camera of a name, to who did not say the site."""
    found = survey.survey(context.app.catalog, context.settings.site, 0)
    return listing.hint_of(found, name)


@camera.command("probe")
@click.argument("url")
@click.option("--transport", type=click.Choice(["tcp", "udp"]), default="tcp")
@click.option("--credentials-file", type=click.Path(exists=True, path_type=Path))
@click.option("--verify-tls/--no-verify-tls", default=True)
@click.option("--ca-file", help="PEM file of the CA that signed its certificate.")
@click.option("--timeout", default=5.0, show_default=True, help="Seconds to wait.")
@json_option
@pass_context
def probe(context: Context, url: str, transport: str, credentials_file: Path | None,
          verify_tls: bool, ca_file: str | None, timeout: float,
          as_json: bool) -> None:  # fmt: skip
    """Say what a source offers, or exactly why it cannot be reached.

    URL may also be the name of a camera.
    """
    from recorder.capture.probe import probe_source

    document: dict[str, Any] = {
        "url": url, "transport": transport, "verify_tls": verify_tls, "ca_file": ca_file or "",
    }  # fmt: skip
    known = _known(context, url)
    if known is not None:
        source = next(iter(known.streams.values()))
    else:
        if credentials_file is not None:
            document["credentials"] = credentials_file.read_text().strip()
        source = parse_camera("probe", document).streams["main"]
    ffmpeg = find_ffmpeg(context.settings.capture.ffmpeg)
    facts = probe_source(ffmpeg, source, timeout, context.app.clock, context.app.allowed)
    if as_json:
        emit(facts)
        return
    for key, value in facts.items():
        echo(f"{key.replace('_', ' '):22} {value}")


def _known(context: Context, text: str) -> Camera | None:
    """Return the camera that is meant, if a source is none: neither a URL nor a file.

    Raises: ``NotFound``.
    """
    if ":" in text or NAME.fullmatch(text.rpartition("/")[2]) is None or Path(text).exists():
        return None
    asked = read_asked(text, None)
    own = asked.site in ("", context.settings.site)
    known = context.app.catalog.cameras.get(asked.camera) if own else None
    if known is None:
        raise NotFound(
            f"no camera {text!r} at this site, and no such file",
            hint="give a URL, or the name of a camera of this site",
        )
    return known


for _command in (add, set_, list_, import_, export):
    camera.add_command(_command)

COMMANDS = (camera,)
