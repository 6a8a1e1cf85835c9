"""``recorder camera``: what should be recorded."""

from __future__ import annotations

import getpass
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import yaml

from recorder.app import find_ffmpeg
from recorder.capture.allowed import check_below
from recorder.catalog.rows import camera_body
from recorder.cli.context import Context, emit, json_option, pass_context, site_option
from recorder.cli.listed import list_
from recorder.config import where_in_yaml
from recorder.errors import BadDocument, NotFound
from recorder.model.cameras import Camera, parse_camera, show_camera
from recorder.model.keys import NAME, CameraId
from recorder.model.places import PARENT
from recorder.model.timebase import SECOND, TimeRange, day_start, format_instant
from recorder.model.timeline import coverage_by_day
from recorder.ports import StreamStatus
from recorder.reading.named import read_asked
from recorder.sites import listing, survey
from recorder.sites.shown import show_seen


@click.group()
def camera() -> None:
    """Add, change, show, remove and probe cameras."""


@camera.command("add")
@click.argument("name")
@click.argument("url", required=False)
@click.option("--file", "-f", type=click.Path(exists=True, path_type=Path, dir_okay=False),
              help="Camera document, YAML or JSON.")  # fmt: skip
@click.option("--group", help="Group, which rules of the policy may name.")
@click.option("--site", help="A site below this one that is to record it.")
@click.option("--critical", is_flag=True, help="Two nodes of the site record it at once.")
@click.option("--importance", type=int, help="Higher is kept longer when the spool must shed.")
@click.option("--transport", type=click.Choice(["tcp", "udp"]), help="RTSP transport.")
@click.option(
    "--record",
    type=click.Choice(["always", "event", "off"]),
    help="Round the clock, only what events touch, or not; timetables: --file.",
)
@click.option("--listen", is_flag=True, help="The camera pushes RTSP to URL; wait for it there.")
@click.option("--verify-tls/--no-verify-tls", default=None,
              help="Whether the camera's certificate must be valid.")  # fmt: skip
@click.option("--ca-file", help="PEM file, on the node, of the CA that signed it.")
@click.option("--credentials-file", type=click.Path(exists=True, path_type=Path),
              help="File with user:password, so that it is in no shell history.")  # fmt: skip
@json_option
@pass_context
def add(context: Context, name: str, url: str | None, file: Path | None, group: str | None,
        site: str | None, critical: bool, importance: int | None, transport: str | None,
        listen: bool,
        record: str | None, verify_tls: bool | None, ca_file: str | None,
        credentials_file: Path | None, as_json: bool) -> None:  # fmt: skip
    """Add a camera, or change it.  Recording begins within seconds on the running node.

    URL may be rtsp://, rtsps://, http://, https://, udp://, rtp://, tcp:// or srt://; where the
    node's settings allow it, a file or lavfi:testsrc2.
    """
    document: dict[str, Any] = {}
    if file is not None:
        try:
            document = yaml.safe_load(file.read_text()) or {}
        except yaml.YAMLError as exc:
            raise BadDocument(f"{file}: {where_in_yaml(exc)}") from exc
        if not isinstance(document, dict):
            raise BadDocument(f"{file}: must be a mapping")
    given = {
        "url": url,
        "group": group,
        "importance": importance,
        "transport": transport,
        "verify_tls": verify_tls,
        "ca_file": ca_file,
        "record": record,
    }
    document |= {key: value for key, value in given.items() if value is not None}
    if listen:
        document["listen"] = True
    if critical:
        document["critical"] = True
    if credentials_file is not None:
        document["credentials"] = credentials_file.read_text().strip()
    app = context.app
    asked = read_asked(name, site) if site or "/" in name else CameraId("", name)
    name = asked.camera
    if asked.site not in ("", context.settings.site):
        _add_below(context, asked.site, name, document, as_json=as_json)
        return
    old = app.catalog.cameras.get(name)
    parsed = app.allowed.check_camera(parse_camera(name, document, old))
    camera = replace(parsed, author=getpass.getuser())
    stored = app.catalog.cameras.put(camera, app.clock.now(), None)
    if as_json:
        emit(show_camera(stored))
    else:
        click.echo(f"camera {name} {'changed' if old else 'added'} (version {stored.version})")


def _add_below(
    context: Context, site: str, name: str, document: dict[str, Any], *, as_json: bool
) -> None:
    """Have a site below record a camera."""
    catalog = context.app.catalog
    _check_below(context, site)
    one = check_below(parse_camera(name, document))
    stored = catalog.child_cameras.put(
        site, name, camera_body(one), getpass.getuser(), context.app.clock.now()
    )
    if as_json:
        emit({**show_camera(one), "version": stored.version})
    else:
        click.echo(f"camera {name} of {site} (version {stored.version}): told when it is linked")


def _check_below(context: Context, site: str) -> None:
    beats = context.app.catalog.sites.all()
    if all(beat.name in (PARENT, "") or beat.name != site for beat in beats):
        raise NotFound(f"no site {site!r} below this one", hint="recorder site shows the tree")


@camera.command("show")
@click.argument("name")
@site_option
@json_option
@pass_context
def show(context: Context, name: str, site: str | None, as_json: bool) -> None:
    """Show a camera's document and how its streams do; secrets are masked.

    ``camera add --file`` takes it back.  Of one at a site below only how it does is known.
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
        click.echo(yaml.safe_dump(body, sort_keys=False), nl=False)


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
        _check_below(context, asked.site)
        now = context.app.clock.now()
        catalog.child_cameras.put(asked.site, asked.camera, None, getpass.getuser(), now)
    elif not catalog.cameras.delete(asked.camera):
        raise NotFound(f"no camera {name!r} at this site", hint=_elsewhere(context, asked.camera))
    if as_json:
        emit({"removed": str(asked)})
    else:
        click.echo(f"camera {asked} removed; its footage stays")


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
        click.echo(f"{key.replace('_', ' '):22} {value}")


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


camera.add_command(list_)

COMMANDS = (camera,)
