"""The HTTP door's guard: what it refuses, and what becomes of what nobody thought of."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from recorder import telemetry
from recorder.api import guard
from recorder.api.server import make_api
from recorder.app import App
from recorder.config import ApiPart, load_settings
from recorder.errors import ConfigError

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


@pytest.mark.parametrize(
    "key", ["open/a/b/c/n.1/²/3.mp4", "open/a/b/c/n.1/0/" + "9" * 5000 + ".mp4"]
)
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


def test_a_disk_that_fails_is_no_mistake_of_the_recorders_own(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stale(_: App) -> None:
        raise OSError(errno.ESTALE, "Stale file handle", "/a/spool")

    monkeypatch.setattr(App, "catalog", property(stale))
    answer = ask(app, "GET", "/api/v1/nodes")
    assert (answer.status_code, answer.json()["retryable"]) == (503, True)
    assert "Stale file handle" in answer.json()["detail"]
    assert "/a/spool" not in answer.text, "where it lies is for the log"


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


# -- who asks --------------------------------------------------------------------------------------

APPLY = "/api/v1/policy/apply"


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1:8600", 200), ("localhost:1", 200), ("[::1]:8600", 200), ("10.1.2.3", 200),
     ("LocalHost.", 200), ("post1.example.org", 200), ("node1:99", 200), ("cam.example.org", 200),
     ("evil.example.org", 421), ("localhost.evil.org", 421), ("127.0.0.1.evil.org:80", 421),
     ("", 421), ("[::1]evil.org", 421), ("127.0.0.1:80.evil.org", 421),
     ("127.0.0.1@evil.org", 421), ("localhost:80:evil.org", 421), ("2130706433", 421),
     ("post1.example.org.evil.org", 421)],
)  # fmt: skip
def test_the_node_is_asked_under_its_own_names_alone(
    host: str, status: int, tmp_path: Path
) -> None:
    app = App(load_settings(
        None, data=tmp_path, url="https://post1.example.org/x", node_url="http://node1:8600",
        api=ApiPart(hosts=("cam.example.org",)),
    ))  # fmt: skip
    assert ask(app, "GET", "/healthz", headers={"host": host}).status_code == status
    app.close()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 404), ({"origin": "http://127.0.0.1"}, 404), ({"origin": "https://127.0.0.1"}, 404),
        ({"origin": "http://127.0.0.1:3000"}, 403), ({"origin": "https://evil.example.org"}, 403),
        ({"origin": "null"}, 403), ({"origin": ""}, 403), ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403), ({"sec-fetch-site": "same-origin"}, 404),
        ({"sec-fetch-site": "none"}, 404), ({"origin": "https://console.example.org"}, 404),
    ],
)  # fmt: skip
def test_a_page_from_elsewhere_changes_nothing(
    headers: dict[str, str], status: int, tmp_path: Path
) -> None:
    api = ApiPart(cors_origins=("https://console.example.org",))
    app = App(load_settings(None, data=tmp_path, api=api))
    assert ask(app, "POST", APPLY, headers={**JSON, **headers}).status_code == status
    assert ask(app, "DELETE", "/api/v1/cameras/x", headers=headers).status_code == status
    assert ask(app, "GET", "/api/v1/cameras", headers=headers).status_code == 200
    app.close()


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; a=b"]
)
@pytest.mark.parametrize("path", [APPLY + "?yes=true", "/api/v1/feed", "/api/v1/holds"])
def test_a_form_changes_nothing(app: App, path: str, kind: str | None) -> None:
    headers = {} if kind is None else {"content-type": kind}
    for content in (b"", b'{"site": "x"}'):
        answer = ask(app, "POST", path, content=content, headers=headers)
        assert answer.status_code == 415
        assert answer.headers["content-type"] == "application/problem+json"


def test_footage_is_open_to_no_page_but_those_that_are_named(app: App, tmp_path: Path) -> None:
    named, other = {"origin": "https://console.example.org"}, {"origin": "https://evil.example.org"}
    asks_first = {"access-control-request-method": "GET", "access-control-request-headers": "range"}
    playlist = "/api/v1/cameras/cam/playback.m3u8"
    allow = "access-control-allow-origin"
    assert allow not in ask(app, "GET", playlist, params=RANGE, headers=named).headers
    api = ApiPart(cors_origins=("https://console.example.org/",))
    some = App(load_settings(None, data=tmp_path / "some", api=api))
    assert ask(some, "GET", playlist, params=RANGE, headers=named).headers[allow] == named["origin"]
    assert allow not in ask(some, "GET", playlist, params=RANGE, headers=other).headers
    preflight = ask(some, "OPTIONS", playlist, headers=named | asks_first)
    assert (preflight.status_code, preflight.headers[allow]) == (204, named["origin"])
    assert ask(some, "OPTIONS", playlist, headers=other | asks_first).status_code == 405
    some.close()
    every = App(load_settings(None, data=tmp_path / "all", api=ApiPart(cors_origins=("*",))))
    assert ask(every, "GET", playlist, params=RANGE, headers=other).headers[allow] == "*"
    every.close()


def test_an_origin_that_is_none_is_no_setting(tmp_path: Path) -> None:
    for origin in ("console.example.org", "https://x/path", "file:///x"):
        with pytest.raises(ConfigError, match="cors_origins"):
            load_settings(None, data=tmp_path, api=ApiPart(cors_origins=(origin,)))


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("limit=1&limit=2", 400), ("limit=1&lim%69t=2", 400), ("site=a&site=a", 400),
        ("x=1&x=2", 400), ("camera=a&camera=b", 404), ("limit=1&&kind=alarm&", 200),
    ],
)  # fmt: skip
def test_an_address_says_each_thing_once_but_the_cameras(app: App, query: str, status: int) -> None:
    answer = ask(app, "GET", f"/api/v1/events?start=-1h&end=now&{query}")
    assert answer.status_code == status, answer.text
    if status == 400:
        assert "stands twice" in answer.json()["detail"]
