"""The API: all of its routes, and how it describes itself."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from recorder.accounts.backoff import Backoff
from recorder.accounts.provider import Provider
from recorder.api import page
from recorder.api.described import describe
from recorder.api.footage import Readers
from recorder.api.guards import guards
from recorder.api.refused import answer_errors
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
from recorder.api.routing import Direct
from recorder.api.waiting import Waiting
from recorder.app import App
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


class Api(FastAPI):
    """The application, without looking anew for each request whether OpenTelemetry is set up."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        scope["app"] = self
        if self.middleware_stack is None:
            self.middleware_stack = self.build_middleware_stack()
        await self.middleware_stack(scope, receive, send)


def make_routes(app: App, service: Service | None) -> Api:
    """Make the application less what stands before it; ``service``: this process's, if any."""
    api = Api(
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
    api.add_middleware(Direct, routes=routes)
    answer_errors(api)
    describe(api, routes)
    return api


def make_api(app: App, service: Service | None) -> Api:
    """Make the whole application."""
    api = make_routes(app, service)
    for guard in guards(app):
        api.add_middleware(guard)
    return api
