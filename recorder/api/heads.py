"""HEAD is answered wherever GET is, by the same route.  Source: RFC 9110, 9.3.2."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEAD = "spanstore.head"
OWN = "/api/v1/transfers/"
"""Its HEAD is a question of its own."""


def is_head(request: Request) -> bool:
    """Tell whether a route need not make a body, which may be large: its headers alone are sent."""
    return bool(request.scope.get(HEAD))


class Heads:
    """Asks routes with GET for what was asked with HEAD: a middleware."""

    def __init__(self, inner: ASGIApp) -> None:
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http" or scope["method"] != "HEAD" or scope["path"].startswith(OWN):
            await self.inner(scope, receive, send)
            return
        asked: Scope = {**scope, "method": "GET", HEAD: True}

        async def bare(message: Message) -> None:
            if message["type"] == "http.response.start":  # whoever counts looks at the scope
                scope.update({name: asked[name] for name in asked.keys() - scope.keys()})
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self.inner(asked, receive, bare)
