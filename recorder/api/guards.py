"""What stands before all answers, in order."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from starlette.types import ASGIApp

from recorder.api.addressed import Addressed
from recorder.api.entry import Access
from recorder.api.guard import Browsers, Guard
from recorder.api.heads import Heads
from recorder.api.measured import Measured
from recorder.api.problems import Faults
from recorder.api.web import make_web
from recorder.app import App


def guards(app: App) -> tuple[Callable[[ASGIApp], ASGIApp], ...]:
    """Return the middlewares, the innermost first."""
    part = app.settings.api
    urls = (app.settings.url, app.settings.node_url)
    web = make_web(part.listen, urls, part.hosts, part.cors_origins)
    return (
        partial(Access, app=app),
        Heads,
        Addressed,
        partial(Guard, web=web),
        Faults,
        partial(Browsers, web=web),
        Measured,
    )


def guarded(app: App, inner: ASGIApp) -> ASGIApp:
    """Put them before what answers."""
    for guard in guards(app):
        inner = guard(inner)
    return inner
