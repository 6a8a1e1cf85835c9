"""Names that case alone tells apart share a folder on some disks: no new one is made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from recorder.app import App
from recorder.model.camera_document import parse_camera
from recorder.ports import SiteBeat
from recorder.sites.asked import Asked
from recorder.sites.noted import FromAbove
from tests.support.doors import ask, make_app
from tests.support.make import T0

URL = {"url": "rtsp://a/b"}


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    one = make_app(tmp_path)
    one.catalog.sites.put(SiteBeat("post1", "post", "", T0, {}))
    one.catalog.cameras.put(parse_camera("Gate", URL), T0, None)
    yield one
    one.close()


def put(app: App, path: str) -> int:
    return ask(app, "PUT", f"/api/v1/cameras/{path}", json=URL).status_code


def test_a_new_camera_is_not_called_as_another_in_other_letters(app: App) -> None:
    answer = ask(app, "PUT", "/api/v1/cameras/gate", json=URL)
    assert (answer.status_code, "there is a camera Gate" in answer.text) == (409, True)
    assert put(app, "yard") == 201
    app.catalog.cameras.put(parse_camera("gate", URL), T0, None)
    assert put(app, "gate") == 200, "one of before may be changed"


def test_nor_one_of_a_sheet_whatever_stands_in_it(app: App) -> None:
    for names in (["GATE"], ["yard", "Yard"]):
        cameras = {one: dict(URL) for one in names}
        answer = ask(app, "POST", "/api/v1/cameras", json={"cameras": cameras})
        assert (answer.status_code, "case alone" in answer.text) == (422, True), answer.text
    assert [one.name for one in app.catalog.cameras.all()] == ["Gate"]


def test_nor_one_that_a_site_below_is_asked_for_or_that_comes_from_above(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    assert put(app, "gate?site=post1") == 200, "names are a site's own"
    assert put(app, "GATE?site=post1") == 409
    asked = Asked(app.catalog, app.clock, app.settings.site, lambda one: one, FromAbove())
    told = {"site": app.settings.site, "body": {"streams": {"main": URL}}, "author": "ann"}
    asked.hear([{**told, "name": "GATE", "at": 1}, {**told, "name": "yard", "at": 2}], "centre")
    assert [one.name for one in app.catalog.cameras.all()] == ["Gate", "yard"]
    assert "camera from above not taken" in caplog.text
    asked.hear([{**told, "name": "Gate", "at": 3}], "centre")
    assert asked.heard() == 3
