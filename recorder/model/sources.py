"""Where ffmpeg may be sent: what a camera's URL may name, and what it may open then.  Pure.

A URL is handed to ffmpeg, which reads files, runs filter graphs that write some, and follows
what playlists say.  So what it may do is said by an allow-list, here, and given to it as well.
"""

from __future__ import annotations

import ipaddress
import re

from recorder.errors import BadDocument
from recorder.model.cameras import StreamSource
from recorder.model.urls import split_url

PROTOCOLS = {
    "rtsp": "rtsp,rtsps,rtp,srtp,udp,tcp,tls",
    "rtsps": "rtsp,rtsps,rtp,srtp,udp,tcp,tls",
    "http": "http,https,tcp,tls,crypto",
    "https": "http,https,tcp,tls,crypto",
    "udp": "udp,rtp",
    "rtp": "rtp,udp",
    "tcp": "tcp",
    "srt": "srt,udp",
    "file": "file",
}
"""What ffmpeg may open for a source of each scheme, by its ``protocol_whitelist``.  A camera, and
the redirect to one with a password, may send it from plain to TLS."""

SYNTHETIC = frozenset(
    (
        "allrgb",
        "allyuv",
        "color",
        "gradients",
        "mandelbrot",
        "nullsrc",
        "pal100bars",
        "pal75bars",
        "rgbtestsrc",
        "smptebars",
        "smptehdbars",
        "testsrc",
        "testsrc2",
        "yuvtestsrc",
        "anullsrc",
        "sine",
        "aformat",
        "aresample",
        "crop",
        "drawbox",
        "drawgrid",
        "fade",
        "format",
        "fps",
        "hflip",
        "hue",
        "negate",
        "noise",
        "null",
        "overlay",
        "pad",
        "rotate",
        "scale",
        "setsar",
        "split",
        "vflip",
        "volume",
    )
)
"""Filters that read and write no file.  Source: ffmpeg, filters documentation."""

_FILTER = re.compile(
    r"(?:\[\w+\])*\s*(\w+)(?:@\w+)?(?:=(?:\\.|[^\\,;\[\]'])*)?(?:\[\w+\])*", re.ASCII
)
_BETWEEN = re.compile(r"((?:\\.|[^\\,;])*)(?:[,;]|$)")
METADATA_NAMES = ("metadata.google.internal", "metadata.goog", "instance-data")
METADATA = frozenset(map(ipaddress.ip_address, ("fd00:ec2::254", "100.100.100.200", "192.0.0.192")))
"""Where clouds keep a machine's secrets, besides 169.254.169.254.  Source: AWS, Alibaba, Oracle."""


def check_source(source: StreamSource, path: str = "") -> None:
    """Look at where a source would send ffmpeg, whatever the settings of a node allow.

    Raises: ``BadDocument``.
    """
    if source.scheme == "lavfi":
        check_graph(source.url.split(":", 1)[1], path)
    elif source.scheme in ("http", "https") and link_local(split_url(source.url).hostname or ""):
        raise BadDocument(
            f"{path}url: link-local addresses are not asked over http",
            hint="169.254.169.254 is where clouds keep a machine's secrets",
        )


def check_graph(graph: str, path: str = "") -> None:
    """Look at a filter graph that makes a picture: of filters that touch no file alone.

    Raises: ``BadDocument`` naming the filter.

    >>> check_graph("testsrc2=size=320x240:rate=10,noise=alls=8[out0];sine[out1]")
    """
    hint = "use testsrc2, color, smptebars, sine and the like"
    if not graph or "'" in graph:
        raise BadDocument(f"{path}url: is no plain filter graph", hint=hint)
    at = 0
    while at < len(graph):
        found = _BETWEEN.match(graph, at)
        one = _FILTER.fullmatch(found[1]) if found is not None else None
        if found is None or one is None:
            raise BadDocument(f"{path}url: is no plain filter graph", hint=hint)
        if one[1] not in SYNTHETIC:
            raise BadDocument(f"{path}url: filter {one[1][:40]!r} is not allowed", hint=hint)
        at = found.end()


def link_local(host: str) -> bool:
    """Tell whether a host is link-local, or a cloud's for secrets, however it is written.

    >>> [link_local(one) for one in ("169.254.1.1", "0xA9FEA9FE", "[::ffff:a9fe:1]", "10.0.0.1")]
    [True, True, True, False]
    """
    bare = host.strip("[]").rstrip(".").partition("%")[0].lower()
    if bare in METADATA_NAMES:
        return True
    try:
        address: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(bare)
    except ValueError:
        number = _as_inet_aton(bare)
        if number is None:
            return False
        address = ipaddress.IPv4Address(number)
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_link_local or (mapped or address) in METADATA


def _as_inet_aton(text: str) -> int | None:
    """Read an IPv4 address as C does: one to four parts, decimal, octal or hexadecimal.

    Source: POSIX, ``inet_addr``.
    """
    parts = text.split(".")
    if not 1 <= len(parts) <= 4 or not all(
        re.fullmatch(r"0x[0-9a-f]{1,8}|[0-9]{1,11}", one) for one in parts
    ):
        return None
    try:
        numbers = [
            int(one, 16) if one.startswith("0x") else int(one, 8 if one[0] == "0" else 10)
            for one in parts
        ]
    except ValueError:
        return None
    last = 256 ** (5 - len(parts))
    if any(one > 255 for one in numbers[:-1]) or numbers[-1] >= last:
        return None
    for place, one in enumerate(numbers[:-1]):
        numbers[-1] += one << (24 - 8 * place)
    return numbers[-1]
