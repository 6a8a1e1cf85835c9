"""The HTTP door's guard: what it refuses, and what becomes of what nobody thought of."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from recorder import telemetry
from recorder.api import guard
from recorder.api.server import make_api
from recorder.app import App
from recorder.config import load_settings

JSON = {"content-type": "application/json"}
EVENT = {"camera": "cam", "kind": "alarm"}
CAMERA = {"url": "rtsp://10.0.0.1/x"}
RANGE = {"start": "2026-01-05T14:00:00Z", "end": "2026-01-05T15:00:00Z"}


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    one = App(load_settings(None, data=tmp_path))
    yield one
    one.close()


def ask(app: App, method: str, path: str, **more: Any) -> httpx.Response:
    """Ask the API in this process."""

    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(make_api(app, None), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, path, **more)

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"[" * 100_000, 400), (b'{"camera": "cam", "attributes": {"v": NaN}}', 400),
        (b'{"camera": "cam", "attributes": {"v": 1e400}}', 400), (b'{"camera": "\\ud800"}', 400),
        (b'{"camera": "\\u0000"}', 400), (b"\xff", 400), (b"{", 400), (b"9" * 9999, 400),
        (b" " * (guard.MOST_BODY + 1), 413), (b"[]", 400), (b"1", 400),
    ],
)  # fmt: skip
def test_bodies_that_cannot_be_stored_are_refused_before_any_route(
    app: App, raw: bytes, status: int
) -> None:
    answer = ask(app, "POST", "/api/v1/events", content=raw, headers=JSON)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_body_is_measured_while_it_comes_in(app: App) -> None:
    came = 0

    async def body() -> Any:
        nonlocal came
        for _ in range(1000):
            came += 1 << 20
            yield b" " * (1 << 20)

    assert ask(app, "POST", "/api/v1/events", content=body(), headers=JSON).status_code == 413
    assert came <= guard.MOST_BODY + (2 << 20)


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("cameras/cam/timeline", {**RANGE, "start": "0001-01-01T00:00:00Z"}),
        ("cameras/cam/timeline", {**RANGE, "end": "9999-12-31T00:00:00Z"}),
        ("coverage", {"start": "1700-01-01T00:00:00Z"}),
        ("events", {**RANGE, "camera": "a\x00"}),
        ("cameras/c%00/timeline", RANGE),
    ],
)  # fmt: skip
def test_odd_parameters_are_refused(app: App, path: str, params: dict[str, str]) -> None:
    assert ask(app, "PUT", "/api/v1/cameras/cam", json=CAMERA).status_code == 201
    answer = ask(app, "GET", f"/api/v1/{path}", params=params)
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize("key", ["open/a/b/c/n.1/0/²/3", "open/a/b/c/n.1/0/1/" + "9" * 5000])
def test_odd_addresses_of_objects_name_nothing(app: App, key: str) -> None:
    assert ask(app, "GET", f"/api/v1/objects/{key}").status_code == 404


def noted(method: str, status: int) -> float:
    found = 0.0
    for metric in telemetry.REQUESTS.collect():
        for sample in metric.samples:
            labels = (sample.labels["method"], sample.labels["status"])
            if sample.name.endswith("_count") and labels == (method, str(status)):
                found += sample.value
    return found


def test_what_nobody_thought_of_is_a_problem_and_is_counted(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: App) -> None:
        raise ZeroDivisionError("rtsp://u:secret@h/x")

    before = noted("GET", 500)
    monkeypatch.setattr(App, "catalog", property(broken))
    answer = ask(app, "GET", "/api/v1/nodes")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "ZeroDivisionError" in answer.json()["detail"]
    assert "secret" not in answer.text
    assert noted("GET", 500) == before + 1


def test_methods_that_clients_invent_are_counted_as_one(app: App) -> None:
    for number in range(3):
        assert ask(app, f"BREW{number}", "/healthz").status_code == 405
    assert not any("BREW" in str(one.labels) for m in telemetry.REQUESTS.collect()
                   for one in m.samples)  # fmt: skip


def test_an_odd_value_that_is_stored_already_spoils_no_list(app: App) -> None:
    assert ask(app, "PUT", "/api/v1/cameras/cam", json=CAMERA).status_code == 201
    app.catalog.documents.put("policy", {"odd": [float("nan"), 1]}, "somebody", 1)
    with app.catalog.database.write() as db:
        db.exec_driver_sql(
            "UPDATE camera SET body = json_set(body, '$.group', json('\"\\ud800\"'))"
        )
    answer = ask(app, "GET", "/api/v1/cameras")
    assert answer.status_code == 200
    assert answer.json()[0]["group"] == "\ufffd"
