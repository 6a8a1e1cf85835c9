"""Who asks: a name of ours or another's, a page of ours or another's.

Every browser on the machine can reach loopback, and may have somebody's session.  So pages from
elsewhere must neither change anything nor read: not under a name that was
made to lead here (DNS rebinding), not by a form, not by a script.  But for those that the
settings name: these may do what the token that they show may do; no cookie counts from there.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from recorder.errors import NotAllowed, NotJson, RequestError, WrongHost
from recorder.model.urls import split_url

READS = ("GET", "HEAD")
JSON = "application/json"
MERGE = "application/merge-patch+json"
"""Says the same of a ``PATCH``; no form can send either."""
TRANSFERS = "/api/v1/transfers/"
"""Bytes of footage; a form cannot send ``PATCH``."""
WRITES = ("POST", "PUT", "PATCH", "DELETE")
EXPOSED = (
    "Accept-Ranges, Allow, Content-Disposition, Content-Length, Content-Range, ETag, Link, "
    "Location, Retry-After, WWW-Authenticate, X-Camera-Clock-Offset, X-Covered-Seconds, "
    "X-Frame-Time, X-Gaps, X-Missing, X-Missing-Seconds"
)
"""What a page may read of an answer's headers.  Source: Fetch, 3.3.3."""
TAKEN = "Authorization, Content-Type, If-Match, If-None-Match, If-Range, Range, X-Author, X-Purpose"
"""What a page may send besides what every page may."""
ASKED_ANEW_S = 600
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+(?:%[^]\s]+)?\]|[^][:/@\s]+)(?::[0-9]{0,5})?")
"""A name or an address, and a port: what begins as one and goes on otherwise is none."""


def host_of(text: str) -> str:
    """Return the host of a ``Host`` header or of an address, without its port.

    >>> host_of("Node1.example.org:8600"), host_of("[::1]:8600"), host_of("127.0.0.1")
    ('node1.example.org', '::1', '127.0.0.1')
    """
    host = text.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".")


def is_address(host: str) -> bool:
    """Tell whether a host is an IP address: no page can make one lead here."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Web:
    """``hosts``: the names this node is asked under; ``origins``: of pages that may ask it.

    ``*`` among these stands for all pages, which may read alone: it names nobody.
    """

    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()

    def check(self, method: str, path: str, headers: Mapping[str, str], version: str) -> None:
        """Look at who asks.

        Raises: ``WrongHost``, ``NotAllowed``, ``NotJson``, ``RequestError``.
        """
        self._check_host(headers.get("host"), version)
        if method in READS or method == "OPTIONS":
            return
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "")
        named = origin is not None and self._names(origin)
        own = origin is None or is_same(origin, headers.get("host", ""))
        if not named and (not own or site in ("cross-site", "same-site")):
            raise NotAllowed(
                "a page from elsewhere may not change anything",
                hint="send it from a page of this address, or of one that api.cors_origins names",
            )
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        right = kind == JSON or (kind == MERGE and method == "PATCH")
        if method in ("POST", "PUT", "PATCH") and not path.startswith(TRANSFERS) and not right:
            raise NotJson(
                f"body: must be {JSON}", hint="say so in Content-Type, even where there is no body"
            )

    def _check_host(self, given: str | None, version: str) -> None:
        if given is None:
            if version == "1.0":  # it knew no such header; browsers do
                return
            raise RequestError("header host: is missing, or there are two")
        host = host_of(given) if _HOST.fullmatch(given.strip()) else ""
        if host not in self.hosts and host != "localhost" and not is_address(host):
            raise WrongHost(
                f"{given[:100]!r} is no name of this node",
                hint="api.hosts names those it is asked under, besides url, node_url and localhost",
            )

    def answer_headers(self, method: str, origin: str | None) -> list[tuple[bytes, bytes]]:
        """Return what tells a browser that a page may read an answer."""
        if not self.origins:
            return []
        found = [(b"vary", b"Origin")]
        if origin is None:
            return found
        allowed = origin.lower() if self._names(origin) else ""
        if not allowed and "*" in self.origins and method in (*READS, "OPTIONS"):
            allowed = "*"
        if allowed:
            found += [
                (b"access-control-allow-origin", allowed.encode("latin-1")),
                (b"access-control-expose-headers", EXPOSED.encode()),
            ]
        return found

    def _names(self, origin: str) -> bool:
        """Tell whether a page's origin is named: the word for all names none."""
        return origin != "*" and origin.lower() in self.origins

    def preflight(self, method: str, headers: Mapping[str, str]) -> dict[str, str] | None:
        """Return what a page may ask, where a browser asks that first; ``None`` elsewhere."""
        origin, wanted = headers.get("origin"), headers.get("access-control-request-method", "")
        if method != "OPTIONS" or origin is None:
            return None
        reads = "*" in self.origins or self._names(origin)
        given = (*READS, *WRITES) if self._names(origin) else READS if reads else ()
        if wanted not in given:
            return None
        return {
            "Access-Control-Allow-Methods": ", ".join(given),
            "Access-Control-Allow-Headers": TAKEN,
            "Access-Control-Max-Age": str(ASKED_ANEW_S),
        }


def is_same(origin: str, host: str) -> bool:
    """Tell whether an origin is this very address; whatever is in front may add TLS."""
    return split_url(origin).netloc.lower() == host.strip().lower() != ""


def make_web(listen: str, urls: Iterable[str], hosts: Iterable[str], origins: Iterable[str]) -> Web:
    """Make the guard of a node that listens, and is known, at addresses.

    >>> sorted(make_web("127.0.0.1:8600", ["https://Post1.example.org/x", ""], ["cam"], []).hosts)
    ['127.0.0.1', 'cam', 'post1.example.org']
    """
    known = [split_url(url).hostname or "" for url in urls]
    names = {host_of(one) for one in (listen, *known, *hosts)} - {""}
    return Web(frozenset(names), frozenset(one.rstrip("/").lower() for one in origins))
