"""What is looked at before any route: who asks, text, bodies; the one guard of the HTTP door."""

from __future__ import annotations

import asyncio
from urllib.parse import unquote_plus

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recorder.api.web import WRITES, Web
from recorder.errors import BadDocument, RequestError, TooLarge, TooSlow
from recorder.model.checks import check_json, check_text, read_integer, read_json
from recorder.threads import in_thread

MOST_BODY = 4 << 20
"""Bytes of a document: an event's image takes 1.4 MB, a hold of ten thousand cameras 0.7 MB."""
MOST_ADDRESS = 8192
IDLE_S = 120.0
"""A transfer up may be held to a few kB/s, and comes in blocks of 256 KiB."""
ONCE = ("host", "origin", "content-type", "content-length", "sec-fetch-site")
ALWAYS = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))
CSP = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
"""What is answered is data: a browser runs nothing of it, and shows it in no page's frame."""
OFTEN = ("camera", "")
"""What an address may say more than once: which cameras; and nothing, between two ``&``."""
AT_ONCE = 64 * 1024
"""Larger bodies are looked at in a thread: a megabyte takes a tenth of a second."""
HEADERS = "spanstore.headers"
"""Where a request's scope has its headers by name."""
STREAMED = ("/api/v1/feed", "/api/v1/transfers/")
"""Their routes read their bodies themselves, bounded too."""


class Browsers:
    """Says on every answer, on errors too, what a browser may do with it: a middleware."""

    def __init__(self, inner: ASGIApp, web: Web) -> None:
        self.inner, self.web = inner, web

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] == "http":
            origin = headers_of(scope).get("origin")
            send = _telling(self.web.answer_headers(scope["method"], origin), send)
        await self.inner(scope, receive, send)


class Guard:
    """Refuses what no route should have to think of: a middleware."""

    def __init__(self, inner: ASGIApp, web: Web) -> None:
        self.inner, self.web = inner, web

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or raise a ``RequestError``."""
        if scope["type"] != "http":
            await self.inner(scope, receive, send)
            return
        check_head(scope)
        method, headers = scope["method"], headers_of(scope)
        self.web.check(method, scope["path"], headers, scope["http_version"])
        preflight = self.web.preflight(method, headers)
        if preflight is not None:
            await Response(status_code=204, headers=preflight)(scope, receive, send)
            return
        receive = _patient(receive)
        if method in WRITES and not scope["path"].startswith(STREAMED):
            receive = _again(await _read(scope, receive), receive)
        await self.inner(scope, receive, send)


def check_head(scope: Scope) -> None:
    """Look at a request's address and headers.

    Raises: ``RequestError``.
    """
    check_text(scope["path"], "address", MOST_ADDRESS)
    query = scope["query_string"].decode("latin-1")
    check_text(unquote_plus(query), "address", MOST_ADDRESS)
    seen = set[str]()
    for said in (unquote_plus(one.partition("=")[0]) for one in query.split("&")):
        if said in seen and said not in OFTEN:  # a proxy that looks at one would pass on the other
            raise RequestError(f"address: {said[:64]!r} stands twice")
        seen.add(said)
    for name, value in scope["headers"]:
        check_text(value.decode(errors="replace"), f"header {name.decode('latin-1')}", MOST_ADDRESS)


def headers_of(scope: Scope) -> dict[str, str]:
    """Return a request's headers by name; none of those that must stand once and stand twice.

    They are read once: several look at them.
    """
    known: dict[str, str] | None = scope.get(HEADERS)
    if known is None:
        known = scope[HEADERS] = _read_headers(scope)
    return known


def _read_headers(scope: Scope) -> dict[str, str]:
    found: dict[str, str] = {}
    twice: set[str] = set()
    for raw, value in scope["headers"]:
        name = raw.decode("latin-1")
        if name in found and name in ONCE:
            twice.add(name)
        found[name] = value.decode("latin-1")
    return {name: value for name, value in found.items() if name not in twice}


def _telling(more: list[tuple[bytes, bytes]], send: Send) -> Send:
    """Add headers to an answer, and those that every answer has for browsers."""

    async def telling(message: Message) -> None:
        if message["type"] == "http.response.start":
            said = [*message.get("headers", ()), *more]
            own = any(name == b"content-security-policy" for name, _ in said)
            message = {**message, "headers": [*said, *(ALWAYS if own else (*ALWAYS, CSP))]}
        await send(message)

    return telling


def _patient(receive: Receive) -> Receive:
    """Wait for a body's next bytes for so long; for what comes after it as long as it takes."""
    whole = False

    async def waiting() -> Message:
        nonlocal whole
        try:
            async with asyncio.timeout(None if whole else IDLE_S):
                message = await receive()
        except TimeoutError as exc:
            raise TooSlow(f"body: nothing came for {IDLE_S:g} s") from exc
        whole = whole or not message.get("more_body", False)
        return message

    return waiting


def check_length(scope: Scope, most: int) -> None:
    """Refuse a body by its announced length.

    Raises: ``TooLarge``.
    """
    said = headers_of(scope).get("content-length", "")
    if said and read_integer(said, "header content-length") > most:
        raise TooLarge(f"body: {said} bytes are more than {most}")


async def _read(scope: Scope, receive: Receive) -> bytes:
    """Read a body, measured while it comes in, and look at the JSON in it."""
    check_length(scope, MOST_BODY)
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > MOST_BODY:
            raise TooLarge(f"body: more than {MOST_BODY} bytes")
        more = message.get("more_body", False)
    raw = bytes(body)
    if len(raw) > AT_ONCE:
        await in_thread("body", _look, raw)
    elif raw:
        _look(raw)
    return raw


def _look(raw: bytes) -> None:
    try:
        check_json(read_json(raw, "body", once=True), "body", most_text=MOST_BODY, lines=True)
    except BadDocument as exc:  # no document at all
        raise RequestError(str(exc), hint=exc.hint) from exc


def _again(raw: bytes, receive: Receive) -> Receive:
    """Give a body that was read already, then what follows it."""
    told = False

    async def messages() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": raw, "more_body": False}

    return messages
