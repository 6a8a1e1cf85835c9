"""Cameras that a site below is asked for: nobody's wish is overwritten unseen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recorder.app import App
from recorder.ports import SiteBeat
from tests.support.doors import ask, make_app
from tests.support.make import T0


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    one = make_app(tmp_path)
    one.catalog.sites.put(SiteBeat("post1", "post", "", T0, {}))
    yield one
    one.close()


@pytest.mark.parametrize(
    "path", ["/api/v1/sites/post1/cameras/gate", "/api/v1/cameras/gate?site=post1"]
)
def test_a_camera_below_is_asked_for_only_as_it_was_read(path: str, app: App) -> None:
    def put(url: str, **headers: str) -> int:
        return ask(app, "PUT", path, json={"url": url}, headers=headers).status_code

    assert put("rtsp://a/1", **{"If-Match": '"1"'}) == 412, "there is none"
    assert put("rtsp://a/1") == 200
    assert put("rtsp://a/2", **{"If-Match": '"1"'}) == 200
    assert put("rtsp://a/3", **{"If-Match": '"1"'}) == 412
    (one,) = ask(app, "GET", "/api/v1/sites/post1/cameras").json()
    assert (one["version"], one["streams"]["main"]["url"]) == (2, "rtsp://a/2")


@pytest.mark.parametrize(
    "path", ["/api/v1/sites/post1/cameras/gate", "/api/v1/cameras/gate?site=post1"]
)
def test_what_is_asked_for_is_changed_and_removed_only_as_it_was_read(path: str, app: App) -> None:
    camera, old = "/api/v1/cameras/gate?site=post1", {"If-Match": '"1"'}
    for url in ("rtsp://a/1", "rtsp://a/2"):
        assert ask(app, "PUT", camera, json={"url": url}).status_code == 200
    assert ask(app, "PATCH", camera, json={"group": "x"}, headers=old).status_code == 412
    assert ask(app, "DELETE", path, headers=old).status_code == 412
    (one,) = ask(app, "GET", "/api/v1/sites/post1/cameras").json()
    assert (one["version"], one["group"]) == (2, "general")
    assert ask(app, "DELETE", path, headers={"If-Match": '"2"'}).status_code == 204


def test_a_camera_is_removed_only_as_it_was_read(app: App) -> None:
    for url in ("rtsp://a/1", "rtsp://a/2"):
        assert ask(app, "PUT", "/api/v1/cameras/gate", json={"url": url}).status_code < 300
    for tag, status in (('"1"', 412), ('"2"', 204), ('"2"', 412)):
        told = ask(app, "DELETE", "/api/v1/cameras/gate", headers={"If-Match": tag})
        assert told.status_code == status


def test_what_another_asks_for_while_a_change_is_made_is_not_lost(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera, asked = "/api/v1/cameras/gate?site=post1", app.catalog.child_cameras
    assert ask(app, "PUT", camera, json={"url": "rtsp://a/1"}).status_code == 200
    put = asked.put

    def late(site: str, name: str, body: Any, author: str, at: int, *more: Any) -> object:
        monkeypatch.setattr(asked, "put", put)
        put(site, name, {**body, "group": "theirs"}, "ben", at)
        return put(site, name, body, author, at, *more)

    monkeypatch.setattr(asked, "put", late)
    assert ask(app, "PATCH", camera, json={"group": "ours"}).status_code == 412
    (one,) = ask(app, "GET", "/api/v1/sites/post1/cameras").json()
    assert one["group"] == "theirs"
