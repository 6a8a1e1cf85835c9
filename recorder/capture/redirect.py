"""Hands a camera's URL with credentials to ffmpeg without writing it into its arguments.

Anyone on the machine may list the arguments of a process.  So ffmpeg is given an address on
loopback with a token nobody can guess; who asks there, by RTSP or HTTP, is sent on to the
camera by a redirect, which both protocols know and ffmpeg follows.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import socketserver
import threading
from collections.abc import Iterator

from recorder.model.cameras import StreamSource

_REQUEST = re.compile(rb"^[A-Z]+ (?:[a-z]+://[^/ ]+)?/(\S*) (RTSP/1\.0|HTTP/1\.[01])\r?\n")
_CSEQ = re.compile(rb"(?im)^CSeq:\s*(\d+)")
_MOST_BYTES = 8192


class Redirects:
    """A server on loopback; started with the first offer, it ends with the process."""

    def __init__(self) -> None:
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

        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, name="redirects", daemon=True).start()
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
