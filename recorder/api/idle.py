"""Connections that bring nothing: who has done so for the longest makes room for others.

Half a handshake, half a head, or none: none of them costs more than a descriptor, and none keeps
somebody out who asks.
"""

from __future__ import annotations

import asyncio
import ssl
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable
from typing import Any

from recorder import telemetry

MOST_HANDSHAKES = 128
"""Handshakes that are not finished, at a time: each holds a buffer.  One takes milliseconds."""


class Idle:
    """Connections that wait for the other side, in the order in which they began to."""

    def __init__(self) -> None:
        self._ends: dict[object, Callable[[], object]] = {}

    def __len__(self) -> int:
        return len(self._ends)

    def add(self, one: object, end: Callable[[], object]) -> None:
        """Count one in, as the newest; ``end`` drops it."""
        self._ends.pop(one, None)
        self._ends[one] = end

    def remove(self, one: object) -> None:
        """Count one out, if it is here: it has brought something, or is gone."""
        self._ends.pop(one, None)

    def make_room(self) -> bool:
        """Drop the oldest; false when there is none."""
        oldest = next(iter(self._ends), None)
        if oldest is None:
            return False
        telemetry.CONNECTIONS_REFUSED.inc()
        self._ends.pop(oldest)()
        return True

    def end(self) -> None:
        """Drop all."""
        while self._ends:
            self._ends.pop(next(iter(self._ends)))()


class Handshake(SSLProtocol):
    """TLS of one connection; it is given up when it takes too long, or too many do."""

    max_size = 64 * 1024
    """Of the buffer that each has: four records.  asyncio's own has 256 kB."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        protocol: asyncio.Protocol,
        context: ssl.SSLContext,
        handshakes: Idle,
        most: int,
        within_s: int,
    ) -> None:
        """``handshakes``: those that are not finished; so many may be at ``most``."""
        waiter: Any = None  # nobody waits: its protocol is told
        super().__init__(
            loop, protocol, context, waiter, server_side=True, ssl_handshake_timeout=within_s
        )
        self._own, self._handshakes, self._most = protocol, handshakes, most

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; the one that has taken longest goes, if there are too many."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of a TCP connection
        self._handshakes.add(self._own, transport.abort)
        if len(self._handshakes) > self._most:
            self._handshakes.make_room()
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Count it out."""
        self._handshakes.remove(self._own)
        super().connection_lost(exc)
