"""A node that is asked only how it does: the rest of the API is made when somebody asks for it.

All of the API is a fifth of a recorder's memory.  Before it is there, those who watch a node
have its answers from here; whatever is not their plain question is the API's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from recorder import process as processes
from recorder.access.decide import Circumstances, Everything, decide
from recorder.access.permissions import Permission
from recorder.api import vital
from recorder.api.clean_json import CleanJson
from recorder.api.entry import Entry
from recorder.app import App
from recorder.service import Service
from recorder.threads import in_thread

if TYPE_CHECKING:
    from fastapi import FastAPI

Told = Callable[[Permission], bool]
"""Whether who asks has a permission."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question that is answered at rest, as a route is: its address, and what it needs."""

    path: str
    needs: Permission
    answer: Callable[[App, Service | None, Told], Response]
    waits: bool = True
    """For the catalog, a store, the streams: a thread answers."""


def _alive(_: App, __: Service | None, ___: Told) -> Response:
    return CleanJson(vital.alive())


def _ready(app: App, service: Service | None, told: Told) -> Response:
    status, body = vital.ready(app, service, told=told(Permission.SYSTEM_READ))
    return CleanJson(body, status)


def _metrics(app: App, service: Service | None, _: Told) -> Response:
    return vital.metrics(app, service)


QUESTIONS = {
    one.path: one
    for one in (
        Question("/healthz", Permission.PUBLIC, _alive, waits=False),
        Question("/readyz", Permission.PUBLIC, _ready),
        Question("/metrics", Permission.SYSTEM_READ, _metrics),
    )
}


class AtRest:
    """The API, less what nobody has asked for yet.  It stands behind the guards."""

    def __init__(self, app: App, service: Service | None) -> None:
        self.api: FastAPI | None = None
        self._app, self._service = app, service
        self._making: asyncio.Future[FastAPI] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        answers: ASGIApp | None = self.api or await self._at_rest(scope)
        if answers is None:
            answers = await self._made()
        await answers(scope, receive, send)

    async def _at_rest(self, scope: Scope) -> Response | None:
        """Answer a plain question of somebody who may ask it."""
        plain = scope["type"] == "http" and scope["method"] == "GET" and not scope["query_string"]
        asked = QUESTIONS.get(scope["path"]) if plain else None
        told = partial(self._may, scope)
        if asked is None or not told(asked.needs):
            return None
        scope["route"] = asked
        if not asked.waits:
            return asked.answer(self._app, self._service, told)
        return await run_in_threadpool(asked.answer, self._app, self._service, told)

    def _may(self, scope: Scope, permission: Permission) -> bool:
        entry: Entry = scope["access"]
        when = Circumstances(self._app.clock.now(), entry.caller.purpose)
        return decide(entry.subject, permission, Everything(), when).allowed

    async def _made(self) -> FastAPI:
        """Make the API, once, beside the event loop: to read its modules takes most of a second."""
        if self._making is None or _has_failed(self._making):
            self._making = in_thread("api", self._make)
        self.api = await asyncio.shield(self._making)
        return self.api

    def _make(self) -> FastAPI:
        from recorder.api.server import make_routes

        made = make_routes(self._app, self._service)
        processes.keep_what_is_made()
        return made

    def close(self) -> None:
        """Let go of what is being sent."""
        if self.api is not None:
            self.api.state.readers.close()


def _has_failed(making: asyncio.Future[FastAPI]) -> bool:
    """Tell whether it is to be tried again.

    Not where it has just been made: who waits for it may not have been told yet, and would be
    answered by one while others are by a second, with limits of its own.
    """
    return making.done() and (making.cancelled() or making.exception() is not None)
