"""A server's API over HTTP: requests, tried again where that may help; problems as errors."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode, urljoin

import certifi
import urllib3

from recorder import errors
from recorder.client.asked import plain
from recorder.errors import IntegrityError, RecorderError, RequestError, ServerUnreachable
from recorder.model.checks import read_json
from recorder.model.urls import split_url

API = "/api/v1"
TIMEOUT = urllib3.Timeout(connect=5, read=120)
"""A request with ``wait`` is silent for up to the server's ``api.wait``."""
PATIENCE_S = 60.0
SAFE = ("GET", "HEAD", "PUT")
"""What may be sent again though it may have arrived: it is answered the same, and does no more."""


class Connection:
    """One server, as one caller; safe to share between threads."""

    def __init__(
        self,
        server: str,
        token: str = "",
        ca_file: str | None = None,
        patience_s: float = PATIENCE_S,
        purpose: str = "",
    ) -> None:
        """``server``: URL without ``/api/v1``.  ``patience_s``: how long one request is tried."""
        parts = split_url(server)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise RequestError(f"server {server!r}: give its URL, like https://recorder.example")
        if "@" in parts.netloc:
            raise RequestError(
                "server: a user and a password in its URL are shown to nobody",
                hint="show a token: --token-file FILE (or token=)",
            )
        self.server, self.patience_s = server.rstrip("/"), patience_s
        self._headers = {"X-Purpose": purpose} if purpose else {}
        self.show(token)
        self._pool = urllib3.PoolManager(
            maxsize=16, retries=False, timeout=TIMEOUT, ca_certs=ca_file or certifi.where()
        )

    def show(self, token: str) -> None:
        """Show a token, or a session's word, from now on; an empty one: nothing."""
        self._headers.pop("Authorization", None)
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def close(self) -> None:
        """Let go of all connections."""
        self._pool.clear()

    def json(
        self,
        method: str,
        path: str,
        query: Mapping[str, object] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> object:
        """Ask, and read the answer as JSON; ``None`` when there is nothing in it.

        Raises: what the server's problem stands for; ``ServerUnreachable``.
        """
        return self.read(self.open(method, self.address(path, query), body=body, headers=headers))

    def read(self, answer: urllib3.BaseHTTPResponse) -> object:
        """Read an answer as JSON; ``None`` when there is nothing in it."""
        data = self._all(answer)
        return read_json(data, "answer") if data else None

    def content(self, path: str) -> bytes:
        """Get an address's bytes, whatever they are.

        Raises: what the server's problem stands for; ``ServerUnreachable``.
        """
        return self._all(self.open("GET", self.address(path)))

    def _all(self, answer: urllib3.BaseHTTPResponse) -> bytes:
        try:
            return answer.read()
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            raise self._unreachable(exc) from exc

    def pages(self, path: str, query: Mapping[str, object]) -> Iterator[Any]:
        """Yield what a list has, page after page."""
        for page in self.answers(path, query):
            yield from page or ()

    def answers(self, path: str, query: Mapping[str, object]) -> Iterator[Any]:
        """Yield every page of what comes in pages, as it was answered."""
        address: str | None = self.address(path, query)
        while address is not None:
            answer = self.open("GET", address)
            yield self.read(answer)
            target = linked(answer.headers.get("Link", ""), "next")
            address = urljoin(address, target) if target is not None else None

    def address(self, path: str, query: Mapping[str, object] | None = None) -> str:
        """Return the URL of an address of the API; parameters that are ``None`` are left out."""
        asked = {
            key: str(value).lower() if isinstance(value, bool) else value
            for key, value in (query or {}).items()
            if value is not None
        }
        return f"{self.server}{API}{path}" + (f"?{urlencode(asked, doseq=True)}" if asked else "")

    def open(
        self,
        method: str,
        address: str,
        *,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> urllib3.BaseHTTPResponse:
        """Ask; return the answer unread.  Tried again while that may help, for ``patience_s``.

        Raises: what the server's problem stands for; ``ServerUnreachable``.
        """
        deadline, pause = time.monotonic() + self.patience_s, 0.2
        while True:
            try:
                return self._once(method, address, body, headers or {})
            except RecorderError as exc:
                asked = exc.retry_after_s if not isinstance(exc, ServerUnreachable) else pause
                if not _may_help(exc, method, headers or {}) or time.monotonic() + asked > deadline:
                    raise
                time.sleep(asked)
                pause = min(5.0, 2 * pause)

    def _once(
        self, method: str, address: str, body: object, headers: Mapping[str, str]
    ) -> urllib3.BaseHTTPResponse:
        sent = {**self._headers, **headers}
        data = None
        if body is not None:
            data = json.dumps(plain(body)).encode()
            sent["Content-Type"] = "application/json"
        try:
            answer = self._pool.request(
                method, address, body=data, headers=sent, preload_content=False, redirect=False
            )
            if answer.status < 300:
                return answer
            said = answer.read() if method != "HEAD" else self._words(address, answer, sent)
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            raise self._unreachable(exc) from exc
        raise problem_of(answer.status, said, answer.headers.get("Retry-After"))

    def _words(
        self, address: str, refused: urllib3.BaseHTTPResponse, headers: Mapping[str, str]
    ) -> bytes:
        """Return why a HEAD was refused, which it is not told itself: a byte is asked for."""
        refused.close()
        asking = {**headers, "Range": "bytes=0-0"}
        again = self._pool.request(
            "GET", address, headers=asking, preload_content=False, redirect=False
        )
        if again.status == refused.status:
            return again.read()
        again.close()
        return b""

    def _unreachable(self, exc: Exception) -> ServerUnreachable:
        reason = getattr(exc, "reason", None) or exc
        cause = reason.args[0] if reason.args else None
        if isinstance(cause, ssl.SSLCertVerificationError):
            return ServerUnreachable(
                f"{self.server}: its certificate is not believed: {cause.verify_message}",
                hint="--ca-file FILE (or ca_file=) names the PEM of the CA that signed it",
            )
        return ServerUnreachable(
            f"{self.server} does not answer: {type(reason).__name__}",
            hint="is the URL right, and the recorder running?",
        )


def _may_help(exc: RecorderError, method: str, headers: Mapping[str, str]) -> bool:
    """Tell whether asking again may help, and is not answered by what the first did."""
    if isinstance(exc, errors.NotYet) or not exc.retryable:
        return False
    safe = method in SAFE and "If-None-Match" not in headers
    return safe or not isinstance(exc, ServerUnreachable)


def problem_of(status: int, body: bytes, retry_after: str | None = None) -> RecorderError:
    """Return the error that an answer stands for.

    >>> problem_of(404, b'{"title": "NotFound", "detail": "no camera", "hint": null}')
    NotFound('no camera')
    >>> problem_of(502, b"<html>").retryable
    True
    """
    try:
        said = json.loads(body)
        title, detail, hint = said["title"], str(said["detail"]), str(said.get("hint") or "")
    except (ValueError, KeyError, TypeError):
        title, detail, hint = "", f"HTTP {status}", "does a recorder listen at this URL?"
        if status in (401, 407):
            hint = "a proxy before the recorder asks for a password of its own; it takes a token"
    found = (class_named(str(title)) or _by_status(status))(detail, hint=hint)
    if retry_after is not None and retry_after.isdecimal():
        found.retry_after_s = min(60, int(retry_after))
    return found


def class_named(title: str) -> type[RecorderError] | None:
    """Return the class of error that a server names."""
    kind = getattr(errors, title, None)
    return kind if isinstance(kind, type) and issubclass(kind, RecorderError) else None


def _by_status(status: int) -> type[RecorderError]:
    if status in (401, 403):
        return errors.NotAllowed
    if status == 404:
        return errors.NotFound
    if status in (409, 412):
        return errors.StateError
    if status in (429, 502, 503, 504):
        return errors.UnavailableError
    return RequestError if 400 <= status < 500 else IntegrityError


def linked(link: str, relation: str) -> str | None:
    """Return the target of a ``Link`` header's link of a relation.

    >>> linked('<?cursor=a%2Cb&limit=1>; rel="next"', "next"), linked("", "next")
    ('?cursor=a%2Cb&limit=1', None)
    """
    for part in link.split(", <"):
        target, _, rest = part.lstrip("<").partition(">")
        if f'rel="{relation}"' in rest:
            return target
    return None
