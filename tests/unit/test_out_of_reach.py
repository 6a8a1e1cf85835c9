"""What one may not see is told by no refusal; what limits a look, or a token, has no way round."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from recorder.api.routes import access
from recorder.api.waiting import Waiting
from recorder.app import App
from recorder.model.camera_document import parse_camera
from recorder.model.events import parse_event, parse_point
from recorder.model.holds import parse_hold
from recorder.model.keys import StreamId, segment_key
from recorder.model.timebase import HOUR, MINUTE, format_instant
from recorder.ports import SiteBeat
from tests.support.access import ADMIN, ask, make_guarded, person
from tests.support.make import T0, segment

RANGE = {"start": format_instant(T0), "end": format_instant(T0 + MINUTE)}
HELD = {**RANGE, "case": "1", "reason": "r", "owner": "o"}
THERE = [("centre", "gate"), ("centre", "yard"), ("post1", "twin"), ("post2", "twin")]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A centre with two cameras, and two posts with a camera each, of one name."""
    one = make_guarded(tmp_path_factory.mktemp("app"))
    now = one.clock.now()
    for site, camera in THERE:
        stream = StreamId(site, camera, "main")
        key = segment_key(str(stream), T0, "n1.1", 0)
        if site == "centre":
            one.catalog.cameras.put(parse_camera(camera, {"url": "rtsp://10.0.0.1/x"}), now, None)
        else:
            one.catalog.sites.put(SiteBeat(site, "post", "", now))
        one.catalog.commits.add_segment(segment(stream=stream, key=key), "main", "", 7)
    held = {**HELD, "cameras": ["centre/gate"]}
    one.catalog.holds.add(parse_hold(held, "hold-gate", now))
    one.catalog.points.put(parse_point("door", {"kind": "alarm", "cameras": ["centre/gate"]}))
    at = {"camera": "gate", "kind": "alarm", "at": RANGE["start"]}
    one.catalog.events.add(parse_event(at, None, "event-gate", "centre", now), b"\xff\xd8")
    yield one
    one.close()


@pytest.fixture(scope="module")
def guard(app: App) -> dict[str, str]:
    """Somebody who may do all that is about cameras, at one of them."""
    grants = [{"role": role, "cameras": ["centre/yard"]} for role in ("officer", "operator")]
    return person(app, "guard", grants)


def named(app: App, shown: dict[str, str], camera: str) -> list[httpx.Response]:
    """Name a camera wherever one is named in what is sent."""
    api = "/api/v1"
    return [
        ask(app, "GET", f"{api}/access/explain", shown, params={"camera": camera}),
        ask(app, "POST", f"{api}/holds", shown, json={**HELD, "cameras": [camera]}),
        ask(app, "POST", f"{api}/events", shown, json={"camera": camera, "kind": "alarm"}),
        ask(app, "PUT", f"{api}/points/p", shown, json={"kind": "alarm", "cameras": [camera]}),
    ]


@pytest.mark.parametrize("camera", ["gate", "twin", "centre/gate", "post1/twin", "post3/twin"])
def test_a_name_of_what_is_out_of_reach_is_answered_as_one_of_nothing(
    app: App, guard: dict[str, str], camera: str
) -> None:
    site = camera.rpartition("/")[0]
    nothing = f"{site}/none" if site else "none"
    there, none = named(app, guard, camera), named(app, guard, nothing)
    assert [one.status_code for one in there] == [404] * len(there)
    assert [one.text.replace(camera, nothing) for one in there] == [one.text for one in none]


def test_of_several_cameras_of_a_name_those_in_reach_are_told(app: App) -> None:
    one = person(app, "one", [{"role": "officer", "cameras": ["post1/twin"]}])
    query = {"camera": "twin", "action": "footage.view"}
    found = ask(app, "GET", "/api/v1/access/explain", one, params=query)
    assert (found.status_code, found.json()[0]["allowed"]) == (200, True)
    both = person(app, "both", [{"role": "officer", "sites": ["post1", "post2"]}])
    several = ask(app, "GET", "/api/v1/access/explain", both, params=query)
    assert (several.status_code, several.json()["hint"]) == (
        409, "say which: post1/twin or post2/twin",
    )  # fmt: skip


def test_a_point_and_a_hold_out_of_reach_name_no_camera(app: App, guard: dict[str, str]) -> None:
    events, holds = "/api/v1/events", "/api/v1/holds"
    there, none = (
        ask(app, "POST", events, guard, json={"point": name, "kind": "alarm"})
        for name in ("door", "none")
    )
    assert (there.status_code, there.json()["detail"]) == (404, "no point 'door'")
    assert (none.status_code, none.json()["detail"]) == (404, "no point 'none'")
    body = {**HELD, "cameras": ["yard"], "id": "hold-gate"}
    taken = ask(app, "POST", holds, guard, json=body)
    assert (taken.status_code, "centre/gate" in taken.text) == (409, False)


@pytest.mark.parametrize("part", ["0-99", "0-99999999", "9-1"])
def test_an_object_out_of_reach_has_no_size(app: App, guard: dict[str, str], part: str) -> None:
    keys = [segment_key(f"centre/{one}/main", T0, "n1.1", 0) for one in ("gate", "none")]
    there, none = (
        ask(app, "GET", f"/api/v1/objects/{key}", guard, params={"bytes": part}) for key in keys
    )
    assert (there.status_code, none.status_code) == (404, 404)
    assert there.text.replace("gate", "none") == none.text


@pytest.mark.parametrize(
    ("grant", "status"),
    [
        ({"role": "viewer", "back": "1h"}, 403),
        ({"role": "viewer", "purpose": True}, 403),
        ({"role": "viewer", "four_eyes": ["footage.view"]}, 403),
        ({"role": "viewer", "masked": True}, 403),
        ({"role": "viewer"}, 200),
        ({"role": "officer", "four_eyes": ["footage.export"]}, 200),
        ({"role": "operator", "back": "1h"}, 200),
    ],
)
def test_an_event_s_image_is_footage_where_a_grant_limits_looks(
    app: App, grant: dict[str, Any], status: int
) -> None:
    who = person(app, "who", [grant])
    assert ask(app, "GET", "/api/v1/events/event-gate/image", who).status_code == status


def test_a_token_takes_the_place_of_none_that_may_more_than_itself(app: App) -> None:
    app.people.put("ana", ADMIN)
    word, narrow = app.people.add_token("ana", only=["camera.read"])
    shown = {"authorization": f"Bearer {word}"}
    wide = app.people.add_token("ana")[1], app.people.add_token("ana", only=["policy.write"])[1]
    for one in wide:
        path = f"/api/v1/access/tokens/{one.credential_id}/rotate"
        assert ask(app, "POST", path, shown, json={}).status_code == 403
    path = f"/api/v1/access/tokens/{narrow.credential_id}/rotate"
    assert ask(app, "POST", path, shown, json={}).status_code == 201


def test_a_password_that_is_changed_while_it_is_looked_at_opens_nothing(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    person(app, "lea", [{"role": "viewer"}])
    app.people.set_password("lea", "an old password 1")

    async def slow(_: str, __: str, ___: object) -> bool:
        await asyncio.to_thread(app.people.set_password, "lea", "a new password 2")
        return True

    monkeypatch.setattr(access, "in_turn", slow)
    body = {"name": "lea", "password": "an old password 1"}
    assert ask(app, "POST", "/api/v1/access/login", json=body).status_code == 401
    assert app.people.live("lea", "session") == []


def test_what_ends_while_a_request_waits_gives_it_nothing(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = app.clock.now
    until = format_instant(now() + HOUR)
    who = person(app, "mia", [{"role": "viewer", "until": until}])

    async def wait(*_: object) -> None:
        monkeypatch.setattr(app.clock, "now", lambda: now() + 2 * HOUR)

    monkeypatch.setattr(Waiting, "until_there", wait)
    path = "/api/v1/cameras/gate/clip.json"
    answer = ask(app, "GET", path, who, params={**RANGE, "wait": "1s"})
    assert (answer.status_code, "has ended" in answer.text) == (403, True)
