"""Signing in by a browser on this machine, which brings back a code that counts here alone.

Source: RFC 8252, 7.3: an address of loopback; RFC 7636: nobody else can use the code.
"""

from __future__ import annotations

import base64
import time
import webbrowser
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import cast
from urllib.parse import parse_qs, urlencode, urlsplit

from recorder.access.flow import challenge_of
from recorder.clock import chance
from recorder.errors import UnavailableError

WAITS_S = 600.0
"""As long as the server remembers that somebody began."""
DONE = b"<!doctype html><meta charset=utf-8><title>recorder</title><p>Signed in. Close this window."


class _Waiting(HTTPServer):
    """Waits for one code; ``code`` is empty until it came."""

    code = ""


class _Handler(BaseHTTPRequestHandler):
    timeout = 10

    def do_GET(self) -> None:
        """Take the code that a browser brings."""
        found = parse_qs(urlsplit(self.path).query).get("code", [""])[0]
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(DONE) if found else 0))
        self.end_headers()
        if found:
            self.wfile.write(DONE)
            cast(_Waiting, self.server).code = found

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the address holds the code."""


def code_and_verifier(
    server: str, tell: Callable[[str], None], show: Callable[[str], object] = webbrowser.open
) -> tuple[str, str]:
    """Have a browser sign in at a server; return its code, and what is shown with it.

    ``tell`` is told the address, for a browser that does not open by itself.
    Raises: ``UnavailableError`` when nobody came back.
    """
    verifier = base64.urlsafe_b64encode(chance(32)).decode().rstrip("=")
    with _Waiting(("127.0.0.1", 0), _Handler) as waiting:
        waiting.timeout = 1.0
        query = urlencode({"port": waiting.server_port, "challenge": challenge_of(verifier)})
        address = f"{server.rstrip('/')}/api/v1/access/oidc/login?{query}"
        tell(f"sign in with a browser on this machine: {address}")
        show(address)
        until = time.monotonic() + WAITS_S
        while not waiting.code and time.monotonic() < until:
            waiting.handle_request()
    if not waiting.code:
        raise UnavailableError("nobody came back from the browser", hint="try again")
    return waiting.code, verifier
