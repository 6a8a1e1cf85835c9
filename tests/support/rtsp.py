"""RTSP as text: requests read, answers written, a client's word checked."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass

REALM, NONCE = "camera", "5d3c0f1a9e7b"
REASONS = {200: "OK", 302: "Found", 401: "Unauthorized", 454: "Session Not Found",
           503: "Service Unavailable"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked."""

    method: str
    url: str
    headers: dict[str, str]

    @property
    def track(self) -> int:
        """The track that the address names."""
        return int(self.url.rstrip("/").rpartition("track")[2])


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """Read a request; ``None`` for a packet that the client sends in between."""
    first = await reader.readexactly(1)
    if first == b"$":
        head = await reader.readexactly(3)
        await reader.readexactly(struct.unpack(">BH", head)[1])
        return None
    text = (first + await reader.readuntil(b"\r\n\r\n")).decode()
    start, *rest = text.strip().split("\r\n")
    pairs = (line.partition(":") for line in rest)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    await reader.readexactly(int(headers.get("content-length", "0")))
    method, url, *_ = start.split(" ")
    return Request(method, url, headers)


def write_answer(request: Request, status: int, body: str, headers: Mapping[str, str]) -> bytes:
    """Write an answer; underscores in names of headers become dashes."""
    lines = [f"RTSP/1.0 {status} {REASONS[status]}", f"CSeq: {request.headers.get('cseq', '0')}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def challenge(scheme: str) -> str:
    """Ask for a user and a password."""
    nonce = f', nonce="{NONCE}"' if scheme == "Digest" else ""
    return f'{scheme} realm="{REALM}"{nonce}'


def knows(request: Request, user: str, scheme: str) -> bool:
    """Check a client's word for ``name:password`` (RFC 7617; RFC 2617 without ``qop``)."""
    given = request.headers.get("authorization", "")
    if scheme == "Basic":
        return given == "Basic " + base64.b64encode(user.encode()).decode()
    fields = dict(part.strip().partition("=")[::2] for part in given[6:].split(","))
    name, _, password = user.partition(":")
    own = _md5(f"{name}:{REALM}:{password}")
    asked = _md5(f"{request.method}:{fields.get('uri', '').strip(chr(34))}")
    return fields.get("response", "").strip('"') == _md5(f"{own}:{NONCE}:{asked}")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def neighbours() -> list[socket.socket]:
    """Open two UDP sockets, the first on an even port, the second on the next."""
    for port in range(20_000, 60_000, 2):
        pair = [socket.socket(type=socket.SOCK_DGRAM) for _ in range(2)]
        try:
            for at, one in enumerate(pair):
                one.bind(("127.0.0.1", port + at))
        except OSError:
            for one in pair:
                one.close()
        else:
            return pair
    raise OSError("no two neighbouring ports are free")
