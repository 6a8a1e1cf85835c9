"""Where cameras of a make have their streams: a URL made from make, host and channel.  Pure.

Sources: the makers' manuals of their RTSP addresses.  Nothing is asked of the camera here; what it
really offers is looked at by a probe.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass

from recorder.errors import BadDocument, RequestError
from recorder.model.checks import check_integer, check_text
from recorder.model.unknown import meant

FIELDS = ("make", "host", "port", "channel")
"""What may be said of a stream instead of a whole ``url``."""

_MARK = re.compile(r"\{(host|port|channel)(?::0([1-4]))?\}")
"""A place in a pattern; ``{channel:02}``: with as many digits at least."""

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,252})")


@dataclass(frozen=True, slots=True)
class Make:
    """Patterns of a make's main stream and sub-stream; ``also``: makes that sell the same."""

    main: str
    sub: str
    also: str = ""


MAKES: Mapping[str, Make] = {
    "axis": Make(
        "rtsp://{host}/axis-media/media.amp?camera={channel}",
        "rtsp://{host}/axis-media/media.amp?camera={channel}&resolution=640x360",
    ),
    "bosch": Make(
        "rtsp://{host}/rtsp_tunnel?line={channel}&inst=1",
        "rtsp://{host}/rtsp_tunnel?line={channel}&inst=2",
    ),
    "dahua": Make(
        "rtsp://{host}/cam/realmonitor?channel={channel}&subtype=0",
        "rtsp://{host}/cam/realmonitor?channel={channel}&subtype=1",
        "Amcrest, Imou, Lorex",
    ),
    "hanwha": Make("rtsp://{host}/profile2/media.smp", "rtsp://{host}/profile3/media.smp"),
    "hikvision": Make(
        "rtsp://{host}/Streaming/Channels/{channel}01",
        "rtsp://{host}/Streaming/Channels/{channel}02",
        "Annke, HiLook",
    ),
    "reolink": Make(
        "rtsp://{host}/h264Preview_{channel:02}_main", "rtsp://{host}/h264Preview_{channel:02}_sub"
    ),
    "tp-link": Make("rtsp://{host}/stream1", "rtsp://{host}/stream2", "Tapo, VIGI"),
    "uniview": Make("rtsp://{host}/media/video1", "rtsp://{host}/media/video2"),
    "uniview-nvr": Make(
        "rtsp://{host}/unicast/c{channel}/s0/live", "rtsp://{host}/unicast/c{channel}/s1/live"
    ),
}


def write_url(body: Mapping[str, object], stream: str, path: str) -> dict[str, object]:
    """Return a stream's document with its ``url`` written out of make, or pattern, and host.

    ``stream``: its name, for of a make ``main`` and ``sub`` are known; ``path``: of the document.
    What says none of this is returned as it is.
    Raises: ``BadDocument`` with the path of the mistake.

    >>> write_url({"make": "reolink", "host": "10.0.0.7", "channel": 3}, "sub", "")["url"]
    'rtsp://10.0.0.7/h264Preview_03_sub'
    >>> write_url({"url": "rtsp://{host}/ch{channel}", "host": "nvr", "channel": 3}, "sub", "")
    {'url': 'rtsp://nvr/ch3'}
    """
    rest = dict(body)
    given = {key: rest.pop(key) for key in FIELDS if rest.get(key) is not None}
    rest = {key: one for key, one in rest.items() if key not in FIELDS}
    url = rest.get("url")
    if not given and _MARK.search(str(url or "")) is None:
        return rest
    try:
        pattern = _pattern(given, url, stream)
        return {**rest, "url": _filled(pattern, given)}
    except RequestError as exc:
        raise BadDocument(f"{path}{exc}", hint=exc.hint) from exc


def _pattern(given: Mapping[str, object], url: object, stream: str) -> str:
    if "make" not in given:
        if not url:
            first = next(iter(given))
            raise RequestError(
                f"{first}: goes with a make, or a url that has {{{first}}}",
                hint="a make of " + ", ".join(MAKES),
            )
        return check_text(url, "url", 2048)
    if url:
        raise RequestError("url: given beside make", hint="one of the two")
    name = check_text(given["make"], "make", 64)
    make = MAKES.get(name.lower())
    if make is None:
        raise RequestError(f"make: {name!r} is not known", hint=meant(name.lower(), MAKES))
    if stream not in ("main", "sub"):
        raise RequestError(
            "make: of a make only streams main and sub are known", hint="write its url"
        )
    return make.main if stream == "main" else make.sub


def _filled(pattern: str, given: Mapping[str, object]) -> str:
    marks = {mark[1] for mark in _MARK.finditer(pattern)}
    if "host" not in given and (marks or "make" in given):
        raise RequestError("host: missing", hint="an address or a name, such as 10.0.0.7")
    if "host" in given and "host" not in marks:
        raise RequestError("host: given, and url has no {host}")
    channel = check_integer(given.get("channel", 1), "channel", 1, 9999)
    if "channel" not in marks and channel != 1:
        whose = f"cameras of make {given['make']} have one" if "make" in given else "url has none"
        raise RequestError(f"channel: {channel} is given, and {whose}")
    values = {"host": check_host(given["host"]), "channel": channel}
    if "port" in given:
        values["port"] = check_integer(given["port"], "port", 1, 65535)
        if "port" not in marks:
            values["host"] = f"{values['host']}:{values['port']}"
    elif "port" in marks:
        raise RequestError("port: missing", hint="url has {port}; 554 is usual")
    return _MARK.sub(lambda mark: str(values[mark[1]]).zfill(int(mark[2] or 0)), pattern)


def check_host(value: object) -> str:
    """Return a host's name or address as a URL has it.

    Raises: ``RequestError``.

    >>> check_host("10.0.0.7"), check_host("fe80::7")
    ('10.0.0.7', '[fe80::7]')
    """
    text = check_text(value, "host", 253).strip()
    if _HOST.fullmatch(text):
        return text
    try:
        inner = text[1:-1] if text.startswith("[") and text.endswith("]") else text
        return f"[{ipaddress.IPv6Address(inner).compressed}]"
    except ValueError:
        raise RequestError(
            "host: is neither a name nor an address",
            hint="only the host, such as 10.0.0.7: port and credentials have fields of their own",
        ) from None
