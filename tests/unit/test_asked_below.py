"""Cameras that a site below is asked for: nobody's wish is overwritten unseen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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
