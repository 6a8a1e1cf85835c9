"""An S3 server that gives recorded answers, byte for byte, and notes what it was asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, parse_qsl, urlsplit

NS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


@dataclass(frozen=True)
class Answer:
    """One answer; ``body`` is XML, or the object's bytes."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


def error(status: int, code: str) -> Answer:
    """An error as S3 servers write it."""
    return Answer(status, f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode())


Ask = tuple[str, str, frozenset[str]]
"""Method, path below the bucket, names in the query."""


class Recorded:
    """A server on a loopback port; ``answer`` is looked up by what is asked."""

    def __init__(self, answer: Callable[[str, str, frozenset[str]], Answer]) -> None:
        self.asked: list[Ask] = []
        self.headers: list[dict[str, str]] = []
        self.versions: list[str] = []
        recorded = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                parts = urlsplit(self.path)
                names = frozenset(name for name, _ in parse_qsl(parts.query, True))
                key = parts.path.removeprefix("/bucket").removeprefix("/")
                recorded.asked.append((self.command, key, names))
                recorded.versions += parse_qs(parts.query).get("versionId", [])
                recorded.headers.append(dict(self.headers))
                said = answer(self.command, key, names)
                self.send_response(said.status)
                self.send_header("Content-Type", "application/xml")
                for header in said.headers:
                    self.send_header(*header)
                self.send_header("Content-Length", str(len(said.body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(said.body)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _answer

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
