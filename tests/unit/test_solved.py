"""Routes that are answered past FastAPI answer as it does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import httpx
import pytest
from fastapi import Depends, Header, Query, Request, Response
from fastapi.routing import APIRoute

from recorder.api.routing import Direct
from recorder.api.server import MODULES, make_api
from recorder.api.solved import plan_of
from recorder.app import App
from recorder.model.timebase import SECOND
from tests.support.clock import FakeClock
from tests.support.doors import camera, make_app, put, within
from tests.support.make import STREAM, T0, segment

RANGE = {"start": "2026-01-05T14:00:00Z", "end": "2026-01-05T15:00:00Z"}
ASKED = [
    ("GET", "/healthz", {}),
    ("GET", "/healthz", {"verbose": "1"}),
    ("HEAD", "/healthz", {}),
    ("DELETE", "/healthz", {}),
    ("OPTIONS", "/healthz", {}),
    ("GET", "/healthz/", {}),
    ("GET", camera("timeline"), RANGE),
    ("GET", camera("timeline"), RANGE | {"activity": "yes"}),
    ("GET", camera("timeline"), RANGE | {"activity": "perhaps"}),
    ("GET", camera("timeline"), RANGE | {"activity": ""}),
    ("GET", camera("timeline"), RANGE | {"statr": "x"}),
    ("GET", camera("timeline"), RANGE | {"wait": "soon"}),
    ("GET", camera("timeline"), {"start": "2026-01-05T14:00:00Z"}),
    ("GET", camera("timeline"), {}),
    ("GET", camera("timeline"), {"end": ["now", "2026-01-05T15:00:00Z"], "start": RANGE["start"]}),
    ("GET", camera("timeline"), {"start": "14:00", "end": "14:03", "zone": "Europe/Berlin"}),
    ("GET", camera("timeline"), {"start": "14:00", "end": "14:03", "zone": "Mars"}),
    ("GET", "/api/v1/cameras/none/timeline", RANGE),
    ("GET", f"/api/v1/cameras/{STREAM.site}%2F{STREAM.camera}/timeline", RANGE),
    ("GET", "/api/v1/cameras//timeline", RANGE),
    ("GET", camera("clip.mp4"), within(T0, T0 + 2 * SECOND, gaps="leap")),
    ("GET", camera("clip.mp4"), within(T0, T0 + 2 * SECOND, format="avi", gaps="leap")),
    ("GET", camera("frame.jpg"), {"at": "now", "width": "wide"}),
    ("GET", camera("frame.jpg"), {"at": "now", "width": "100000"}),
    ("GET", "/api/v1/objects/a/b/c", {}),
    ("GET", "/api/v1/audit/logs/x/tile/0/000", {}),
    ("GET", "/metrics", {"x": "y"}),
    ("GET", camera("nothing"), {}),
    ("GET", "/api", {}),
]


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    found = make_app(tmp_path)
    clock = FakeClock(found.clock.now())  # what is cut off at the present is so twice
    found.clock = clock  # type: ignore[assignment]
    put(found, segment(0))
    yield found
    found.close()


def ask(app: App, method: str, path: str, params: dict[str, str | list[str]]) -> httpx.Response:
    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(make_api(app, None), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, path, params=params)

    return asyncio.run(run())


@pytest.mark.parametrize(("method", "path", "params"), ASKED)
def test_what_is_answered_past_fastapi_is_answered_as_by_it(
    app: App, method: str, path: str, params: dict[str, str | list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    ours = ask(app, method, path, params)
    monkeypatch.setattr(Direct, "_find", lambda *_: None)
    theirs = ask(app, method, path, params)
    assert ours.status_code == theirs.status_code
    assert ours.content == theirs.content
    assert ours.headers == theirs.headers


def test_what_players_and_pages_ask_for_most_is_answered_past_fastapi() -> None:
    found = {one.path for module in MODULES for one in module.router.routes if one.plan}
    of_camera = "/api/v1/cameras/{camera}/"
    often = {of_camera + one for one in ("timeline", "clip.mp4", "frame.jpg", "playback.m3u8")}
    assert found >= often | {"/healthz", "/api/v1/objects/{key:path}"}


async def _before(request: Request, word: Annotated[int, Query()]) -> int:
    request.scope["asked"] = request.scope.get("asked", 0) + 1
    return word + 1


async def _after(one: Annotated[int, Depends(_before)]) -> int:
    return one + 1


async def _both(
    one: Annotated[int, Depends(_before)], two: Annotated[int, Depends(_after)], name: str
) -> Response:
    return Response(f"{name} {one} {two}")


def _sent(query: str) -> Request:
    scope = {"type": "http", "query_string": query.encode(), "path_params": {"name": "a"}}
    return Request(scope)


def test_a_function_that_several_depend_on_is_asked_once() -> None:
    plan = plan_of(APIRoute("/{name}", _both))
    assert plan is not None
    request = _sent("word=1")
    assert asyncio.run(plan.answer(request)).body == b"a 2 3"
    assert request.scope["asked"] == 1


async def _by_header(x_word: Annotated[str, Header()]) -> Response:
    return Response(x_word)


async def _many(word: Annotated[list[str], Query()]) -> Response:
    return Response(",".join(word))


async def _not_made() -> dict[str, str]:
    return {}


def _in_thread(word: str = "x") -> Response:
    return Response(word)


async def _with_end() -> Response:
    return Response()


async def _ends() -> object:
    yield None


async def _by_name(word: Annotated[str, Query(max_length=3)]) -> Response:
    return Response(word)


def test_what_only_fastapi_knows_how_to_grant_is_left_to_it() -> None:
    for one in (_by_header, _many, _not_made):
        assert plan_of(APIRoute("/", one)) is None
    assert plan_of(APIRoute("/", _with_end, dependencies=[Depends(_ends)])) is None
    assert plan_of(APIRoute("/", _with_end, dependencies=[Depends(_in_thread)])) is None


def test_a_function_that_blocks_has_a_thread() -> None:
    plan = plan_of(APIRoute("/", _in_thread))
    assert plan is not None
    assert asyncio.run(plan.answer(_sent(""))).body == b"x"
    assert asyncio.run(plan.answer(_sent("word=y"))).body == b"y"


def test_what_a_word_may_be_is_looked_at() -> None:
    plan = plan_of(APIRoute("/", _by_name))
    assert plan is not None
    with pytest.raises(Exception, match="at most 3"):
        asyncio.run(plan.answer(_sent("word=long")))
