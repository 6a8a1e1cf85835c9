"""Events, points, holds and policy over HTTP: each version once, page by page, and their clips."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest

from recorder.app import App
from recorder.capture.command import Tracks
from recorder.model.camera_document import parse_camera
from recorder.model.events import parse_event
from recorder.model.timebase import SECOND, TimeRange, format_instant
from recorder.ports import AskedEntries
from tests.support.doors import ask, camera, make_app, put_film, within
from tests.support.make import STREAM, T0
from tests.support.shelf import Shelf, make_film, record_files

POLICY = {"rules": [{"name": "all", "keep": {"any": "30d"}}]}
POINT = {"cameras": ["x"], "kind": "alarm"}


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """Nine seconds in three segments."""
    folder = tmp_path_factory.mktemp("film")
    shelf = Shelf(folder)
    shelf.put(record_files(make_film(folder), folder / "run", 3, Tracks()))
    yield shelf
    shelf.close()


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    one = make_app(tmp_path)
    for name in "abcx":
        document = parse_camera(name, {"url": "rtsp://10.0.0.1/x"})
        one.catalog.cameras.put(document, T0, None)
    yield one
    one.close()


def event(app: App, event_id: str, at: int, *cameras: str, **more: Any) -> httpx.Response:
    """Report an event at a camera, or through a point linked to several."""
    body: dict[str, Any] = {"id": event_id, "kind": "alarm", "at": format_instant(at, 9), **more}
    if len(cameras) == 1:
        body["camera"] = cameras[0]
    else:
        point = ask(app, "PUT", "/api/v1/points/many", json={"cameras": list(cameras)})
        assert point.is_success, point.text
        body["point"] = "many"
    answer = ask(app, "POST", "/api/v1/events", json=body)
    assert answer.is_success, answer.text
    return answer


@pytest.mark.parametrize(("path", "body"), [("policy", POLICY), ("points/door", POINT)])
def test_a_change_that_was_meant_for_another_version_is_refused(
    app: App, path: str, body: dict[str, Any]
) -> None:
    def put(**headers: str) -> int:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        return ask(app, "PUT", f"/api/v1/{path}", json=body, headers=named).status_code

    assert put(if_match="*") == 412, "there is none"
    assert put(if_none_match="*") == 200
    assert put(if_none_match="*") == 412
    etag = ask(app, "GET", f"/api/v1/{path}").headers["etag"]
    assert etag == '"1"'
    assert put(if_match='W/"1"') == 412, "a weak one is never the same"
    assert put(if_match='"0", "1"') == 200
    assert put(if_match=etag) == 412
    assert put(if_match="7") == 400
    assert put(if_match="*") == 200
    assert put(if_none_match='"9"') == 200
    assert ask(app, "GET", f"/api/v1/{path}").headers["etag"] == '"4"'


def test_a_point_is_removed_at_the_version_that_was_read(app: App) -> None:
    for _ in range(2):
        ask(app, "PUT", "/api/v1/points/door", json=POINT)
    path = "/api/v1/points/door"
    assert ask(app, "DELETE", path, headers={"if-match": '"1"'}).status_code == 412
    assert ask(app, "DELETE", path, headers={"if-match": '"2"'}).status_code == 204
    assert ask(app, "GET", path).status_code == 404


def test_a_hold_of_a_known_id_that_holds_something_else_is_refused(app: App, film: Shelf) -> None:
    asked = put_film(app, film)
    body = {"id": "h", "cameras": [STREAM.camera], "case": "1", "reason": "r", "owner": "o",
            **within(asked.start, asked.end)}  # fmt: skip
    assert [ask(app, "POST", "/api/v1/holds", json=body).status_code for _ in "ab"] == [201, 200]
    wider = {**body, **within(asked.start - SECOND, asked.end)}
    answer = ask(app, "POST", "/api/v1/holds", json=wider)
    assert (answer.status_code, answer.json()["title"]) == (409, "StateError")


@pytest.mark.parametrize(
    ("given", "status"),
    [("{}", 304), ('"x", W/{}', 304), ("*", 304), ('"x{}y"', 400), ('"x"', 200)],
)
def test_a_clip_that_is_there_already_is_told_by_its_whole_etag(
    app: App, film: Shelf, given: str, status: int
) -> None:
    asked = put_film(app, film)
    params = within(asked.start, asked.end)
    etag = ask(app, "HEAD", camera("clip.mp4"), params=params).headers["etag"]
    headers = {"if-none-match": given.replace("{}", etag)}
    assert ask(app, "GET", camera("clip.mp4"), params=params, headers=headers).status_code == status


def test_events_come_page_by_page_each_once(app: App) -> None:
    for number in range(7):
        event(app, f"e{number}", T0 + number // 2 * SECOND, "a", "b", "c")
    event(app, "other", T0, "a", kind="motion")
    address = "http://127.0.0.1/api/v1/events"
    params: dict[str, Any] | None = {
        **within(T0 - SECOND, T0 + 60 * SECOND),
        "limit": 3,
        "kind": "alarm",
    }
    seen, pages = [], 0
    while address:
        answer = ask(app, "GET", address, params=params)
        seen += [one["id"] for one in answer.json()]
        link = answer.headers.get("link", "")
        address = urljoin(str(answer.url), link[1:].partition(">")[0]) if link else ""
        params, pages = None, pages + 1
    assert seen == [f"e{number}" for number in range(7)]
    assert pages == 3
    one = {**within(T0 - SECOND, T0 + 60 * SECOND), "camera": "b", "limit": 7}
    answer = ask(app, "GET", "/api/v1/events", params=one)
    assert len(answer.json()) == 7
    assert "link" not in answer.headers, "all of them are here"
    assert ask(app, "GET", "/api/v1/events", params={**one, "cursor": "x"}).status_code == 400


def test_holds_that_hold_are_listed_and_those_that_ended_when_asked_for(app: App) -> None:
    body = {"cameras": ["a"], "case": "1", "reason": "r", "owner": "o", **within(T0, T0 + SECOND)}
    for number in range(5):
        ask(app, "POST", "/api/v1/holds", json={**body, "id": f"h{number}"})
    first = [one["id"] for one in ask(app, "GET", "/api/v1/holds?limit=2").json()]
    after = ask(app, "GET", "/api/v1/holds?limit=2").headers["link"][1:].partition(">")[0]
    whole = [one["id"] for one in ask(app, "GET", "/api/v1/holds").json()]
    for gone in (first[1], whole[4]):  # what the page ended with among them
        assert ask(app, "DELETE", f"/api/v1/holds/{gone}?by=ann").status_code == 204
    rest = ask(app, "GET", urljoin("http://127.0.0.1/api/v1/holds", after))
    assert [one["id"] for one in rest.json()] == whole[2:4]
    assert [one["id"] for one in ask(app, "GET", "/api/v1/holds").json()] == [whole[0], *whole[2:4]]
    every = ask(app, "GET", "/api/v1/holds?all=true&limit=3")
    assert [one["id"] for one in every.json()] == whole[:3]
    assert "all=true" in every.headers["link"], "so does the next page"
    assert ask(app, "GET", f"/api/v1/holds/{whole[4]}").json()["state"] == "released"


def test_points_and_holds_come_page_by_page_when_asked_so(app: App) -> None:
    for number in range(5):
        ask(app, "PUT", f"/api/v1/points/p{number}", json=POINT)
        body = {"id": f"h{number}", "cameras": ["a"], "case": "1", "reason": "r", "owner": "o",
                **within(T0, T0 + SECOND)}  # fmt: skip
        assert ask(app, "POST", "/api/v1/holds", json=body).status_code == 201
    for path, key in (("points", "name"), ("holds", "id")):
        whole = [one[key] for one in ask(app, "GET", f"/api/v1/{path}").json()]
        address, seen = f"http://127.0.0.1/api/v1/{path}?limit=2", list[str]()
        while address:
            answer = ask(app, "GET", address)
            seen += [one[key] for one in answer.json()]
            link = answer.headers.get("link", "")
            address = urljoin(str(answer.url), link[1:].partition(">")[0]) if link else ""
        assert seen == whole
        assert len(seen) == 5
        assert ask(app, "GET", f"/api/v1/{path}?limit=2&cursor=gone").status_code == 400


def test_an_event_is_read_as_it_was_answered(app: App) -> None:
    answer = event(app, "e1", T0, "a", attributes={"door": 3})
    assert ask(app, "GET", "/api/v1/events/e1").json() == answer.json()
    assert ask(app, "GET", "/api/v1/events/e2").status_code == 404


def test_the_clip_of_an_event_is_had_in_one_request(app: App, film: Shelf) -> None:
    asked = put_film(app, film)
    at = asked.start + 4 * SECOND
    event(app, "e1", at, STREAM.camera, pre="1s", post="2s")
    for params, range_ in (
        ({}, TimeRange(at - SECOND, at + 2 * SECOND)),
        ({"before": "3s", "after": "1s"}, TimeRange(at - 3 * SECOND, at + SECOND)),
        ({"before": "500ms"}, TimeRange(at - SECOND // 2, at + 2 * SECOND)),
    ):
        clip = ask(app, "GET", "/api/v1/events/e1/clip.mp4", params=params)
        same = ask(app, "GET", camera("clip.mp4"), params=within(range_.start, range_.end))
        assert clip.status_code == 200, clip.text
        assert clip.content == same.content
        assert clip.headers["etag"] == same.headers["etag"]
        times = urljoin(str(clip.url), clip.headers["link"][1:].partition(">")[0])
        assert ask(app, "GET", times).json()["etag"] == clip.headers["etag"]
    late = ask(app, "GET", "/api/v1/events/e1/clip.mp4", params={"after": "-9s"})
    assert late.status_code == 400
    assert ask(app, "GET", "/api/v1/events/e9/clip.mp4").status_code == 404


def test_an_event_of_several_cameras_wants_to_know_which(app: App, film: Shelf) -> None:
    asked = put_film(app, film)
    event(app, "e1", asked.start + 4 * SECOND, STREAM.camera, "x")
    path = "/api/v1/events/e1/clip.mp4"
    answer = ask(app, "GET", path, params={"after": "1s"})
    assert answer.status_code == 400
    assert f"camera={STREAM.site}/{STREAM.camera}" in answer.json()["hint"]
    for name in (STREAM.camera, str(STREAM.camera_id)):
        assert ask(app, "GET", path, params={"camera": name}).status_code == 200
    assert ask(app, "GET", path, params={"camera": "y"}).status_code == 400


def test_an_event_is_read_changed_and_removed_each_version_once(app: App) -> None:
    event(app, "e1", T0, "a")
    path = "/api/v1/events/e1"
    read = ask(app, "GET", path)
    assert (read.headers["etag"], read.json()["version"]) == ('"1"', 1)
    end = format_instant(T0 + 60 * SECOND)
    changed = ask(app, "PATCH", path, json={"end": end}, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    touched = TimeRange(T0 - 10 * SECOND, T0 + 90 * SECOND)
    assert changed.json()["touched_end"] == format_instant(touched.end)
    assert [one for _, one, _ in app.catalog.events.windows(touched)] == [touched]
    assert (
        ask(app, "PATCH", path, json={"end": end}, headers={"If-Match": '"1"'}).status_code == 412
    )
    refused = ask(app, "PATCH", path, json={"cameras": ["b"]})
    assert (refused.status_code, "cannot be changed" in refused.text) == (422, True)
    again = event(app, "e1", T0, "a")
    assert (again.status_code, again.json()) == (200, ask(app, "GET", path).json())
    assert ask(app, "DELETE", path, headers={"If-Match": '"1"'}).status_code == 412
    assert ask(app, "DELETE", path).status_code == 204
    for method in ("GET", "PATCH", "DELETE"):
        assert (
            ask(app, method, path, **({"json": {}} if method == "PATCH" else {})).status_code == 404
        )
    body = {"id": "e1", "kind": "alarm", "camera": "a"}
    assert ask(app, "POST", "/api/v1/events", json=body).status_code == 409
    said = [one.raw.decode() for one in app.catalog.audit_log.search(AskedEntries(), 9)]
    for action in ("event.add", "event.change", "event.remove"):
        assert any(f'"{action}"' in one for one in said), action


def test_an_event_of_another_site_is_changed_there(app: App) -> None:
    other = parse_event({"camera": "a", "kind": "alarm"}, None, "p1", "post1", T0)
    app.catalog.events.take([(other, None)], T0)
    for method, more in (("PATCH", {"json": {"kind": "manual"}}), ("DELETE", {})):
        answer = ask(app, method, "/api/v1/events/p1", **more)
        assert (answer.status_code, "of site post1" in answer.text) == (409, True)
