"""Camera documents: read strictly, written with secrets hidden."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from recorder.errors import BadDocument, RequestError
from recorder.model import about as people
from recorder.model import makes, masks
from recorder.model.about import show_about, take_about
from recorder.model.cameras import RECORD, SCHEMES, WITH_USER, Camera, StreamSource, has_scheme
from recorder.model.checks import check_integer, check_number, check_text
from recorder.model.keys import check_name
from recorder.model.masks import show_privacy, take_privacy
from recorder.model.schedule import parse_timetable, show_timetable
from recorder.model.secrets import ENCODE, MASK, mask
from recorder.model.unknown import check_rest

MOST_STREAMS = 16


SHOWN_FIELDS = (
    "name",
    "site",
    "version",
    "author",
    "created",
    "state",
    "present",
    "stream_states",
    "changes",
    "retention",
)
"""What answers say besides the document: sent back, it changes nothing."""


STREAM_FIELDS = (
    "url",
    *makes.FIELDS,
    "credentials",
    "transport",
    "audio",
    "listen",
    "stall_s",
    "verify_tls",
    "ca_file",
    "record",
    "timetable",
    "activity",
)


CAMERA_FIELDS = (
    *people.FIELDS,
    *masks.FIELDS,
    "group",
    "importance",
    "enabled",
    "critical",
    "streams",
    *STREAM_FIELDS,
)
"""What a camera's document may say; what a stream may, where it is said at the top: of main."""


def parse_camera(
    name: str, document: Mapping[str, object], previous: Camera | None = None
) -> Camera:
    """Read a camera document; secrets shown as ``********`` are taken from ``previous``.

    Raises: ``BadDocument`` with the path of the mistake.
    """
    try:
        check_name(name, "camera")
        return _camera(name, dict(document), previous.streams if previous else {})
    except BadDocument:
        raise
    except RequestError as exc:
        raise BadDocument(str(exc), hint=exc.hint) from exc


def _camera(name: str, body: dict[str, object], old: Mapping[str, StreamSource]) -> Camera:
    for ours in SHOWN_FIELDS:
        body.pop(ours, None)
    short = {key: body.pop(key) for key in STREAM_FIELDS if key in body}
    streams = body.pop("streams", None) or {}
    if not isinstance(streams, Mapping):
        raise BadDocument("streams: must be an object")
    if short:
        if "main" in streams:
            raise BadDocument("url: given both at the top and in streams.main")
        streams = {"main": short, **streams}
    if not 1 <= len(streams) <= MOST_STREAMS:
        raise BadDocument("url: missing", hint="give a url, or streams with a url each: at most 16")
    group = _text(body, "group", "general", most=64) or "general"
    importance = check_integer(body.pop("importance", 0), "importance", -1000, 1000)
    enabled = _flag(body, "enabled", True)
    critical = _flag(body, "critical", False)
    about, privacy = take_about(body), take_privacy(body)
    check_rest(body, CAMERA_FIELDS)
    parsed = {
        check_name(key, f"streams.{str(key)[:64]}"): _stream(key, value, old.get(key))
        for key, value in streams.items()
    }
    return Camera(
        name, parsed, group, importance, enabled, critical=critical, about=about, privacy=privacy
    )


def _stream(name: str, value: object, old: StreamSource | None) -> StreamSource:
    path = f"streams.{name}."
    if not isinstance(value, Mapping):
        raise BadDocument(f"streams.{name}: must be an object")
    body = makes.write_url(value, name, path)
    url, credentials, cipher = _secrets(body, old, path)
    if credentials and has_scheme(url) and url.partition(":")[0].lower() not in WITH_USER:
        raise BadDocument(f"{path}credentials: only {', '.join(WITH_USER)} sources have some")
    transport = _choice(body, "transport", ("tcp", "udp"), path)
    audio = _choice(body, "audio", ("auto", "off"), path)
    listen = _flag(body, "listen", False, path)
    stall = check_number(body.pop("stall_s", 4.5), f"{path}stall_s", 1, 3600)
    enabled = _flag(body, "enabled", True, path)
    verify, ca_file = _flag(body, "verify_tls", True, path), _text(body, "ca_file", "", path)
    record = _choice(body, "record", RECORD, path)
    activity = _choice(body, "activity", ("show", "events"), path)
    table = body.pop("timetable", None)
    check_rest(body, (*STREAM_FIELDS, "enabled"), path)
    if (table is not None) != (record == "timetable"):
        raise BadDocument(
            f"{path}timetable: goes with record: timetable, and only with it",
            hint='such as {zone: Europe/Berlin, weekly: {mon-fri: ["07:00-19:00"]}}',
        )
    timetable = parse_timetable(table, f"{path}timetable") if table is not None else None
    reached = (url, credentials, transport, audio, listen, float(stall))
    kept = (enabled, verify, ca_file, record, timetable, activity)
    source = StreamSource(*reached, *kept, cipher)
    if listen and source.scheme != "rtsp":
        raise BadDocument(f"{path}listen: only rtsp:// sources can be pushed to us")
    return source


def _secrets(body: dict[str, object], old: StreamSource | None, path: str) -> tuple[str, str, str]:
    """Take URL and credentials; what is sent back as it was shown stays as it was."""
    url, inline = _split_url(_text(body, "url", "", path), path)
    credentials = _text(body, "credentials", "", path) if body.get("credentials") else inline
    body.pop("credentials", None)
    cipher = old.cipher if old is not None and credentials == MASK else ""
    if old is not None and url == mask(old.url) and (cipher or old.url != url or MASK not in url):
        url = old.url
    elif cipher:
        raise BadDocument(
            f"{path}credentials: those there are cannot be read, and belong to another url",
            hint="write user and password anew, or null for none",
        )
    elif MASK in url or "…" in url:
        raise BadDocument(f"{path}url: shows a secret as {MASK}", hint="write the secret itself")
    if credentials == MASK:
        credentials = old.credentials if old else ""
    return url, credentials, cipher


def _split_url(url: str, path: str) -> tuple[str, str]:
    """Part a URL from credentials written in it."""
    if not url:
        raise BadDocument(f"{path}url: missing")
    if url.startswith("-"):
        raise BadDocument(f"{path}url: must not start with '-'")
    if not has_scheme(url):
        return url, ""
    scheme = url.split(":", 1)[0].lower()
    if scheme not in SCHEMES:
        raise BadDocument(
            f"{path}url: scheme {scheme!r} is not supported",
            hint="use one of " + ", ".join(SCHEMES),
        )
    if scheme in ("file", "lavfi"):
        return url, ""
    return _part(url, scheme, path)


def _part(url: str, scheme: str, path: str) -> tuple[str, str]:
    """Part the URL of something on the network from credentials in it; what cannot be parted for
    sure is refused, and nothing of it shown.

    Raises: ``BadDocument``.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as exc:
        raise BadDocument(f"{path}url: host and port cannot be read", hint=ENCODE) from exc
    userinfo, _, rest = parts.netloc.rpartition("@")
    beyond = url.partition("://")[2][len(parts.netloc) :]
    if "@" in beyond or ("#" in beyond and scheme != "srt") or any(map(str.isspace, url)):
        raise BadDocument(f"{path}url: holds a space, a '#', or an '@' after the host", hint=ENCODE)
    if not host and scheme not in ("udp", "rtp", "tcp", "srt"):
        raise BadDocument(f"{path}url: names no host")
    if not userinfo:  # udp://@239.0.0.1:5000 has an '@', and no user
        return url, ""
    if scheme not in WITH_USER:
        raise BadDocument(
            f"{path}url: {scheme} sources have no user and password",
            hint="only " + ", ".join(WITH_USER) + " have",
        )
    user, _, password = userinfo.partition(":")
    plain = urlunsplit((parts.scheme, rest, parts.path, parts.query, parts.fragment))
    return plain, check_text(f"{unquote(user)}:{unquote(password)}", f"{path}credentials")


def show_camera(camera: Camera) -> dict[str, Any]:
    """Write a camera document for answers: secrets are masked, and may be sent back so."""
    return {
        "name": camera.name,
        **show_about(camera.about),
        "group": camera.group,
        "importance": camera.importance,
        "enabled": camera.enabled,
        "critical": camera.critical,
        **show_privacy(camera.privacy),
        "version": camera.version,
        "author": camera.author or None,
        "streams": {
            name: {
                "url": mask(source.url),
                "credentials": MASK if source.credentials or source.cipher else None,
                "transport": source.transport,
                "audio": source.audio,
                "listen": source.listen,
                "stall_s": source.stall_s,
                "enabled": source.enabled,
                "verify_tls": source.verify_tls,
                "ca_file": source.ca_file,
                "record": source.record,
                "timetable": show_timetable(source.timetable) if source.timetable else None,
                "activity": source.activity,
            }
            for name, source in camera.streams.items()
        },
    }


def _text(body: dict[str, object], key: str, default: str, path: str = "", most: int = 2048) -> str:
    return check_text(body.pop(key, default), f"{path}{key}", most)


def _flag(body: dict[str, object], key: str, default: bool, path: str = "") -> bool:
    value = body.pop(key, default)
    if not isinstance(value, bool):
        raise BadDocument(f"{path}{key}: must be true or false")
    return value


def _choice(body: dict[str, object], key: str, choices: tuple[str, ...], path: str) -> str:
    value = body.pop(key, choices[0])
    if value not in choices:
        shown = repr(value[:64]) if isinstance(value, str) else "what is given"
        raise BadDocument(f"{path}{key}: {shown} is none of {', '.join(choices)}")
    return str(value)
