"""Connections to an S3 store, and what is put right in its answers."""

from __future__ import annotations

import http.client
import io
import re
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from recorder.errors import ConfigError, StoreUnavailable

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

READ_S, ANSWER_S = 30.0, 120.0
"""So long between bytes, and for an answer that is no object."""
_TIME = re.compile(rb"(?<=>)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[^<]*(?=<)")
"""Times as servers write them: with nanoseconds, or an offset, the client cannot read them."""
_ERROR = re.compile(rb"\s*(<\?xml[^>]*>\s*)?<Error\b")
_CODE = re.compile(rb"<Code>([\w.]{1,60})</Code>")
_RANGE = re.compile(r"bytes (\d+)-")


def _readable(found: re.Match[bytes]) -> bytes:
    """Write a time in UTC, to the microsecond."""
    try:
        time = datetime.fromisoformat(found[0].decode().replace(":60", ":59"))  # a leap second
    except ValueError:
        return found[0]
    utc = time.replace(tzinfo=time.tzinfo or UTC).astimezone(UTC)
    return utc.strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()


class _Patient(io.RawIOBase):
    """A socket's bytes, as long as they are waited for: each time-out of a socket begins anew.

    A server, or a proxy before it, that sends a byte now and then would be waited for for ever.
    """

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw, self._sock = raw, sock
        self.end_s: float | None = time.monotonic() + ANSWER_S

    def readable(self) -> bool:
        """Say that it is read from."""
        return True

    def readinto(self, into: WriteableBuffer, /) -> int | None:
        """Read what has come."""
        if self.end_s is not None and (left := self.end_s - time.monotonic()) < READ_S:
            if left <= 0:
                raise TimeoutError(f"no whole answer in {ANSWER_S:g} s")
            self._sock.settimeout(left)
        return self._raw.readinto(into)

    def close(self) -> None:
        """Close the socket's file, too."""
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """An answer whose head, and whose body if it is read at once, are not waited for for ever."""

    def __init__(
        self,
        sock: socket.socket,
        debuglevel: int = 0,
        method: str | None = None,
        url: str | None = None,
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        self.patient = _Patient(self.fp.detach(), sock)
        self.fp = io.BufferedReader(self.patient)


class _Waits(HTTPConnection):
    """A connection on which answers are waited for so long."""

    response_class = _Response

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]
        """Return an answer; what is still to be read of it is a stream, that may take its time."""
        answer = super().getresponse()
        if isinstance(said := answer._original_response, _Response):
            said.patient.end_s = None
        return answer


class _WaitsSecurely(_Waits, HTTPSConnection):
    """The same with TLS."""


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Waits


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _WaitsSecurely


class ReadableTimes(urllib3.PoolManager):
    """Writes times in XML answers as the client reads them."""

    def urlopen(  # type: ignore[override]
        self, method: str, url: str, redirect: bool = True, **options: object
    ) -> urllib3.BaseHTTPResponse:
        """Ask, as the base does."""
        answer = super().urlopen(method, url, redirect, **options)
        if not options.get("preload_content", True) or b"<" not in answer.data[:100]:
            return answer
        body = _TIME.sub(_readable, answer.data)
        if body == answer.data:
            return answer
        return urllib3.HTTPResponse(body, answer.headers, answer.status, reason=answer.reason)


def connections(name: str, ca_file: str) -> urllib3.PoolManager:
    """Make the connection pool: 32 connections, 5 s to connect, 2 min for an answer."""
    context = None
    if ca_file:
        try:
            context = ssl.create_default_context(cafile=ca_file)
        except (OSError, ssl.SSLError) as exc:
            raise ConfigError(f"store {name}: ca_file {ca_file}: {exc}") from exc
    retries = urllib3.Retry(connect=1, read=0, redirect=0, status=0, other=0)
    with suppress(ImportError):
        import certifi

        if context is None:
            context = ssl.create_default_context(cafile=certifi.where())
    made = ReadableTimes(
        maxsize=32,
        timeout=urllib3.Timeout(connect=5, read=READ_S),
        retries=retries,
        ssl_context=context,
    )
    made.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
    return made


def no_page(content_type: str, status: int) -> None:
    """Take a page for people for no object: a proxy answers so in a store's place.

    Raises: ``StoreUnavailable``.
    """
    if "text/html" in content_type.lower():  # nothing that is stored is that
        raise StoreUnavailable(
            f"what answers is no store: a page (HTTP {status})",
            hint="does a proxy, or a page to sign in at, stand before the store?",
        )


def _no_error(first: bytes) -> None:
    """Take an error for no object: some answer so with status 200.

    Raises: ``StoreUnavailable``.
    """
    if _ERROR.match(first):  # nothing that is stored begins so
        code = _CODE.search(first)
        what = code[1].decode("ascii", "replace") if code else "an error"
        raise StoreUnavailable(f"what was given is no object, but {what}")


def from_byte(answer: urllib3.BaseHTTPResponse, offset: int, block: int) -> Iterator[bytes]:
    """Yield an object's bytes from ``offset`` on, in blocks, of an answer to that question.

    Where ranges are ignored (a server, or a proxy before it), all comes: what is before it is
    left out.
    Raises: ``StoreUnavailable`` where the answer says that it begins elsewhere, or is no object.
    """
    no_page(answer.headers.get("Content-Type", ""), answer.status)
    said = _RANGE.match(answer.headers.get("Content-Range", ""))
    begins = int(said[1]) if said else 0 if answer.status == 200 else offset
    if begins > offset:
        raise StoreUnavailable(f"asked for bytes from {offset}, given those from {begins}")
    for number, part in enumerate(answer.stream(block)):
        if number == 0 and not said:
            _no_error(part)
        skip = min(offset - begins, len(part))
        begins += skip
        if skip < len(part):
            yield part[skip:]
