"""Connections to an S3 store, and what is put right in its answers."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

import urllib3

from recorder.errors import ConfigError, StoreUnavailable

_TIME = re.compile(rb"(?<=>)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[^<]*(?=<)")
"""Times as servers write them: with nanoseconds, or an offset, the client cannot read them."""
_RANGE = re.compile(r"bytes (\d+)-")


def _readable(found: re.Match[bytes]) -> bytes:
    """Write a time in UTC, to the microsecond."""
    try:
        time = datetime.fromisoformat(found[0].decode().replace(":60", ":59"))  # a leap second
    except ValueError:
        return found[0]
    utc = time.replace(tzinfo=time.tzinfo or UTC).astimezone(UTC)
    return utc.strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()


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
    """Make the connection pool: 32 connections, 5 s to connect, 30 s between bytes."""
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
    return ReadableTimes(
        maxsize=32,
        timeout=urllib3.Timeout(connect=5, read=30),
        retries=retries,
        ssl_context=context,
    )


def from_byte(answer: urllib3.BaseHTTPResponse, offset: int, block: int) -> Iterator[bytes]:
    """Yield an object's bytes from ``offset`` on, in blocks, of an answer to that question.

    Where ranges are ignored (a server, or a proxy before it), all comes: what is before it is
    left out.
    Raises: ``StoreUnavailable`` where the answer says that it begins elsewhere.
    """
    said = _RANGE.match(answer.headers.get("Content-Range", ""))
    begins = int(said[1]) if said else 0 if answer.status == 200 else offset
    if begins > offset:
        raise StoreUnavailable(f"asked for bytes from {offset}, given those from {begins}")
    for part in answer.stream(block):
        skip = min(offset - begins, len(part))
        begins += skip
        if skip < len(part):
            yield part[skip:]
