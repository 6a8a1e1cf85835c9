"""Devices count: events of one id at two sites are two, and each keeps its own footage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recorder.app import App
from recorder.catalog.sql import SqlCatalog
from recorder.config import Settings, StorePart
from recorder.model.camera_document import parse_camera
from recorder.model.event_changes import event_document
from recorder.model.events import Event
from recorder.model.keys import CameraId
from recorder.model.timebase import TimeRange
from recorder.sites.documents import hear_child
from tests.support.make import T0
from tests.unit.test_guard import ask
from tests.unit.test_told import NOW, Parent, linked, message

ALL = TimeRange(0, 2 * NOW)


def alarm(site: str, camera: str, event_id: str = "1") -> Event:
    range_ = TimeRange(T0, T0 + 10)
    return Event(event_id, site, "alarm", "nvr", (camera,), range_, range_, T0, noted=T0)


@pytest.fixture
def centre() -> Iterator[SqlCatalog]:
    one = SqlCatalog("sqlite://")
    yield one
    one.close()


def told(event: Event) -> dict[str, Any]:
    catalog = SqlCatalog("sqlite://", parent=True)
    catalog.events.add(event, None)
    body = message(catalog)
    catalog.close()
    body.update(site=event.site, statuses=[], sites=[], nodes=[], holds={})
    return body


def touched(catalog: SqlCatalog) -> set[str]:
    return {str(camera) for camera, _, _ in catalog.events.windows(ALL)}


def test_an_event_of_one_site_hides_none_of_another_that_is_called_alike(
    centre: SqlCatalog,
) -> None:
    centre.events.add(alarm("here", "gate"), None)
    for site in ("post1", "post2", "post2"):
        hear_child(centre, told(alarm(site, "cam07")), "here", NOW)
    assert touched(centre) == {"here/gate", "post1/cam07", "post2/cam07"}
    found = centre.events.touching(ALL, [CameraId("post2", "cam07")])
    assert [(one.site, one.version) for one in found] == [("post2", 1)], "twice is once"


def test_what_becomes_of_it_is_not_said_of_the_other(centre: SqlCatalog) -> None:
    for site in ("post1", "post2"):
        hear_child(centre, told(alarm(site, "cam07")), "here", NOW)
    body = told(alarm("post2", "cam07"))
    change = next(one for one in body["changes"] if one["k"] == "event")
    change.update(version=2, removed=True)
    hear_child(centre, body, "here", NOW)
    assert touched(centre) == {"post1/cam07"}


def test_it_goes_on_to_be_called_so_when_the_other_is_forgotten(centre: SqlCatalog) -> None:
    for site in ("post1", "post2"):
        hear_child(centre, told(alarm(site, "cam07")), "here", NOW)
    assert centre.event_ages.expire(["1"]) == 1
    body = told(alarm("post2", "cam07"))
    next(one for one in body["changes"] if one["k"] == "event").update(version=2)
    hear_child(centre, body, "here", NOW)
    found = centre.events.touching(ALL, [CameraId("post2", "cam07")])
    assert [one.version for one in found] == [2]


def test_an_event_from_above_is_kept_beside_ours(centre: SqlCatalog) -> None:
    post = SqlCatalog("sqlite://", parent=True)
    post.events.add(alarm("post1", "cam07"), None)
    above = alarm("here", "post1/cam08")
    linked(post, Parent(centre, "never")).from_parent.events([event_document(above)], NOW)
    assert touched(post) == {"post1/cam07", "post1/cam08"}
    later = event_document(replace(above, version=2, removed=True))
    linked(post, Parent(centre, "never")).from_parent.events([later], NOW)
    assert touched(post) == {"post1/cam07"}
    post.close()


def test_an_event_that_is_reported_under_the_id_of_another_sites_is_refused(
    tmp_path: Path,
) -> None:
    stores = [StorePart(name="main", path=tmp_path)]
    app = App(Settings(data=tmp_path, site="here", stores=stores))
    app.catalog.cameras.put(parse_camera("gate", {"url": "rtsp://x/y"}), 1, None)
    app.catalog.events.take([(alarm("post1", "cam07"), None)], T0)
    body: dict[str, Any] = {"camera": "gate", "kind": "alarm", "id": "1"}
    answer = ask(app, "POST", "/api/v1/events", json=body)
    assert (answer.status_code, "its site is post1, not " in answer.text) == (409, True)
    assert ask(app, "POST", "/api/v1/events", json={**body, "id": "2"}).status_code == 201
    for status in (200, 200):
        assert ask(app, "POST", "/api/v1/events", json={**body, "id": "2"}).status_code == status
    app.close()
