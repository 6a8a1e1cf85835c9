"""The API: routes, problems, latencies; and the door it listens on."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recorder import telemetry
from recorder.api.footage import Readers
from recorder.api.outlet import DoorProtocol
from recorder.api.routes import (
    cameras,
    clips,
    health,
    marks,
    playback,
    policy,
    sites,
    timelines,
)
from recorder.api.schemas import Problem
from recorder.app import App
from recorder.errors import ConfigError, RecorderError
from recorder.model.cameras import mask
from recorder.service import Service


def problem(status: int, name: str, detail: str, hint: str, retryable: bool) -> JSONResponse:
    """Make an RFC 9457 answer."""
    body = {
        "type": f"urn:spanstore:{name}", "title": name, "status": status,
        "detail": mask(detail), "hint": mask(hint) or None, "retryable": retryable,
    }  # fmt: skip
    headers = {"Retry-After": "5"} if retryable else None
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def _on_error(_: Request, exc: Exception) -> JSONResponse:
    assert isinstance(exc, RecorderError)  # noqa: S101 - registered for this class
    return problem(exc.http_status, type(exc).__name__, str(exc), exc.hint, exc.retryable)


def _on_invalid(_: Request, exc: Exception) -> JSONResponse:
    assert isinstance(exc, RequestValidationError)  # noqa: S101 - registered for this class
    said = "; ".join(
        f"{'.'.join(str(part) for part in error['loc'][1:])}: {error['msg']}"
        for error in exc.errors()
    )
    return problem(400, "RequestError", said, "see /docs for what this address takes", False)


def _on_http(_: Request, exc: Exception) -> JSONResponse:
    assert isinstance(exc, HTTPException)  # noqa: S101 - registered for this class
    names = {404: "NotFound", 405: "MethodNotAllowed"}
    return problem(
        exc.status_code, names.get(exc.status_code, "RequestError"), str(exc.detail),
        "see /docs for the addresses there are", False,
    )  # fmt: skip


def make_api(app: App, service: Service | None) -> FastAPI:
    """Make the application; ``service`` is this process's, when it runs one."""
    api = FastAPI(
        title="Spanstore",
        version=version("spanstore"),
        description="Timelines, exact clips, playback and single frames of recorded cameras.",
        responses={code: {"model": Problem} for code in (400, 404, 409, 422, 503)},
        docs_url="/docs",
        redoc_url=None,
    )
    api.state.app = app
    api.state.service = service
    api.state.readers = Readers()
    api.add_exception_handler(RecorderError, _on_error)
    api.add_exception_handler(RequestValidationError, _on_invalid)
    api.add_exception_handler(HTTPException, _on_http)
    for module in (cameras, timelines, clips, playback, marks, policy, sites, health):
        api.include_router(module.router)

    api.add_middleware(Measured)
    return api


class Measured:
    """Notes how long each answer took to begin: a middleware that only looks."""

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
    telemetry.REQUESTS.labels(path, scope["method"], str(status)).observe(seconds)


class _Server(uvicorn.Server):
    """A server that leaves signals to whoever runs it, and wakes once a second, for the date."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.told = asyncio.Event()

    async def main_loop(self) -> None:
        """Serve until it is told to end.  The one it stands for looks ten times a second."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.told.wait(), 1.0)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Door:
    """The API on its address."""

    def __init__(self, app: App, service: Service | None) -> None:
        host, _, port = app.settings.api.listen.rpartition(":")
        self.host, self.port = host.strip("[]"), int(port)
        self._api = make_api(app, service)
        self._config = uvicorn.Config(
            self._api, log_config=None, access_log=False, lifespan="off", http=DoorProtocol,
            timeout_graceful_shutdown=3,
        )  # fmt: skip
        self._server: Any = None
        self._task: asyncio.Task[None] | None = None

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
        self._server = _Server(self._config)
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]))

    async def close(self) -> None:
        """Answer what is being answered, then stop."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            self._server.told.set()
            await asyncio.gather(self._task, return_exceptions=True)
        self._api.state.readers.close()
