"""A camera named with its site in one part of an address: ``/cameras/post1%2Fgate/timeline``."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, quote_from_bytes, unquote_to_bytes

from starlette.types import ASGIApp, Receive, Scope, Send

from recorder.errors import RequestError

_NAMED = re.compile(rb"(/api/v1/cameras/)([^/%]+)%2[Ff]([^/]+)(/.*)?")


class Addressed:
    """Asks for ``?site=post1`` of the camera what was asked of ``post1/camera``: a middleware."""

    def __init__(self, inner: ASGIApp) -> None:
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or raise a ``RequestError``."""
        if scope["type"] == "http":
            found = _NAMED.fullmatch(scope.get("raw_path") or b"")
            if found is not None:
                begin, site, camera, rest = found.groups(b"")
                raw = begin + camera + rest
                scope["query_string"] = _with_site(scope["query_string"], site)
                scope["path"] = unquote_to_bytes(raw).decode(errors="replace")
                scope["raw_path"] = raw
        await self.inner(scope, receive, send)


def _with_site(query: bytes, site: bytes) -> bytes:
    """Return a query that names a site, which it may do already.

    Raises: ``RequestError`` when it names another.
    """
    name = site.decode(errors="replace")
    said = parse_qs(query.decode("latin-1"))  # as text: as bytes it takes nothing but ASCII
    if said.get("site", [name]) != [name]:
        raise RequestError(
            f"site: the address is of {name[:63]!r}, and site names another",
            hint="leave one of them out",
        )
    own = f"site={quote_from_bytes(site)}".encode()
    return query if "site" in said else b"&".join(filter(None, (query, own)))
