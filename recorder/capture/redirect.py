"""Hands a camera's URL with credentials to ffmpeg without writing it into its arguments.

Anyone on the machine may list the arguments of a process.  So ffmpeg is given an address on
loopback with a token nobody can guess; who asks there, by RTSP or HTTP, is sent on to the
camera by a redirect, which both protocols know and ffmpeg follows.  The token can be read there,
too: so whose the connection is is looked up, and no other user is sent on.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import socketserver
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from recorder.capture import diag
from recorder.errors import NoThread
from recorder.model.cameras import StreamSource
from recorder.threads import launch

_REQUEST = re.compile(rb"^[A-Z]+ (?:[a-z]+://[^/ ]+)?/(\S*) (RTSP/1\.0|HTTP/1\.[01])\r?\n")
_CSEQ = re.compile(rb"(?im)^CSeq:\s*(\d+)")
_MOST_BYTES = 8192
CONNECTIONS = Path("/proc/self/net/tcp")

log = logging.getLogger("recorder.capture")


def owner_in(lines: Iterable[str], port: int, to: int) -> int | None:
    """Find whose end of a connection on loopback is at ``port``; ``None`` where there is none.

    Source: proc(5), ``/proc/net/tcp``.

    >>> line = "5: 0100007F:AF10 0100007F:1F90 01 00000000:00000000 00:00000000 00000000 1000 0 7"
    >>> owner_in([line], 0xAF10, 0x1F90), owner_in([line], 0x1F90, 0xAF10)
    (1000, None)
    """
    ends = (f"0100007F:{port:04X}", f"0100007F:{to:04X}")
    for line in lines:
        fields = line.split()
        if len(fields) > 7 and (fields[1], fields[2]) == ends:
            return int(fields[7])
    return None


def is_ours(port: int, to: int) -> bool | None:
    """Tell whether a connection on loopback is of a process of this user.

    Without ``/proc``, or with one of other processes, the kernel is asked for that one.  Where
    Linux says neither, it is not known.  On other systems nobody can know: then it counts as ours.
    """
    if not sys.platform.startswith("linux"):
        return True
    try:
        with CONNECTIONS.open() as lines:
            return owner_in(lines, port, to) == os.geteuid()
    except OSError:
        pass
    try:
        return diag.owner_of(port, to) == os.geteuid()
    except OSError:
        return None


class Redirects:
    """A server on loopback; started with the first offer, it ends with the process."""

    def __init__(self, ours: Callable[[int, int], bool | None] = is_ours) -> None:
        """``ours``: whether the connection from a port to a port is this user's."""
        self._ours = ours
        self._offers: dict[str, str] = {}
        self._lock = threading.Lock()
        self._port = 0

    @contextlib.contextmanager
    def offered(self, url: str) -> Iterator[str]:
        """Give an address that leads to ``url`` (rtsp, rtsps, http or https) while in use."""
        token = secrets.token_urlsafe(24)
        scheme = "http" if url.lower().startswith("http") else "rtsp"
        with self._lock:
            if not self._port:
                self._port = self._serve()
            self._offers[token] = url
        try:
            yield f"{scheme}://127.0.0.1:{self._port}/{token}"
        finally:
            with self._lock:
                self._offers.pop(token, None)

    def answer(self, request: bytes) -> bytes:
        """Answer one request's head.  Pure but for the offers."""
        found = _REQUEST.match(request)
        if found is None:
            return b"HTTP/1.0 400 Bad Request\r\n\r\n"
        protocol = found.group(2)
        with self._lock:
            url = self._offers.get(found.group(1).decode(errors="replace").rstrip("/"))
        cseq = _CSEQ.search(request)
        lines = [protocol + (b" 302 Found" if url else b" 404 Not Found")]
        if cseq:
            lines.append(b"CSeq: " + cseq.group(1))
        if url:
            lines.append(b"Location: " + url.encode())
        return b"\r\n".join([*lines, b"Content-Length: 0", b"Connection: close", b"", b""])

    def _serve(self) -> int:
        redirects = self

        class Handler(socketserver.StreamRequestHandler):
            timeout = 10

            def handle(self) -> None:
                head = b""
                with contextlib.suppress(OSError):
                    while b"\r\n\r\n" not in head and len(head) < _MOST_BYTES:
                        line = self.rfile.readline(_MOST_BYTES)
                        if not line:
                            return
                        head += line
                    self.wfile.write(redirects.answer(head))

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

            def verify_request(self, _: object, client: tuple[str, int]) -> bool:
                ours = redirects._ours(client[1], int(self.server_address[1]))
                if ours is None:
                    hint = "mount /proc: cameras with a password are not recorded without"
                    log.error("nobody can say who asks where a camera is", extra={"hint": hint})
                elif not ours:
                    log.warning("another user asks where a camera is, and is not told")
                return bool(ours)

        server = Server(("127.0.0.1", 0), Handler)
        try:
            launch(threading.Thread(target=server.serve_forever, name="redirects", daemon=True))
        except NoThread:
            server.server_close()  # each try would leave a socket
            raise
        return int(server.server_address[1])


_REDIRECTS = Redirects()


@contextlib.contextmanager
def hidden(source: StreamSource) -> Iterator[str]:
    """Give the URL for ffmpeg's arguments: the source's own where it holds no secret."""
    if not source.hidden:
        yield source.full_url()
        return
    with _REDIRECTS.offered(source.full_url()) as url:
        yield url
