"""The HTTP door in this process, over footage that lies in a directory store."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import httpx

from recorder.api.server import make_api
from recorder.app import App
from recorder.config import ApiPart, load_settings
from recorder.model.media import Segment
from recorder.model.timebase import Instant, TimeRange, format_instant
from tests.support.make import STREAM, T0
from tests.support.shelf import STORE, Shelf


def make_app(folder: Path, **settings: Any) -> App:
    """An app of the site whose footage tests make."""
    listen = ApiPart(listen="127.0.0.1:0", **settings)
    return App(load_settings(None, data=folder, site=STREAM.site, node="n1", api=listen))


def put(app: App, one: Segment, body: bytes | None = None) -> Path:
    """Put a segment into the directory store; by default as a hole of its size."""
    path = app.settings.data / "store" / one.key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body if body is not None else b"")
    os.truncate(path, one.size_bytes)
    app.catalog.commits.add_segment(one, STORE, "", T0)
    return path


def put_film(app: App, film: Shelf, *without: int) -> TimeRange:
    """Put a film's segments into the store, let some be purged; return the range of all."""
    for number, one in enumerate(film.segments):
        path = put(app, one, b"".join(film.store.read(one.key, 0, one.size_bytes)))
        if number in without:
            app.catalog.commits.forget(app.catalog.footage.copies([one])[one.key], "purged")
            path.unlink()
    return TimeRange(film.segments[0].start, film.segments[-1].end)


def ask(app: App, method: str, path: str, **more: Any) -> httpx.Response:
    """Ask the API in this process."""

    async def run() -> httpx.Response:
        api = app.__dict__.get("_api") or app.__dict__.setdefault("_api", make_api(app, None))
        transport = httpx.ASGITransport(api, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, path, **more)

    return asyncio.run(run())


def within(start: Instant, end: Instant, **more: str) -> dict[str, str]:
    """The parameters that ask for a range."""
    return {"start": format_instant(start, 9), "end": format_instant(end, 9), **more}


def camera(what: str) -> str:
    """The address of something of the camera whose footage tests make."""
    return f"/api/v1/cameras/{STREAM.camera}/{what}"
