"""People with access to a node in this process: made, signed in, asking."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from recorder.access.words import SESSION
from recorder.api.server import make_api
from recorder.app import App
from recorder.config import ApiPart, load_settings
from recorder.model.timebase import HOUR

ADMIN = [{"role": "admin"}]


def make_guarded(folder: Path, site: str = "centre") -> App:
    """An app that asks everybody who he is."""
    part = ApiPart(access="on", listen="127.0.0.1:0")
    return App(load_settings(None, data=folder, site=site, node="n1", api=part))


def person(
    app: App, name: str, grants: Sequence[Mapping[str, Any]], only: Sequence[str] | None = None
) -> dict[str, str]:
    """Make a user; return the headers of who has signed in (no password is hashed), for ``only``
    some of what he may."""
    app.people.put(name, list(grants))
    word, _ = app.people.give(SESSION, name, HOUR, only=only)
    app.knower.forget()
    return {"authorization": f"Bearer {word}"}


def ask(
    app: App, method: str, path: str, headers: Mapping[str, str] | None = None, **more: Any
) -> httpx.Response:
    """Ask the API in this process."""

    async def run() -> httpx.Response:
        api = app.__dict__.get("_api") or app.__dict__.setdefault("_api", make_api(app, None))
        transport = httpx.ASGITransport(api, raise_app_exceptions=False)
        base = more.pop("base", "http://127.0.0.1")
        async with httpx.AsyncClient(transport=transport, base_url=base) as client:
            return await client.request(method, path, headers=headers, **more)

    return asyncio.run(run())
