"""What is looked at before any route: text, bodies; the one guard of the HTTP door."""

from __future__ import annotations

import asyncio
from urllib.parse import unquote_plus

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recorder.errors import BadDocument, NotJson, RequestError, TooLarge
from recorder.model.checks import check_json, check_text, read_integer, read_json

WRITES = ("POST", "PUT", "PATCH", "DELETE")
MOST_BODY = 4 << 20
"""Bytes of a document: an event's image takes 1.4 MB, a hold of ten thousand cameras 0.7 MB."""
MOST_ADDRESS = 8192
AT_ONCE = 64 * 1024
"""Larger bodies are looked at in a thread: a megabyte takes a tenth of a second."""
STREAMED = ("/api/v1/feed", "/api/v1/transfers/")
"""Their routes read their bodies themselves, bounded too."""


class Guard:
    """Refuses what no route should have to think of: a middleware."""

    def __init__(self, inner: ASGIApp) -> None:
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or raise a ``RequestError``."""
        if scope["type"] == "http":
            check_head(scope)
            if scope["method"] in WRITES and not scope["path"].startswith(STREAMED):
                receive = _again(await _read(scope, receive), receive)
        await self.inner(scope, receive, send)


def check_head(scope: Scope) -> None:
    """Look at a request's address and headers.

    Raises: ``RequestError``.
    """
    check_text(scope["path"], "address", MOST_ADDRESS)
    query = scope["query_string"].decode("latin-1")
    check_text(unquote_plus(query), "address", MOST_ADDRESS)
    for name, value in scope["headers"]:
        check_text(value.decode(errors="replace"), f"header {name.decode('latin-1')}", MOST_ADDRESS)


def header(scope: Scope, name: bytes) -> str:
    """Return a header's value, empty where there is none."""
    return next((v.decode("latin-1") for n, v in scope["headers"] if n == name), "")


def check_length(scope: Scope, most: int) -> None:
    """Refuse a body by its announced length.

    Raises: ``TooLarge``.
    """
    said = header(scope, b"content-length")
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
    if raw:
        kind = header(scope, b"content-type").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise NotJson("body: must be application/json", hint="say so in Content-Type")
        if len(raw) > AT_ONCE:
            await asyncio.to_thread(_look, raw)
        else:
            _look(raw)
    return raw


def _look(raw: bytes) -> None:
    try:
        check_json(read_json(raw, "body"), "body", most_text=MOST_BODY, lines=True)
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
