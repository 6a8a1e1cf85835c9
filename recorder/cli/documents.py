"""``recorder camera add`` and ``set``: a camera's document, whole or in part."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from recorder.cli.cameras import CameraAnswers, answers
from recorder.cli.context import Context, echo, emit, pass_context
from recorder.cli.files import read_text
from recorder.cli.options import Command, address_options, json_option
from recorder.errors import BadDocument, NotFound, RequestError
from recorder.model.checks import read_integer
from recorder.model.keys import CameraId
from recorder.model.makes import FIELDS as ADDRESS
from recorder.model.yaml_text import read_yaml
from recorder.reading.named import read_asked

if TYPE_CHECKING:
    from recorder.api.shown_cameras import ShownChanged

NOT_TEXT = (
    "importance",
    "enabled",
    "critical",
    "listen",
    "stall_s",
    "verify_tls",
    "timetable",
    "masks",
    "coordinates",
    "latitude",
    "longitude",
    "port",
    "channel",
)
"""Fields whose values are read as YAML; of others ``no`` and ``12`` are text."""

REACHED = (*ADDRESS, "credentials", "transport", "verify_tls", "ca_file")
"""Fields that a camera's streams have in common."""

_OPTIONS = (
    click.option(
        "--file",
        "-f",
        type=click.Path(exists=True, path_type=Path, dir_okay=False),
        help="Camera document, or what changes of it; YAML or JSON.",
    ),
    click.option("--label", help="What people call it, in any language."),
    click.option("--location", help="Where it is, in words."),
    click.option("--group", help="Group, which rules of the policy may name."),
    click.option(
        "--critical/--not-critical", default=None, help="Two nodes of the site record it at once."
    ),
    click.option(
        "--sensitive",
        type=click.Choice(["purpose", "approval", "both"]),
        help="What its footage wants of everybody, each time; null takes it back.",
    ),
    click.option("--importance", type=int, help="Higher is kept longer when the spool must shed."),
    click.option("--transport", type=click.Choice(["tcp", "udp"]), help="RTSP transport."),
    click.option(
        "--record",
        type=click.Choice(["always", "event", "off"]),
        help="Round the clock, only what events touch, or not; timetables: --file.",
    ),
    click.option(
        "--listen/--connect", default=None, help="The camera pushes RTSP to URL; wait for it there."
    ),
    click.option(
        "--verify-tls/--no-verify-tls",
        default=None,
        help="Whether the camera's certificate must be valid.",
    ),
    click.option("--ca-file", help="PEM file, on the node, of the CA that signed it."),
    click.option(
        "--credentials-file",
        type=click.Path(exists=True, path_type=Path),
        help="File with user:password, so that it is in no shell history.",
    ),
    click.option("--site", help="A site below this one that records it; or SITE/NAME."),
)


def document_options(command: Command) -> Command:
    """Add the options that a document is written with."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return address_options(command)


@click.command()
@click.argument("name")
@click.argument("url", required=False)
@click.option("--sub-stream", is_flag=True, help="Its sub-stream, too, as stream sub.")
@click.option("--replace", is_flag=True, help="Replace the whole document of a camera there is.")
@document_options
@json_option
@pass_context
def add(
    context: Context,
    /,
    name: str,
    url: str | None,
    sub_stream: bool,
    replace: bool,
    site: str | None,
    as_json: bool,
    **given: object,
) -> None:
    """Add a camera.  Recording begins within seconds on the running node.

    URL may be rtsp://, rtsps://, http://, https://, udp://, rtp://, tcp:// or srt://; where the
    node's settings allow it, a file or lavfi:testsrc2.  Instead of it, --make and --host say where
    the camera is: ``camera makes`` lists those known.  One that there is already is refused:
    ``camera set`` changes it.  With --replace a ``version`` in the file, as ``camera show`` has it,
    must be the present one.
    """
    asked, whom = _asked(name, site), answers(context)
    document = _document({"url": url, **given})
    if sub_stream:
        _add_sub_stream(document)
    known = _version_of(whom, asked) if replace else None
    version = document.get("version", known) if known is not None else None
    if version is not None:
        version = read_integer(str(version), "version", 0, 2**31)
    said = whom.put(asked, document, new=not replace, version=version)
    done = "replaced" if known is not None else "added"
    if _is_below(context, asked):
        _show(said, f"{_at(asked, said)}: told when it is linked", as_json=as_json)
        return
    _show(said, f"camera {asked.camera} {done} (version {said['version']})", as_json=as_json)


def _add_sub_stream(document: dict[str, object]) -> None:
    """Add what a make's cameras offer besides, reached as the main stream is."""
    if "make" not in document:
        raise RequestError("--sub-stream: goes with --make", hint="else name it by --file")
    streams = document.setdefault("streams", {})
    if not isinstance(streams, dict) or "sub" in streams:
        raise BadDocument("streams.sub: given in the file, and by --sub-stream")
    streams["sub"] = {key: document[key] for key in REACHED if key in document}


def _version_of(whom: CameraAnswers, asked: CameraId) -> int | None:
    """Return the version of a camera's document; ``None``: there is none here."""
    try:
        return whom.show(asked).get("version")
    except NotFound:
        return None


def _is_below(context: Context, asked: CameraId) -> bool:
    return asked.site not in ("", context.own_site())


def _at(asked: CameraId, said: ShownChanged) -> str:
    return f"camera {asked.camera} of {asked.site} (version {said['version']})"


@click.command("set")
@click.argument("name")
@click.argument("values", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@document_options
@json_option
@pass_context
def set_(
    context: Context,
    /,
    name: str,
    values: tuple[str, ...],
    dry_run: bool,
    site: str | None,
    as_json: bool,
    **given: object,
) -> None:
    """Change what is named of a camera, and nothing else; say what that changes.

    KEY is a field of the document, such as group, url or streams.sub.record; VALUE null takes it
    back to its default.  What changes in how long its footage is kept is said, too.
    """
    patch, asked = _document(given), _asked(name, site)
    for value in values:
        _put(patch, value)
    if not patch:
        raise RequestError(f"camera set {name}: nothing to change", hint="such as group=key")
    said = answers(context).change(asked, patch, dry=dry_run)
    done = f"camera {asked.camera} changed (version {said['version']})"
    if _is_below(context, asked):
        done = f"{_at(asked, said)}: told when it is linked"
    if dry_run or not said["changes"]:
        done = "nothing was changed" if dry_run else "nothing changes"
    _show(said, done, as_json=as_json)


def _show(said: ShownChanged, done: str, *, as_json: bool) -> None:
    if as_json:
        emit(said)
        return
    for one in said["changes"]:
        echo(f"  {one['path']}: {value_said(one['before'])} -> {value_said(one['after'])}")
    for effect in said["retention"]:
        echo(f"  footage of {effect['stream']} in store {effect['store']}, older one too, is kept")
        echo(f"    before  {effect['before']}")
        echo(f"    now     {effect['after']}")
    echo(done)


def value_said(value: object) -> str:
    """Write a field for people; lists, and yes and no, as documents have them.

    >>> value_said([{"fill": "blur"}]), value_said(None), value_said(2), value_said(True)
    ('[{"fill": "blur"}]', 'nothing', '2', 'true')
    """
    if isinstance(value, list | Mapping | bool):
        return json.dumps(value, ensure_ascii=False)
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
    read: object = None if value == "null" else value
    if read is not None and (last in NOT_TEXT or "timetable" in way):
        read = read_yaml(value, key)
    at = patch
    for part in way:
        at = at.setdefault(part, {})
        if not isinstance(at, dict):
            raise RequestError(f"{key}: {part} is given as a value, too")
    at[last] = read


def _document(given: Mapping[str, Any]) -> dict[str, object]:
    """Read a document, or a part of one, from a file and options.

    Raises: ``BadDocument``.
    """
    document: dict[str, object] = {}
    file, credentials = given.get("file"), given.get("credentials_file")
    if file is not None:
        document = read_yaml(read_text(file), str(file)) or {}
        if not isinstance(document, dict):
            raise BadDocument(f"{file}: must be a mapping")
    files = ("file", "credentials_file")
    document |= {key: one for key, one in given.items() if one is not None and key not in files}
    if credentials is not None:
        document["credentials"] = read_text(credentials).strip()
    return document
