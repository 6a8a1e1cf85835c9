"""The door: the API on its address."""

from __future__ import annotations

import asyncio
import socket
from functools import partial
from typing import Any

import uvicorn

from recorder.api.at_rest import AtRest
from recorder.api.connections import (
    KEEP_S,
    connections_allowed,
    is_among,
    quiet_accept,
)
from recorder.api.guards import guarded
from recorder.api.idle import Idle
from recorder.api.outlet import DoorProtocol
from recorder.api.serving import Server
from recorder.api.tls import Certificate
from recorder.app import App
from recorder.door import is_loopback
from recorder.errors import ConfigError
from recorder.process import descriptors
from recorder.service import Service


class Door:
    """The API on its address."""

    def __init__(self, app: App, service: Service | None) -> None:
        host, _, port = app.settings.api.listen.rpartition(":")
        self.host, self.port = host.strip("[]"), int(port)
        self.answers = AtRest(app, service)
        part = app.settings.api
        self._certificate = None
        if part.certificate is not None:
            self._certificate = Certificate(part.certificate, part.key)
        made = self._certificate.context if self._certificate is not None else None
        open_ = made is not None or is_loopback(part.listen)
        admits = partial(is_among, part.proxies) if not open_ else None
        self._handshakes = Idle()
        self._config = uvicorn.Config(
            guarded(app, self.answers),
            log_config=None,
            access_log=False,
            lifespan="off",
            http=partial(  # type: ignore[arg-type]
                DoorProtocol,
                most=self._most,
                admits=admits,
                idle=Idle(),
                handshakes=self._handshakes,
            ),
            timeout_keep_alive=KEEP_S,
            timeout_graceful_shutdown=3,
            forwarded_allow_ips=list(part.proxies) or ["127.0.0.1", "::1"],
            ssl_context_factory=(lambda *_: made) if made is not None else None,
        )
        self._service, self._now = service, app.clock.now
        self._server: Any = None
        self._task: asyncio.Task[None] | None = None

    def _most(self) -> int:
        """Say how many connections there may be, next to what is recorded."""
        capture = self._service.capture if self._service is not None else None
        streams = len(capture.states()) if capture is not None else 0
        return connections_allowed(descriptors(), streams)

    async def open(self) -> None:
        """Listen.

        Raises: ``ConfigError`` when the port is taken.
        """
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        # with the protocol named asyncio sends small answers at once (TCP_NODELAY)
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self.host, self.port))
            listener.listen(2048)  # who comes before the server runs waits, and is not refused
        except OSError as exc:
            listener.close()
            raise ConfigError(
                f"cannot listen on {self.host}:{self.port}: {exc.strerror}",
                hint="is another recorder running? else choose another api.listen",
            ) from exc
        self.port = listener.getsockname()[1]
        quiet_accept(asyncio.get_running_loop())
        self._server = Server(
            self._config, self._certificate, self._handshakes, self._most, self._now
        )
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]))

    async def close(self) -> None:
        """Answer what is being answered, then stop."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            self._server.wake.set()
            self._handshakes.end()
            await asyncio.gather(self._task, return_exceptions=True)
        self.answers.close()
