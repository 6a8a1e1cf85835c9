"""The API: routes, problems, latencies; and the door it listens on."""

from __future__ import annotations

import asyncio
import socket
import time
from functools import partial
from importlib.metadata import version
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recorder import telemetry
from recorder.accounts.backoff import Backoff
from recorder.accounts.provider import Provider
from recorder.api import page
from recorder.api.addressed import Addressed
from recorder.api.connections import (
    KEEP_S,
    connections_allowed,
    is_among,
    quiet_accept,
)
from recorder.api.described import describe
from recorder.api.entry import Access
from recorder.api.footage import Readers
from recorder.api.guard import Browsers, Guard
from recorder.api.heads import Heads
from recorder.api.idle import Idle
from recorder.api.outlet import DoorProtocol
from recorder.api.problems import answer_errors
from recorder.api.routes import (
    access,
    approvals,
    audit,
    bulk,
    cameras,
    clips,
    events,
    exports,
    health,
    joining,
    marks,
    oidc,
    oidc_device,
    pictures,
    playback,
    policy,
    sites,
    stores,
    timelines,
    why,
)
from recorder.api.serving import Server
from recorder.api.tls import Certificate
from recorder.api.waiting import WAITED, Waiting
from recorder.api.web import make_web
from recorder.app import App
from recorder.door import is_loopback
from recorder.errors import ConfigError
from recorder.process import descriptors
from recorder.service import Service

MODULES = (
    cameras,
    bulk,
    timelines,
    clips,
    exports,
    pictures,
    playback,
    events,
    marks,
    policy,
    sites,
    stores,
    audit,
    health,
    access,
    why,
    oidc,
    oidc_device,
    approvals,
    joining,
)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def make_api(app: App, service: Service | None) -> FastAPI:
    """Make the application; ``service`` is this process's, when it runs one."""
    api = FastAPI(
        title="Spanstore",
        version=version("spanstore"),
        description="Timelines, exact clips, playback and single frames of recorded cameras.",
        docs_url=None,
        redoc_url=None,
    )
    part = app.settings.api
    api.state.app = app
    api.state.service = service
    api.state.readers = Readers()
    api.state.waiting = Waiting()
    api.state.backoff = Backoff(app.clock.monotonic, part.limits)
    api.state.provider = Provider(part.oidc, app.settings.oidc_redirect, app.clock)
    routes = [route for module in MODULES for route in module.router.routes]
    api.router.routes.extend([*routes, *page.router.routes])
    api.state.methods = [(route.path_regex, route.methods) for route in routes]
    urls = (app.settings.url, app.settings.node_url)
    api.add_middleware(Access, app=app)
    api.add_middleware(Heads)
    api.add_middleware(Addressed)
    web = make_web(part.listen, urls, part.hosts, part.cors_origins)
    api.add_middleware(Guard, web=web)
    answer_errors(api)
    api.add_middleware(Browsers, web=web)
    describe(api, routes)
    api.add_middleware(Measured)
    return api


class Measured:
    """Notes how long each answer took to begin: a middleware that only looks.

    What a request waited because it asked to is not counted.
    """

    def __init__(self, inner: ASGIApp) -> None:
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self.inner(scope, receive, send)
            return
        begin, status = time.perf_counter(), 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _note(scope, status, time.perf_counter() - begin)
            await send(message)

        try:
            await self.inner(scope, receive, noting)
        finally:
            if not status:  # it broke: the answer is made further out
                _note(scope, 500, time.perf_counter() - begin)


def _note(scope: Scope, status: int, seconds: float) -> None:
    path = getattr(scope.get("route"), "path", "other")
    method = scope["method"] if scope["method"] in METHODS else "other"
    seconds -= scope.get(WAITED, 0.0)
    telemetry.REQUESTS.labels(path, method, str(status)).observe(seconds)


class Door:
    """The API on its address."""

    def __init__(self, app: App, service: Service | None) -> None:
        host, _, port = app.settings.api.listen.rpartition(":")
        self.host, self.port = host.strip("[]"), int(port)
        self._api = make_api(app, service)
        part = app.settings.api
        self._certificate = None
        if part.certificate is not None:
            self._certificate = Certificate(part.certificate, part.key)
        made = self._certificate.context if self._certificate is not None else None
        open_ = made is not None or is_loopback(part.listen)
        admits = partial(is_among, part.proxies) if not open_ else None
        self._handshakes = Idle()
        self._config = uvicorn.Config(
            self._api,
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
        self._api.state.readers.close()
