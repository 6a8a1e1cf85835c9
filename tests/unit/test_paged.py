"""Lists in pages: every list of the API, and the client that follows them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest

from recorder.api.server import make_api
from recorder.app import App
from recorder.client.connection import linked
from recorder.config import ApiPart, StorePart, load_settings
from recorder.model.camera_document import parse_camera
from recorder.model.keys import StreamId
from recorder.model.timebase import TimeRange, parse_instant
from recorder.ports import AuditEntry, NodeBeat, SiteBeat
from tests.support.doors import ask
from tests.support.make import T0

WHOLE = {
    "/api/v1/access/roles": "there are as many as the code has",
    "/api/v1/access/explain": "one line for each permission, which the code has",
}
"""Lists that come in one piece, and why."""
PARTS = {
    "/api/v1/cameras/{camera}": "a camera's own streams and masks",
    "/api/v1/cameras/{camera}/timeline": "a range of one camera, as long as it may be",
    "/api/v1/cameras/{camera}/clip.json": "a clip, as long as it may be",
    "/api/v1/cameras/{camera}/strip": "24 pictures at most",
    "/api/v1/cameras/{camera}/explain": "sentences about one moment",
    "/api/v1/exports/{export_id}": "what one export was asked for",
    "/api/v1/events/{event_id}": "the cameras of one event, bounded where it is written",
    "/api/v1/holds/{hold_id}": "the cameras of one hold, bounded where it is written",
    "/api/v1/points/{name}": "the cameras of one point, bounded where it is written",
    "/api/v1/stores/{name}": "the streams of one store, whose sums they make",
    "/api/v1/access/me": "what one person may",
    "/api/v1/access/users/{name}": "the grants of one person",
}
"""Answers that are about one thing, of which lists are a part; and what bounds these."""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A centre of three of everything that tells apart where a page ends."""
    folder = tmp_path_factory.mktemp("app")
    stores = tuple(StorePart(name=n, path=folder / n) for n in ("a", "b", "c"))
    part = ApiPart(listen="127.0.0.1:0", access="off")
    one = App(load_settings(None, data=folder, site="hq", node="n1", api=part, stores=stores))
    now, entries = one.clock.now(), []
    for number, name in enumerate(("x", "y", "z")):
        one.catalog.cameras.put(parse_camera(name, {"url": "rtsp://10.0.0.1/x"}), now, None)
        one.catalog.sites.put(SiteBeat(f"post{name}", "post", "", now))
        one.catalog.nodes.beat(NodeBeat(f"n{number}", "hq", now))
        one.people.put(name, [{"role": "viewer"}])
        asked = TimeRange(T0, T0 + number + 1)
        stream = StreamId("hq", name, "main")
        entries.append(AuditEntry(now, "purged", stream, f"key-{name}", "a", asked, 1, "r", "w", 1))
    one.catalog.audit.write(entries)
    yield one
    one.close()


def described(app: App) -> dict[str, Any]:
    found: dict[str, Any] = make_api(app, None).openapi()
    return found


def lists(said: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The addresses whose GET answers a list, or an object that has one."""

    def resolved(one: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in one:
            one = said["components"]["schemas"][one["$ref"].rpartition("/")[2]]
        return one

    def is_list(one: dict[str, Any]) -> bool:
        one = resolved(one)
        return one.get("type") == "array" or any(map(is_list, one.get("anyOf", ())))

    for path, methods in said["paths"].items():
        answer = methods.get("get", {}).get("responses", {}).get("200", {})
        shown = resolved(answer.get("content", {}).get("application/json", {}).get("schema", {}))
        if is_list(shown) or any(map(is_list, shown.get("properties", {}).values())):
            yield path, methods["get"]


def paged(app: App) -> list[str]:
    names = {path: {one["name"] for one in asked.get("parameters", ())}
             for path, asked in lists(described(app))}  # fmt: skip
    return [path for path, taken in names.items() if {"limit", "cursor"} <= taken]


def walked(app: App, path: str, query: dict[str, Any]) -> list[Any]:
    """Every page of a list."""
    found: list[Any] = []
    answer = ask(app, "GET", path, params={**query, "limit": 1})
    while len(found) < 100:
        assert answer.status_code == 200, (path, answer.text)
        found.append(answer.json())
        address = linked(answer.headers.get("link", ""), "next")
        if address is None:
            return found
        answer = ask(app, "GET", urljoin(path, address))
    raise AssertionError(f"{path}: there is always another page")


def test_every_list_comes_in_pages_and_says_where_the_next_one_is(app: App) -> None:
    found = dict(lists(described(app)))
    assert set(WHOLE) | set(PARTS) <= set(found), "those that are excused are there"
    for path, asked in found.items():
        if path in WHOLE or path in PARTS:
            continue
        taken = {one["name"] for one in asked.get("parameters", ())}
        assert {"limit", "cursor"} <= taken, path
        assert "Link" in asked["responses"]["200"].get("headers", {}), path


def test_pages_of_one_make_up_the_whole_of_every_list(app: App) -> None:
    several = set()
    for path in paged(app):
        address = path.replace("{site}", "postx")
        query = {"start": "2026-01-05T14:00:00Z", "end": "2026-01-05T15:00:00Z"}
        query = query if path.endswith(("coverage", "events")) else {}
        whole = ask(app, "GET", address, params=query)
        if path.endswith(("/plan", "/forecast")):  # no policy is set
            assert whole.status_code == 404, whole.text
            continue
        pages = walked(app, address, query)
        if path.endswith("coverage"):
            assert {(one["start"], one["end"]) for one in pages} == {
                (whole.json()["start"], whole.json()["end"])
            }
            pages, rows = [one["cameras"] for one in pages], whole.json()["cameras"]
        else:
            rows = whole.json()
        assert all(len(one) <= 1 for one in pages), path
        assert [still(one) for page in pages for one in page] == [still(one) for one in rows], path
        if len(rows) > 2:
            several.add(path.rpartition("/")[2])
    assert several >= {"cameras", "coverage", "log", "sites", "stores", "nodes", "scrub", "users"}


def still(one: dict[str, Any]) -> dict[str, Any]:
    """A row without what goes on with time."""
    moves = ("silent_seconds", "free_bytes", "present")
    return {key: value for key, value in one.items() if key not in moves}


def test_a_page_of_coverage_that_goes_up_to_now_is_followed_by_one_about_the_same_range(
    app: App,
) -> None:
    first, second, third = walked(app, "/api/v1/coverage", {"start": "-1h"})
    assert (first["start"], first["end"]) == (second["start"], second["end"])
    assert (first["start"], first["end"]) == (third["start"], third["end"])
    answer = ask(app, "GET", "/api/v1/coverage", params={"start": "-1h", "limit": 1})
    said = parse_qs(urlsplit(linked(answer.headers["link"], "next") or "").query)
    assert parse_instant(said["end"][0]) == parse_instant(answer.json()["end"])


def test_what_was_deleted_meanwhile_does_not_move_the_pages_of_the_log(app: App) -> None:
    answer = ask(app, "GET", "/api/v1/policy/log", params={"limit": 2})
    asked = TimeRange(T0, T0 + 1)
    new = AuditEntry(T0, "purged", StreamId("hq", "x", "main"), "new", "a", asked, 1, "r", "w", 1)
    app.catalog.audit.write([new])
    address = linked(answer.headers["link"], "next")
    assert address is not None
    rest = ask(app, "GET", urljoin("/api/v1/policy/log", address))
    keys = [one["key"] for one in (*answer.json(), *rest.json())]
    assert keys == ["key-z", "key-y", "key-x"]
    assert "link" not in rest.headers


@pytest.mark.parametrize("path", ["nodes", "stores", "sites", "policy/log", "coverage"])
def test_a_cursor_that_stands_for_nothing_is_refused(app: App, path: str) -> None:
    answer = ask(app, "GET", f"/api/v1/{path}", params={"cursor": "none", "limit": 1})
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("cursor: ")
