"""How long answers take."""

from __future__ import annotations

import time
from functools import lru_cache

from prometheus_client import Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recorder import telemetry

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
WAITED = "spanstore.waited"
"""Of a request's scope: how many seconds it waited because it asked to."""


class Measured:
    """Notes how long each answer took to begin: a middleware that only looks.

    What a request waited because it asked to is not counted.
    """

    def __init__(self, inner: ASGIApp) -> None:
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self.inner(scope, receive, send)
            return
        begin, status = time.perf_counter(), 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _note(scope, status, time.perf_counter() - begin)
            await send(message)

        try:
            await self.inner(scope, receive, noting)
        finally:
            if not status:  # it broke: the answer is made further out
                _note(scope, 500, time.perf_counter() - begin)


def _note(scope: Scope, status: int, seconds: float) -> None:
    path = getattr(scope.get("route"), "path", "other")
    method = scope["method"] if scope["method"] in METHODS else "other"
    seconds -= scope.get(WAITED, 0.0)
    _series(path, method, str(status)).observe(seconds)


@lru_cache(1024)
def _series(path: str, method: str, status: str) -> Histogram:
    return telemetry.REQUESTS.labels(path, method, status)
