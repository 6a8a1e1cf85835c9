"""OpenID providers: a real one in a process of its own, and one that lies on command."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

from recorder.clock import SystemClock
from recorder.config import ApiPart, load_settings
from recorder.model.timebase import SECOND
from recorder.oidc import OidcPart
from tests.support.ports import free_port

SCRIPT = Path(__file__).with_name("provider.mjs")
GRANTS = {"guards": [{"role": "viewer"}], "leads": [{"role": "officer", "back": "7d"}]}
SECRET = "the client's secret, of some length"
KEY = RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})


def settings_of(folder: Path, **more: Any) -> Any:
    """Settings of a node that has a provider."""
    said = {"client_id": "recorder", "client_secret": "env:T_OIDC", "grants": GRANTS, **more}
    part = ApiPart(listen="127.0.0.1:8600", oidc=OidcPart(**said))
    return load_settings(None, data=folder, site="centre", node="n1", api=part)


class RealProvider:
    """The ``oidc-provider`` of npm; ``groups``: of each name that may be typed."""

    def __init__(self, redirect: str, groups: Mapping[str, list[str]], **told: Any) -> None:
        self.port = free_port()
        self.issuer = f"http://127.0.0.1:{self.port}"
        self.told = {"redirect": redirect, "groups": groups, "secret": SECRET, **told}
        self.process: subprocess.Popen[str] | None = None

    def start(self, **more: Any) -> RealProvider:
        """Start, once more if need be; with keys made anew each time."""
        self.process = subprocess.Popen(
            ["node", str(SCRIPT), str(self.port), json.dumps({**self.told, **more})],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        while (line := self.process.stdout.readline()) != "ready\n":
            assert line, "the provider did not start"
        return self

    def stop(self) -> None:
        """Stop."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.process = None


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer()

    do_POST = do_GET

    def _answer(self) -> None:
        fake = cast(FakeProvider, getattr(self.server, "fake"))  # noqa: B009
        path = urlsplit(self.path).path
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fake.asked.append(path)
        fake.form = parse_qs(body.decode()) or fake.form
        fake.may_answer.wait(30)
        raw = fake.answer(path)
        if path == "/auth":  # a page, as a person would be shown one: that sends the browser back
            to = escape(fake.sends_back(parse_qs(urlsplit(self.path).query)))
            raw = f'<meta http-equiv="refresh" content="0;url={to}">'.encode()
        with contextlib.suppress(OSError):
            self.send_response(fake.status.get(path, 200))
            self.send_header("Content-Length", str(len(raw)))
            self.send_header("Content-Type", "text/html" if path == "/auth" else "text/json")
            self.end_headers()
            self.wfile.write(raw)

    def log_message(self, format: str, *args: object) -> None:
        pass


class FakeProvider:
    """Answers what it is told: ``tokens`` is what a code is changed for."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        server.daemon_threads = True
        setattr(server, "fake", self)  # noqa: B010
        self._server = server
        self.issuer = f"http://{host}:{server.server_port}"
        self.signs_in: dict[str, Any] = {}
        self.keys, self.asked, self.form = [KEY], list[str](), dict[str, list[str]]()
        self.status: dict[str, int] = {}
        self.metadata: dict[str, Any] = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/auth",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/me",
        }
        self.tokens: dict[str, Any] = {}
        self.info: dict[str, Any] = {}
        self.raw: dict[str, bytes] = {}
        self.may_answer = threading.Event()
        self.may_answer.set()
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def answer(self, path: str) -> bytes:
        """The answer at a path."""
        keys = {"keys": [one.as_dict(private=False) for one in self.keys]}
        found = {"/keys": keys, "/token": self.tokens, "/me": self.info}
        return self.raw.get(path) or json.dumps(found.get(path, self.metadata)).encode()

    def sends_back(self, asked: Mapping[str, list[str]]) -> str:
        """Sign in whoever comes, without a question: where a browser goes on to."""
        now = SystemClock().now() // SECOND
        self.sign({
            "iss": self.issuer, "aud": "recorder", "iat": now, "exp": now + 60,
            "nonce": asked["nonce"][0], **self.signs_in,
        })  # fmt: skip
        return f"{asked['redirect_uri'][0]}?code=c&state={asked['state'][0]}"

    def close(self) -> None:
        """Stop."""
        self.may_answer.set()
        self._server.shutdown()
        self._server.server_close()

    def sign(self, claims: Mapping[str, Any], key: Any = KEY, **header: Any) -> None:
        """Have a code changed for an ID token with these claims."""
        head = {"alg": "RS256", "kid": key.kid, **header}
        algorithms = [head["alg"]]
        self.tokens = {"id_token": jwt.encode(head, dict(claims), key, algorithms=algorithms)}


@contextlib.contextmanager
def faking(host: str = "127.0.0.1") -> Iterator[FakeProvider]:
    """Run a provider that lies on command, under a name of this machine."""
    made = FakeProvider(host)
    try:
        yield made
    finally:
        made.close()
