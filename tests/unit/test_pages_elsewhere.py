"""Pages of other origins: what a browser is told, what a named page may do, and all others not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from recorder.api.entry import word_of
from recorder.api.server import make_api
from recorder.api.web import EXPOSED, TAKEN
from recorder.app import App
from recorder.config import ApiPart, load_settings
from recorder.errors import TooMany
from recorder.model.camera_document import parse_camera
from tests.support.access import ADMIN, person
from tests.support.doors import ask

NAMED, OTHER = "https://console.example.org", "https://evil.example.org"
CAMERA = "/api/v1/cameras/gate"
ALLOW = "access-control-allow-"
WANTED = "authorization,content-type,if-match,x-purpose"


def make(folder: Path, *origins: str, access: Any = "on") -> App:
    part = ApiPart(access=access, listen="127.0.0.1:0", cors_origins=origins)
    one = App(load_settings(None, data=folder, site="centre", node="n1", api=part))
    one.catalog.cameras.put(parse_camera("gate", {"url": "rtsp://10.0.0.1/x"}), 1, None)
    return one


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    one = make(tmp_path_factory.mktemp("app"), f"{NAMED}/")
    yield one
    one.close()


@pytest.fixture(scope="module")
def admin(app: App) -> dict[str, str]:
    return person(app, "ana", ADMIN)


def preflight(app: App, method: str, origin: str, sent: str = WANTED) -> httpx.Response:
    """What a browser asks before a page's request: no word of who it is."""
    headers = {
        "origin": origin, "access-control-request-method": method,
        "access-control-request-headers": sent, "sec-fetch-mode": "cors",
        "sec-fetch-site": "cross-site",
    }  # fmt: skip
    return ask(app, "OPTIONS", CAMERA, headers=headers)


def listed(answer: httpx.Response, header: str) -> set[str]:
    return {one.strip().lower() for one in answer.headers.get(header, "").split(",")}


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
def test_a_browser_hears_that_a_named_page_may_ask(app: App, method: str) -> None:
    answer = preflight(app, method, NAMED)
    assert answer.status_code == 204
    assert answer.headers[f"{ALLOW}origin"] == NAMED
    assert method.lower() in listed(answer, f"{ALLOW}methods")
    assert set(WANTED.split(",")) <= listed(answer, f"{ALLOW}headers")
    assert f"{ALLOW}credentials" not in answer.headers, "cookies are for pages of this address"
    assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "POST"])
@pytest.mark.parametrize(
    "origin", [OTHER, "null", "*", f"{NAMED}.evil.org", "http://console.example.org"]
)
def test_a_browser_hears_nothing_for_a_page_that_is_not_named(
    app: App, method: str, origin: str
) -> None:
    answer = preflight(app, method, origin)
    assert answer.status_code == 405
    assert not [one for one in answer.headers if one.startswith("access-control-")]


def test_a_named_page_changes_a_camera_as_it_was_read(app: App, admin: dict[str, str]) -> None:
    page = {"origin": NAMED, "sec-fetch-site": "cross-site", **admin}
    told = ask(app, "GET", CAMERA, headers=page)
    assert (told.status_code, told.headers[f"{ALLOW}origin"]) == (200, NAMED)
    assert "etag" in listed(told, "access-control-expose-headers")
    change = {**page, "content-type": "application/merge-patch+json",
              "if-match": told.headers["etag"]}  # fmt: skip
    done = ask(app, "PATCH", CAMERA, headers=change, json={"group": "doors"})
    assert (done.status_code, done.headers[f"{ALLOW}origin"]) == (200, NAMED)
    again = ask(app, "PATCH", CAMERA, headers=change, json={"group": "yards"})
    assert (again.status_code, again.headers[f"{ALLOW}origin"]) == (412, NAMED)


def test_a_page_that_is_not_named_gets_nothing_whatever_it_shows(
    app: App, admin: dict[str, str]
) -> None:
    page = {"origin": OTHER, "sec-fetch-site": "cross-site", **admin}
    assert f"{ALLOW}origin" not in ask(app, "GET", CAMERA, headers=page).headers
    json = {"content-type": "application/json"}
    done = ask(app, "PUT", CAMERA, headers=page | json, json={"url": "rtsp://10.0.0.2/x"})
    assert (done.status_code, f"{ALLOW}origin" in done.headers) == (403, False)


def test_a_named_page_that_shows_no_token_is_told_so(app: App) -> None:
    answer = ask(app, "DELETE", CAMERA, headers={"origin": NAMED})
    assert (answer.status_code, answer.headers[f"{ALLOW}origin"]) == (401, NAMED)
    assert answer.json()["hint"]


def test_a_named_page_reads_errors_of_the_guards_too(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object) -> None:
        raise TooMany("more than 50 requests a second")

    monkeypatch.setattr("recorder.api.entry.Rates.check", busy)
    answer = ask(app, "GET", CAMERA, headers={"origin": NAMED})
    assert (answer.status_code, answer.headers[f"{ALLOW}origin"]) == (429, NAMED)
    assert {"retry-after"} <= listed(answer, "access-control-expose-headers")
    plain = ask(app, "PUT", CAMERA, headers={"origin": NAMED}, content=b"x")
    assert (plain.status_code, plain.headers[f"{ALLOW}origin"]) == (415, NAMED)


def test_every_header_that_the_api_takes_or_gives_is_open_to_a_named_page(app: App) -> None:
    given = {one.strip().lower() for one in EXPOSED.split(",")}
    taken = {one.strip().lower() for one in TAKEN.split(",")}
    for path, methods in make_api(app, None).openapi()["paths"].items():
        for said in methods.values():
            sent = {one["name"] for one in said.get("parameters", ()) if one["in"] == "header"}
            assert {one.lower() for one in sent} <= taken, path
            for answer in said["responses"].values():
                assert {one.lower() for one in answer.get("headers", {})} <= given, path


def test_all_pages_may_read_and_none_may_change_where_all_are_named(tmp_path: Path) -> None:
    every = make(tmp_path, "*", access="off")
    for origin in (OTHER, "*"):
        assert (
            ask(every, "GET", CAMERA, headers={"origin": origin}).headers[f"{ALLOW}origin"] == "*"
        )
        assert preflight(every, "GET", origin).status_code == 204
        for method in ("PUT", "PATCH", "POST", "DELETE"):
            assert preflight(every, method, origin).status_code == 405
            json = {"origin": origin, "content-type": "application/json"}
            done = ask(every, method, CAMERA, headers=json)
            assert (done.status_code, f"{ALLOW}origin" in done.headers) == (403, False)
    every.close()


def test_a_cookie_counts_for_no_page_of_another_origin() -> None:
    sent = {"cookie": "spanstore=word", "host": "post1.example.org:8600"}
    assert word_of(sent) == "word"
    assert word_of({**sent, "origin": "http://post1.example.org:8600"}) == "word"
    assert word_of({**sent, "origin": "http://post1.example.org:3000"}) == ""
    assert word_of({**sent, "origin": NAMED}) == ""
