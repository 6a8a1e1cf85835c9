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
from recorder.api.joined import Joined

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
        self._deadline = Deadline(self.loop)
        self._in_head = self._waits_for_head = False
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request, if there is room for one more."""
        self._joined = Joined(transport, self.loop)
        super().connection_made(self._joined)
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
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._deadline.end()
        self._idle.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take some bytes; of a head that does not come whole at once the rest is waited for."""
        super().data_received(data)
        if self._in_head and not self._waits_for_head and not self.transport.is_closing():
            self._wait_for_head()

    def on_message_begin(self) -> None:
        """Begin a head: it may take so long."""
        super().on_message_begin()
        self._head_bytes = 0
        self._in_head = True

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
        self._in_head = self._waits_for_head = False
        self._deadline.lift()
        self._idle.remove(self)
        self._joined.head_comes()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request, if it has not begun.

        As the one it stands for, but without a timer for each request.
        """
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._idle.add(self, self.transport.abort)
        if not self._in_head:
            self._deadline.set(KEEP_S, self.transport.close)

    def _wait_for_head(self) -> None:
        self._waits_for_head = True
        self._deadline.set(HEAD_S, self.transport.abort)

    def flush(self) -> None:
        """Write what is kept of an answer."""
        self._joined.flush()

    def _measure(self, more: int) -> None:
        self._head_bytes += more
        if self._head_bytes > MOST_HEAD:
            raise ValueError(f"a head of more than {MOST_HEAD} bytes")  # answered by a 400


class Deadline:
    """How long something is waited for.  To set and to lift it costs no timer each time.

    One is left running, and looks whether its time has come.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due = 0.0
        self._over: Callable[[], object] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def set(self, seconds: float, over: Callable[[], object]) -> None:
        """Have ``over`` called, if nothing else is said until then."""
        self._due, self._over = self._loop.time() + seconds, over
        if self._timer is not None and self._timer.when() > self._due:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self._loop.call_at(self._due, self._look)

    def lift(self) -> None:
        """Wait for nothing, for now."""
        self._over = None

    def end(self) -> None:
        """Wait for nothing any more."""
        self._over = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        over = self._over
        if over is None:
            return
        if self._loop.time() < self._due:
            self._timer = self._loop.call_at(self._due, self._look)
            return
        self._over = None
        over()


def quiet_accept(loop: asyncio.AbstractEventLoop) -> None:
    """Have a loop say once a minute that it cannot accept; asyncio says it for each try."""
    said, before = Said("cannot accept connections"), loop.get_exception_handler()

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        if str(context.get("message", "")).startswith("socket.accept()"):
            said.again(loop.time(), reason=str(context.get("exception")))
        elif before is not None:
            before(loop, context)
        else:
            loop.default_exception_handler(context)

    loop.set_exception_handler(handle)
