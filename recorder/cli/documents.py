"""``recorder camera add`` and ``set``: a camera's document, whole or in part."""

from __future__ import annotations

import contextlib
import getpass
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from recorder.audit.entry import Subject
from recorder.capture.allowed import check_below
from recorder.catalog.rows import camera_body
from recorder.cli.context import Context, echo, emit, json_option, pass_context
from recorder.errors import BadDocument, NotFound, RequestError
from recorder.model.cameras import parse_camera, show_camera
from recorder.model.keys import CameraId
from recorder.model.places import PARENT
from recorder.model.yaml_text import read_yaml
from recorder.reading.named import read_asked
from recorder.sites import survey
from recorder.sites.changing import Changed, already, change_below, show_changed

NOT_TEXT = ("importance", "enabled", "critical", "listen", "stall_s", "verify_tls", "timetable")
"""Fields whose values are read as YAML; of others ``no`` and ``12`` are text."""

_OPTIONS = (
    click.option("--file", "-f", type=click.Path(exists=True, path_type=Path, dir_okay=False),
                 help="Camera document, or what changes of it; YAML or JSON."),
    click.option("--label", help="What people call it, in any language."),
    click.option("--location", help="Where it is, in words."),
    click.option("--group", help="Group, which rules of the policy may name."),
    click.option("--critical/--not-critical", default=None,
                 help="Two nodes of the site record it at once."),
    click.option("--importance", type=int,
                 help="Higher is kept longer when the spool must shed."),
    click.option("--transport", type=click.Choice(["tcp", "udp"]), help="RTSP transport."),
    click.option("--record", type=click.Choice(["always", "event", "off"]),
                 help="Round the clock, only what events touch, or not; timetables: --file."),
    click.option("--listen/--connect", default=None,
                 help="The camera pushes RTSP to URL; wait for it there."),
    click.option("--verify-tls/--no-verify-tls", default=None,
                 help="Whether the camera's certificate must be valid."),
    click.option("--ca-file", help="PEM file, on the node, of the CA that signed it."),
    click.option("--credentials-file", type=click.Path(exists=True, path_type=Path),
                 help="File with user:password, so that it is in no shell history."),
    click.option("--site", help="A site below this one that records it; or SITE/NAME."),
)  # fmt: skip


def document_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that a document is written with."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command()
@click.argument("name")
@click.argument("url", required=False)
@click.option("--replace", is_flag=True, help="Replace the whole document of a camera there is.")
@document_options
@json_option
@pass_context
def add(context: Context, /, name: str, url: str | None, replace: bool, site: str | None,
        as_json: bool, **given: Any) -> None:  # fmt: skip
    """Add a camera.  Recording begins within seconds on the running node.

    URL may be rtsp://, rtsps://, http://, https://, udp://, rtp://, tcp:// or srt://; where the
    node's settings allow it, a file or lavfi:testsrc2.  One that there is already is refused:
    ``camera set`` changes it.
    """
    document = _document({"url": url, **given})
    asked = _asked(name, site)
    if asked.site not in ("", context.settings.site):
        _add_below(context, asked, document, replacing=replace, as_json=as_json)
        return
    app = context.app
    camera = parse_camera(asked.camera, document, app.catalog.cameras.get(asked.camera))
    action, about = "camera.change" if replace else "camera.add", _about(context, asked)
    with context.doing(action, about, document=show_camera(camera)):
        said = app.changer.put(camera, getpass.getuser(), app.clock.now(), replacing=replace)
    done = "replaced" if said.before is not None else "added"
    _show(said, f"camera {asked.camera} {done} (version {said.after.version})", as_json=as_json)


@click.command("set")
@click.argument("name")
@click.argument("values", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@document_options
@json_option
@pass_context
def set_(context: Context, /, name: str, values: tuple[str, ...], dry_run: bool, site: str | None,
         as_json: bool, **given: Any) -> None:  # fmt: skip
    """Change what is named of a camera, and nothing else; say what that changes.

    KEY is a field of the document, such as group, url or streams.sub.record; VALUE null takes it
    back to its default.  What changes in how long its footage is kept is said, too.
    """
    patch, asked, app = _document(given), _asked(name, site), context.app
    for value in values:
        _put(patch, value)
    if not patch:
        raise RequestError(f"camera set {name}: nothing to change", hint="such as group=key")
    author, now = getpass.getuser(), app.clock.now()
    with contextlib.ExitStack() as noted:
        if not dry_run:
            fields = sorted(patch)
            noted.enter_context(
                context.doing("camera.change", _about(context, asked), fields=fields)
            )
        below = asked.site not in ("", context.settings.site)
        if below:
            said, version = change_below(
                app.catalog.child_cameras, asked.site, asked.camera, patch, author, now,
                dry=dry_run,
            )  # fmt: skip
        else:
            said = app.changer.change(asked.camera, patch, author, now, dry=dry_run)
    if below:
        done = f"camera {asked.camera} of {asked.site} (version {version}): told when it is linked"
    else:
        done = f"camera {asked.camera} changed (version {said.after.version})"
    if dry_run or not said.differences:
        done = "nothing was changed" if dry_run else "nothing changes"
    _show(said, done, as_json=as_json)


def _about(context: Context, asked: CameraId) -> Subject:
    return Subject(asked.site or context.settings.site, asked.camera)


def _show(said: Changed, done: str, *, as_json: bool) -> None:
    if as_json:
        emit({**show_camera(said.after), **show_changed(said)})
        return
    for one in said.differences:
        before, after = (_value(value) for value in (one.before, one.after))
        echo(f"  {one.path}: {before} -> {after}")
    for effect in said.effects:
        echo(f"  footage of {effect.stream} in store {effect.store}, older one too, is kept")
        echo(f"    before  {effect.before}")
        echo(f"    now     {effect.after}")
    echo(done)


def _value(value: object) -> str:
    return "nothing" if value is None else str(value)


def _asked(name: str, site: str | None) -> CameraId:
    return read_asked(name, site) if site or "/" in name else CameraId("", name)


def _put(patch: dict[str, Any], text: str) -> None:
    """Put ``KEY=VALUE`` into a document; dots in the key lead into it.

    Raises: ``RequestError``, ``BadDocument``.
    """
    key, equals, value = text.partition("=")
    *way, last = key.split(".")
    if not equals or not all((*way, last)):
        raise RequestError(f"{text[:64]!r} is not KEY=VALUE", hint="such as group=key")
    read: Any = None if value == "null" else value
    if read is not None and (last in NOT_TEXT or "timetable" in way):
        read = read_yaml(value, key)
    at = patch
    for part in way:
        at = at.setdefault(part, {})
        if not isinstance(at, dict):
            raise RequestError(f"{key}: {part} is given as a value, too")
    at[last] = read


def _document(given: Mapping[str, Any]) -> dict[str, Any]:
    """Read a document, or a part of one, from a file and options.

    Raises: ``BadDocument``.
    """
    document: dict[str, Any] = {}
    file, credentials = given.get("file"), given.get("credentials_file")
    if file is not None:
        document = read_yaml(file.read_text(), str(file)) or {}
        if not isinstance(document, dict):
            raise BadDocument(f"{file}: must be a mapping")
    files = ("file", "credentials_file")
    document |= {key: one for key, one in given.items() if one is not None and key not in files}
    if credentials is not None:
        document["credentials"] = credentials.read_text().strip()
    return document


def _add_below(
    context: Context, asked: CameraId, document: dict[str, Any], *, replacing: bool, as_json: bool
) -> None:
    """Have a site below record a camera."""
    catalog = context.app.catalog
    check_site_below(context, asked.site)
    known = survey.survey(catalog, context.settings.site, context.app.site_clock.now())
    if not replacing and any(one.camera == asked for one in known):
        raise already(str(asked))
    one = check_below(parse_camera(asked.camera, document))
    with context.doing("camera.ask", _about(context, asked), document=show_camera(one)):
        stored = catalog.child_cameras.put(
            asked.site, asked.camera, camera_body(one), getpass.getuser(), context.app.clock.now()
        )
    if as_json:
        emit({**show_camera(one), "version": stored.version})
        return
    said = f"camera {asked.camera} of {asked.site} (version {stored.version})"
    echo(f"{said}: told when it is linked")


def check_site_below(context: Context, site: str) -> None:
    """Look whether a site is below this one.

    Raises: ``NotFound``.
    """
    beats = context.app.catalog.sites.all()
    if all(beat.name in (PARENT, "") or beat.name != site for beat in beats):
        raise NotFound(f"no site {site!r} below this one", hint="recorder site shows the tree")
