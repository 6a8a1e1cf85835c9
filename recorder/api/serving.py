"""The HTTP server behind the door: uvicorn's, without its timers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from email.utils import formatdate
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from recorder.api import connections
from recorder.api.idle import MOST_HANDSHAKES, Handshake, Idle
from recorder.api.tls import Certificate
from recorder.model.timebase import SECOND, Instant
from recorder.threads import in_thread


class Dated(ServerState):
    """What connections share: the date is looked up for who is answered, no timer keeps it."""

    def __init__(self, now: Callable[[], Instant]) -> None:
        self._now, self._said = now, (0, b"")
        super().__init__()

    @property
    def default_headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers that every answer has."""
        second = self._now() // SECOND
        if second != self._said[0]:
            self._said = (second, formatdate(second, usegmt=True).encode())
        return [(b"date", self._said[1]), (b"server", b"uvicorn")]

    @default_headers.setter
    def default_headers(self, found: list[tuple[bytes, bytes]]) -> None:
        """Leave them; the server that this one stands for keeps a date here."""


class Server(uvicorn.Server):
    """A server that leaves signals to whoever runs it, and does not wake by itself."""

    def __init__(
        self,
        config: uvicorn.Config,
        certificate: Certificate | None,
        handshakes: Idle,
        most: Callable[[], int],
        now: Callable[[], Instant],
    ) -> None:
        super().__init__(config)
        self.server_state = Dated(now)
        self.wake = asyncio.Event()
        self._certificate, self._handshakes, self._most = certificate, handshakes, most

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen; who begins TLS has no longer for it than for a request's head."""
        loop: Any = asyncio.get_running_loop()
        plain = loop.create_server

        async def create_server(
            make: Callable[[], asyncio.Protocol], ssl: Any, **more: object
        ) -> object:
            def wrapped() -> Handshake:
                most = min(MOST_HANDSHAKES, self._most())
                return Handshake(loop, make(), ssl, self._handshakes, most, connections.HEAD_S)

            return await plain(wrapped, **more)

        if self._certificate is not None:
            loop.create_server = create_server
        try:
            await super().startup(sockets)
        finally:
            loop.__dict__.pop("create_server", None)

    async def main_loop(self) -> None:
        """Serve until ``wake`` is set to end it; the one it stands for looks ten times a second."""
        loop = asyncio.get_running_loop()
        while not self.should_exit:
            waking = None
            if self._certificate is not None:
                await in_thread("certificate", self._certificate.refresh)
                waking = loop.call_later(1.0, self.wake.set)  # a third of what ``wait_for`` costs
            await self.wake.wait()
            if waking is not None:
                waking.cancel()
            self.wake.clear()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield
