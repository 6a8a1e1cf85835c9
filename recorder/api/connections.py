"""Connections: how many, and how long each may keep us waiting.

What is not capture must leave capture its descriptors: a stream that cannot open its next file
loses footage, a client that is refused asks again.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Callable, Iterable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from recorder import telemetry
from recorder.api.idle import Idle

log = logging.getLogger("recorder.api")

HEAD_S = 10
"""A request's head is here within it, from the connection on or from its first byte."""
MOST_HEAD = 64 * 1024
KEEP_S = 15
"""So long a connection that was answered may be idle."""
SAID_S = 60.0

OWN, A_STREAM, A_CONNECTION = 128, 16, 4
"""Descriptors: of the process itself; of a stream (pipes, its files while they are sealed); of a
connection (its socket, and what an answer reads)."""
FEWEST, MOST = 16, 2000


def connections_allowed(descriptors: int, streams: int) -> int:
    """Say how many connections leave enough descriptors to so many streams.

    >>> connections_allowed(1024, 10), connections_allowed(65536, 1000), connections_allowed(64, 4)
    (184, 2000, 16)
    """
    left = descriptors - OWN - A_STREAM * streams
    return max(FEWEST, min(MOST, left // A_CONNECTION))


def is_among(networks: Iterable[str], address: str) -> bool:
    """Tell whether an address is one of some, or this machine's own.

    >>> is_among(["10.0.0.0/24"], "10.0.0.7"), is_among(["10.0.0.7"], "10.0.1.7")
    (True, False)
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)  # one socket for both, IPv4 within IPv6
    found = mapped if mapped is not None else found
    return found.is_loopback or any(found in ipaddress.ip_network(one) for one in networks)


class Said:
    """Something that may happen thousands of times a second, said once a minute."""

    def __init__(self, what: str) -> None:
        self.what, self._at, self._count = what, float("-inf"), 0

    def again(self, now: float, **fields: object) -> None:
        """Count it, and say it if it was not said lately; ``now``: monotonic seconds."""
        self._count += 1
        if now - self._at >= SAID_S:
            log.warning(self.what, extra={"times": self._count, **fields})
            self._at, self._count = now, 0


class PatientProtocol(HttpToolsProtocol):
    """A connection that is closed when it brings nothing, or when there are too many.

    Then the one that has brought nothing for the longest makes room.
    """

    refused = Said("connections refused or dropped, there are too many")
    strangers = Said("a connection that comes from no proxy of api.proxies is refused")

    def __init__(
        self,
        *args: Any,
        most: Callable[[], int] = lambda: MOST,
        admits: Callable[[str], bool] | None = None,
        idle: Idle | None = None,
        handshakes: Idle | None = None,
        **more: Any,
    ) -> None:
        """``admits``: whether an address is answered at all; by default each.

        ``idle``: the door's connections without a request; ``handshakes``: those before that.
        """
        super().__init__(*args, **more)
        self._admits = admits
        self._idle = idle if idle is not None else Idle()
        self._handshakes = handshakes if handshakes is not None else Idle()
        self._most = most
        self._late: asyncio.TimerHandle | None = None
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request, if there is room for one more."""
        super().connection_made(transport)
        self._handshakes.remove(self)
        peer = transport.get_extra_info("peername")
        if self._admits is not None and not self._admits(str(peer[0]) if peer else ""):
            self.strangers.again(self.loop.time(), address=str(peer[0]) if peer else "")
            transport.abort()
            return
        most = self._most()
        if len(self.connections) > most:
            self.refused.again(self.loop.time(), most=most)
            if not self._idle.make_room():  # all others are being answered
                telemetry.CONNECTIONS_REFUSED.inc()
                transport.abort()
                return
        self._idle.add(self, transport.abort)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._head_came()
        self._idle.remove(self)
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Begin a head: it may take so long."""
        super().on_message_begin()
        self._head_bytes = 0
        if self._late is None:
            self._expect_head()

    def on_url(self, url: bytes) -> None:
        """Take a part of the address."""
        self._measure(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._measure(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin a request."""
        self._head_came()
        self._idle.remove(self)
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request, if it has not begun."""
        super().on_response_complete()
        if not self.transport.is_closing() and self.cycle.response_complete:
            self._idle.add(self, self.transport.abort)

    def _measure(self, more: int) -> None:
        self._head_bytes += more
        if self._head_bytes > MOST_HEAD:
            raise ValueError(f"a head of more than {MOST_HEAD} bytes")  # answered by a 400

    def _expect_head(self) -> None:
        self._late = self.loop.call_later(HEAD_S, self.transport.abort)

    def _head_came(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


def quiet_accept(loop: asyncio.AbstractEventLoop) -> None:
    """Have a loop say once a minute that it cannot accept; asyncio says it for each try."""
    said, before = Said("cannot accept connections"), loop.get_exception_handler()

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if str(context.get("message", "")).startswith("socket.accept()"):
            said.again(loop.time(), reason=str(context.get("exception")))
        elif before is not None:
            before(loop, context)
        else:
            loop.default_exception_handler(context)

    loop.set_exception_handler(handle)
