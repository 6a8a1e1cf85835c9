"""Another site's API, as a client: urllib3, errors translated once."""

from __future__ import annotations

import contextlib
import gzip
import json
import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import urllib3

from recorder.clock import SystemClock
from recorder.errors import CopyMissing, SiteUnreachable, StoreUnavailable
from recorder.sites.replied import how_far, read_object, refused, whose_answer
from recorder.store.pool import from_byte

BLOCK = 1 << 20
MOST_ANSWER, MOST_PROBLEM = 64 << 20, 64 << 10
"""Bytes of an answer that is no footage, and of one that says what is wrong."""
SIGNED = "X-Spanstore-Signed"
Sign = Callable[[str, str, int], str]
_CLOCK = SystemClock()
TIMEOUT = urllib3.Timeout(connect=3, read=30)
PATIENCE_S = 5.0
"""For footage, and as much again for each site on the way: who is nearer must not give up first."""
SHUNNED_S = 5.0
"""So long nothing more is read from a site that was silent: each segment of a clip would wait."""


def _without_credentials(url: str) -> tuple[str, dict[str, str]]:
    """Take user and password out of a URL: urllib3 does not send them from there."""
    parts = urllib3.util.parse_url(url)
    bare = parts._replace(auth=None).url.rstrip("/")
    if not parts.auth:
        return bare, {}
    return bare, urllib3.make_headers(basic_auth=unquote(parts.auth))


class RemoteSite:
    """One other site, by the URL of its API."""

    def __init__(
        self,
        name: str,
        url: str,
        now: Callable[[], float] = time.monotonic,
        own: str = "",
        catalog_id: Callable[[], str] = str,
        sign: Sign | None = None,
        wall: Callable[[], int] = _CLOCK.now,
    ) -> None:
        """``own``: the site that asks, by which catalog; it says so when it sends footage.

        ``sign``: signs a request (method, path, how far ahead its clock is); empty where the other
        knows no key of ours.
        """
        self.name, self._now, self.own = name, now, own
        self._sign, self._ahead_ns = sign, 0
        self._wall = wall
        self.url, self._identity = _without_credentials(url)
        self._catalog_id = catalog_id
        self._shunned_until = float("-inf")
        self._pool = urllib3.PoolManager(maxsize=16, retries=False, timeout=TIMEOUT)

    def _ask(self, method: str, path: str, **options: Any) -> urllib3.BaseHTTPResponse:
        headers = {**options.pop("headers", {}), **self._identity}
        if self._sign is not None:
            signed = self._sign(method, unquote(urlsplit(path).path), self._ahead_ns)
            headers |= {SIGNED: signed} if signed else {}
        whole = options.pop("whole", True)
        try:
            answer: urllib3.BaseHTTPResponse = self._pool.request(
                method, self.url + path, headers=headers, preload_content=False, **options
            )
            self._learn_time(answer)
            return _read_whole(answer) if whole else answer
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            raise SiteUnreachable(
                f"site {self.name} does not answer at {self.url}: {type(exc).__name__}",
                hint="is its recorder running, and the link up?",
            ) from exc

    def _ask_again(self, method: str, path: str, **options: object) -> urllib3.BaseHTTPResponse:
        """Ask what may be asked twice: a kept connection may be closed as it is taken up again."""
        try:
            return self._ask(method, path, **options)
        except SiteUnreachable as exc:
            if not isinstance(exc.__cause__, urllib3.exceptions.ProtocolError):
                raise
        return self._ask(method, path, **options)

    def _learn_time(self, answer: urllib3.BaseHTTPResponse) -> None:
        """Sign by the other's clock, from a refusal on, where it is far from ours."""
        if answer.status == 401 and self._sign is not None:
            with contextlib.suppress(TypeError, ValueError):
                said = parsedate_to_datetime(answer.headers.get("Date", ""))
                self._ahead_ns = int(said.timestamp() * 1e9) - self._wall()

    def join(self, word: str, site: str, public_key: str) -> dict[str, object]:
        """Show the word that this site was given; return the other's name and keys."""
        body = json.dumps({"word": word, "site": site, "public_key": public_key})
        headers = {"Content-Type": "application/json"}
        answer = self._ask("POST", "/api/v1/access/join", body=body, headers=headers)
        if answer.status != 200:
            raise refused(self.name, "join", answer)
        return whose_answer(answer, self.name, self.url)

    def exchange(self, body: dict[str, object]) -> dict[str, Any]:
        """Send a feed message up; return the answer, with documents for this site.

        An answer that does not say whose it is, is none: a proxy's page, another service.
        """
        packed = gzip.compress(json.dumps(body).encode(), 1)
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        answer = self._ask("POST", "/api/v1/feed", body=packed, headers=headers)
        if answer.status != 200:
            raise refused(self.name, "feed", answer)
        return whose_answer(answer, self.name, self.url, "level")

    # -- footage up ------------------------------------------------------------------------

    def _sender(self) -> dict[str, str]:
        """Say who sends."""
        return {"X-Site": self.own, "X-Catalog": self._catalog_id()} if self.own else {}

    def standing(self, key: str, digest: str = "") -> tuple[int, str]:
        """Return how many bytes of an object the site has got, and its place once stored.

        ``digest``: what it has under that key, and is something else, is not there.
        """
        headers = {**self._sender(), **({"X-Digest": digest} if digest else {})}
        answer = self._ask("HEAD", f"/api/v1/transfers/{quote(key)}", headers=headers)
        if answer.status != 200:
            raise refused(self.name, f"ask for {key}", answer)
        return how_far(answer, self.name, self.url)

    def send(self, key: str, offset: int, size: int, digest: str, body: Iterator[bytes]) -> bool:
        """Send an object's bytes from ``offset`` on; the site checks its digest at the end.

        Returns true when it is whole and checked there, and needs to be sent no more.
        """
        headers = {
            "Upload-Offset": str(offset),
            "X-Size": str(size),
            "X-Digest": digest,
            "Content-Type": "application/offset+octet-stream",
            **self._sender(),
        }
        answer = self._ask("PATCH", f"/api/v1/transfers/{quote(key)}", body=body, headers=headers)
        if answer.status not in (200, 202):
            raise refused(self.name, f"send {key}", answer)
        return answer.status == 200

    # -- reads across ----------------------------------------------------------------------

    def read(
        self, key: str, offset: int, length: int, avoid: str, hops: int = 1
    ) -> Iterator[bytes]:
        """Yield exactly ``length`` bytes of an object there.

        ``avoid``: the site that it must not ask in turn; ``hops``: how many sites away it lies.
        """
        path = f"/api/v1/objects/{quote(key)}?avoid={quote(avoid)}"
        yield from self._part(key, path, offset, length, hops)

    def export(self, export_id: str, offset: int, length: int) -> Iterator[bytes]:
        """Yield exactly ``length`` bytes of a bundle that another node of the site has made."""
        path = f"/api/v1/exports/{quote(export_id)}/bytes"
        yield from self._part(export_id, path, offset, length, 1)

    def _part(self, what: str, path: str, offset: int, length: int, hops: int) -> Iterator[bytes]:
        if self._now() < self._shunned_until:
            raise StoreUnavailable(f"read {what}: site {self.name} did not answer a moment ago")
        headers = {"Range": f"bytes={offset}-{offset + length - 1}"}
        timeout = urllib3.Timeout(connect=3, read=PATIENCE_S * (1 + hops))
        options: dict[str, object] = {"whole": False, "timeout": timeout}
        try:
            answer = self._ask_again("GET", path, headers=headers, **options)
        except SiteUnreachable as exc:
            self._shun()
            raise StoreUnavailable(str(exc), hint=exc.hint) from exc
        try:
            if answer.status == 404 or (answer.status == 500 and _lacks(answer)):
                raise CopyMissing(f"read {what}: site {self.name} has it no more")
            if answer.status != 206:
                raise StoreUnavailable(f"read {what}: site {self.name} says {answer.status}")
            yield from _exactly(answer, offset, length, f"read {what}: site {self.name}")
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            if isinstance(exc, urllib3.exceptions.ReadTimeoutError):
                self._shun()
            raise StoreUnavailable(f"read {what}: site {self.name} broke off: {exc}") from exc
        finally:
            answer.release_conn()

    def _shun(self) -> None:
        """Ask no more for a while.  Not after an error it answered: its other copies are well."""
        self._shunned_until = self._now() + SHUNNED_S


def _read_whole(answer: urllib3.BaseHTTPResponse) -> urllib3.HTTPResponse:
    """Read an answer that is no footage, and no more of it than one can have.

    Raises: ``urllib3.exceptions.HTTPError``.
    """
    body = bytearray()
    for block in answer.stream(BLOCK):
        body += block
        if len(body) > MOST_ANSWER:
            answer.close()
            raise urllib3.exceptions.ResponseError(f"an answer of more than {MOST_ANSWER} bytes")
    answer.release_conn()
    return urllib3.HTTPResponse(bytes(body), answer.headers, answer.status, reason=answer.reason)


def _exactly(
    answer: urllib3.BaseHTTPResponse, offset: int, length: int, what: str
) -> Iterator[bytes]:
    """Yield just the bytes that were asked for of an answer, in blocks.

    Raises: ``StoreUnavailable`` where it begins elsewhere, or ends early.
    """
    try:
        for block in from_byte(answer, offset, BLOCK):
            yield block[:length]
            length -= len(block)
            if length <= 0:
                break
    finally:
        if length:  # it goes on with what nobody asked for, or is waited for no more
            answer.close()
    if length > 0:
        raise StoreUnavailable(f"{what} broke off {length} bytes early")


def _lacks(answer: urllib3.BaseHTTPResponse) -> bool:
    """Tell whether a site has no copy, though its catalog knows one: no retry helps."""
    try:
        said = read_object(answer.read(MOST_PROBLEM))
    except urllib3.exceptions.HTTPError:
        return False
    return said.get("title") == CopyMissing.__name__
