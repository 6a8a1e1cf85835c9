"""Connections to an S3 store, and what is put right in its answers."""

from __future__ import annotations

import re
import ssl
from contextlib import suppress

import urllib3

from recorder.errors import ConfigError

_FINER = re.compile(rb"(:\d\d\.\d{6})\d+(?=Z?<)")
"""Fractions of a second finer than a microsecond, which the client cannot read."""


class CoarserTimes(urllib3.PoolManager):
    """Cuts times in XML answers to microseconds: some servers write nanoseconds."""

    def urlopen(  # type: ignore[override]
        self, method: str, url: str, redirect: bool = True, **options: object
    ) -> urllib3.BaseHTTPResponse:
        """Ask, as the base does."""
        answer = super().urlopen(method, url, redirect, **options)
        if not options.get("preload_content", True) or b"<" not in answer.data[:100]:
            return answer
        body = _FINER.sub(rb"\1", answer.data)
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
    return CoarserTimes(
        maxsize=32,
        timeout=urllib3.Timeout(connect=5, read=30),
        retries=retries,
        ssl_context=context,
    )
