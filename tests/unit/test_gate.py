"""The HTTP door, every route of it against every role; and cameras that one may not see."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import click
import pytest
from fastapi.routing import APIRoute

from recorder.access.approvals import Request
from recorder.access.permissions import FREE, ROLES, Permission, Role
from recorder.api.gate import Needs, needed_by
from recorder.api.server import MODULES, make_api
from recorder.app import App
from recorder.cli import recorder
from recorder.cli.permitted import NEEDED
from recorder.model.caller import Caller, CallerKind
from recorder.model.camera_document import parse_camera
from recorder.model.events import parse_event
from recorder.model.exports import Export, ExportWanted
from recorder.model.holds import parse_hold
from recorder.model.keys import CameraId, StreamId, segment_key
from recorder.model.timebase import HOUR, MINUTE, TimeRange, format_instant
from recorder.ports import SiteBeat
from tests.support.access import ask, make_guarded, person
from tests.support.make import T0, segment

JSON = {"content-type": "application/json"}
RANGE = {"start": format_instant(T0), "end": format_instant(T0 + MINUTE)}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A centre with two cameras, and one more at a post; events, holds and footage of all."""
    one = make_guarded(tmp_path_factory.mktemp("app"))
    now = one.clock.now()
    for name in ("gate", "yard"):
        document = parse_camera(name, {"url": "rtsp://10.0.0.1/x", "group": f"{name}s"})
        one.catalog.cameras.put(document, now, None)
    one.catalog.sites.put(SiteBeat("post1", "post", "", now))
    for site, camera in (("centre", "gate"), ("centre", "yard"), ("post1", "door")):
        stream = StreamId(site, camera, "main")
        key = segment_key(str(stream), T0, "n1.1", 0)
        one.catalog.commits.add_segment(segment(stream=stream, key=key), "main", "", 7)
        at = {"camera": camera, "kind": "alarm", "at": format_instant(T0 + 1)}
        event = parse_event(at, None, f"event-{camera}", site, now)
        one.catalog.events.add(event, b"\xff\xd8")
        held = {**RANGE, "cameras": [f"{site}/{camera}"], "case": "1", "reason": "r", "owner": "o"}
        one.catalog.holds.add(parse_hold(held, f"hold-{camera}", now))
        one.catalog.approvals.add(Request(
            f"request-{camera}", "user:ira", Permission.FOOTAGE_EXPORT, CameraId(site, camera),
            TimeRange(T0, T0 + MINUTE), "case 7", now, now + HOUR,
        ))  # fmt: skip
        asked_for = ExportWanted((f"{site}/{camera}",), TimeRange(T0, T0 + MINUTE), "7", "p")
        ira = Caller(CallerKind.USER, "ira")
        one.catalog.exports.add(Export(f"export-{camera}", ira, asked_for, now, now + HOUR))
    yield one
    one.close()


@pytest.fixture(scope="module")
def people(app: App) -> dict[str, dict[str, str]]:
    """One of each role."""
    return {role.value: person(app, role.value, [{"role": role.value}]) for role in Role}


def routes() -> list[APIRoute]:
    return [route.made for module in MODULES for route in module.router.routes]


def declared(route: APIRoute) -> Needs:
    found = needed_by(route)
    assert found is not None, route.path
    return found


def filled(path: str, camera: str = "gate") -> str:
    """An address of a route, of something that there is."""
    key = segment_key(f"centre/{camera}/main", T0, "n1.1", 0)
    names = {
        "camera": camera, "site": "post1", "name": camera, "event_id": f"event-{camera}",
        "hold_id": f"hold-{camera}", "key:path": key, "token": "none", "session": "none",
        "node": "n1", "log": "none", "tile:path": "0/000",
        "request_id": f"request-{camera}", "export_id": f"export-{camera}",
    }  # fmt: skip
    for name, value in names.items():
        path = path.replace("{" + name + "}", value)
    assert "{" not in path, path
    return path


def test_every_route_declares_what_it_needs(app: App) -> None:
    known = {one.path for one in routes()}
    for path in make_api(app, None).openapi()["paths"]:
        assert path in {re.sub(r":path}", "}", one) for one in known}, path
    for route in routes():
        assert declared(route).permission in Permission


def test_every_route_that_names_a_camera_asks_about_that_camera(app: App) -> None:
    for route in routes():
        if "{camera}" in route.path:
            assert declared(route).scoped, route.path


def test_every_route_answers_each_role_as_the_table_says(
    app: App, people: dict[str, dict[str, str]]
) -> None:
    wrong, asked = [], 0
    for route in routes():
        if route.path.endswith(("/logout", "/login")):
            continue
        needs = declared(route).permission
        for method in sorted((route.methods or set()) - {"DELETE"}):
            for who, shown in [*people.items(), ("nobody", {})]:
                content = None if method in ("GET", "HEAD") else b"{}"
                headers = {**shown, **(JSON if content else {})}
                answer = ask(app, method, filled(route.path), headers, content=content)
                may = needs in FREE if who != "nobody" else needs is Permission.PUBLIC
                may = may or (who != "nobody" and needs in ROLES[Role(who)])
                refused = answer.status_code in (401, 403)
                if route.path.endswith("/redeem") or route.path.endswith("/join"):
                    refused = False  # they refuse the word
                asked += 1
                if refused == may:
                    wrong.append((who, method, route.path, answer.status_code))
                if refused:
                    assert answer.status_code == (401 if who == "nobody" else 403)
    assert wrong == []
    assert asked > 300


def test_every_command_declares_what_it_needs() -> None:
    def leaves(group: click.Group, path: str) -> Iterator[str]:
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if isinstance(command, click.Group):
                yield from leaves(command, f"{path}{name} ")
            if not isinstance(command, click.Group) or command.invoke_without_command:
                yield f"{path}{name}"

    assert sorted(leaves(recorder, "")) == sorted(NEEDED)


LIMITED = [{"role": "officer", "cameras": ["centre/gate"]},
           {"role": "operator", "cameras": ["centre/gate"]},
           {"role": "approver", "cameras": ["centre/gate"]}]  # fmt: skip


def test_a_camera_out_of_reach_answers_as_one_that_does_not_exist(app: App) -> None:
    shown, checked = person(app, "lea", LIMITED), 0
    for route in routes():
        needs = declared(route)
        if not needs.scoped or "{" not in route.path:
            continue
        for method in sorted(route.methods or set()):
            headers = {**shown, **({} if method in ("GET", "HEAD", "DELETE") else JSON)}
            query: dict[str, Any] = {**RANGE} if "camera}" in route.path else {}
            query = {name: query[name] for name in query if route.path.rsplit("/", 1)[-1] in (
                "timeline", "clip.mp4", "clip.json", "playback.m3u8", "strip")}  # fmt: skip
            if route.path.endswith(("frame.jpg", "explain")):
                query = {"at": RANGE["start"]}
            if "holds" in route.path and method == "DELETE":
                query = {"by": "lea"}
            content = b'{"url": "rtsp://10.0.0.1/x"}' if JSON.items() <= headers.items() else None
            if "points" in route.path and method == "PUT":
                content = b'{"kind": "alarm", "cameras": ["yard"]}'
            said = [
                ask(app, method, filled(route.path, name), headers, params=query, content=content)
                for name in ("yard", "none")
            ]
            if "points" in route.path and method == "PUT":
                assert said[0].status_code == 404
                continue
            checked += 1
            assert said[0].status_code == 404, (method, route.path, said[0].text)
            if method != "HEAD" and (method, "cameras/{camera}") != ("PUT", route.path[8:]):
                texts = [one.text.replace("yard", "none") for one in said]
                assert texts[0] == texts[1], (method, route.path)
    assert checked >= 15
    assert app.catalog.cameras.get("yard") is not None


def test_lists_show_what_one_may_see_and_no_more(app: App) -> None:
    shown = person(app, "mia", LIMITED)
    everything = person(app, "boss", [{"role": "admin"}])
    day = {"start": format_instant(T0 - HOUR), "end": format_instant(T0 + HOUR)}
    lists: tuple[tuple[str, dict[str, str]], ...] = (
        ("cameras", {}),
        ("coverage", day),
        ("events", day),
        ("holds", {}),
        ("approvals", {}),
        ("exports", {}),
    )
    for path, query in lists:
        mine = ask(app, "GET", f"/api/v1/{path}", shown, params=query)
        all_ = ask(app, "GET", f"/api/v1/{path}", everything, params=query)
        assert (mine.status_code, all_.status_code) == (200, 200), mine.text
        assert "gate" in mine.text
        for other in ("yard", "door", "post1"):
            assert other not in mine.text, (path, other)
        assert "yard" in all_.text, path


def test_what_concerns_all_is_not_for_who_may_see_some_cameras(app: App) -> None:
    shown = person(app, "ben", [{"role": "admin", "groups": ["gates"]}])
    for path in ("policy", "nodes", "stores", "access/users"):
        answer = ask(app, "GET", f"/api/v1/{path}", shown)
        assert answer.status_code == 403
        assert "for some cameras alone" in answer.text
    assert ask(app, "GET", "/api/v1/cameras/gate", shown).status_code == 200


def test_nobody_moves_a_camera_into_reach_or_out_of_it(app: App) -> None:
    shown = person(app, "tom", [{"role": "operator", "groups": ["gates"]}])
    body = {"group": "yards"}
    answer = ask(app, "PATCH", "/api/v1/cameras/gate?dry_run=true", shown, json=body)
    assert answer.status_code == 404
    body = {"group": "gates"}
    answer = ask(app, "PATCH", "/api/v1/cameras/yard?dry_run=true", shown, json=body)
    assert answer.status_code == 404
    answer = ask(app, "PATCH", "/api/v1/cameras/gate?dry_run=true", shown, json=body)
    assert answer.status_code == 200


def test_a_grant_s_limits_hold_for_clips(app: App) -> None:
    grants = [{"role": "officer", "back": "1h", "purpose": True}]
    shown = person(app, "kim", grants)
    path = "/api/v1/cameras/gate/clip.mp4"
    answer = ask(app, "GET", path, shown, params=RANGE)
    assert (answer.status_code, "purpose" in answer.text) == (403, True)
    answer = ask(app, "GET", path, {**shown, "x-purpose": "case 7"}, params=RANGE)
    assert (answer.status_code, "reaches back 1h" in answer.text) == (403, True)


def test_an_address_that_others_may_use_is_for_who_may_export(app: App) -> None:
    shown = person(app, "eva", [{"role": "viewer"}])
    path = "/api/v1/cameras/gate/playback.m3u8"
    assert ask(app, "GET", path, shown, params={**RANGE, "via": "presigned"}).status_code == 403
    assert ask(app, "GET", path, shown, params=RANGE).status_code != 403


def test_a_token_for_clips_gets_their_true_times_and_what_it_is_not_for_says_which_is(
    app: App,
) -> None:
    shown = person(app, "vms", [{"role": "platform"}], only=["footage.export"])
    for path, refused in (("clip.json", False), ("timeline", True)):
        answer = ask(app, "GET", f"/api/v1/cameras/gate/{path}", shown, params=RANGE)
        assert (answer.status_code == 403) == refused, answer.text
    assert answer.json()["hint"].endswith("--only camera.read")
    look = person(app, "wall", [{"role": "platform"}], only=["event.read"])
    assert ask(app, "GET", "/api/v1/cameras/gate/clip.json", look, params=RANGE).status_code == 403


def test_probes_hear_whether_a_node_is_ready_and_only_who_may_look_hears_of_its_stores(
    app: App, people: dict[str, dict[str, str]]
) -> None:
    app.admit("main")
    nobody = ask(app, "GET", "/readyz")
    assert nobody.json() == {"ready": True, "state": "ok", "checks": {}}
    assert ask(app, "GET", "/readyz", people["viewer"]).json()["checks"] == {}
    assert "store main" in ask(app, "GET", "/readyz", people["operator"]).json()["checks"]
    for path in ("/healthz", "/docs", "/openapi.json"):
        assert ask(app, "GET", path).status_code == 200


def test_an_id_in_hand_tells_nothing_of_an_event_at_a_camera_that_one_may_not_see(
    app: App,
) -> None:
    told = person(app, "sensor", [{"role": "platform", "cameras": ["centre/yard"]}])
    body = {"id": "event-gate", "camera": "yard", "kind": "alarm"}
    answer = ask(app, "POST", "/api/v1/events", told, json=body)
    assert (answer.status_code, "id is taken" in answer.json()["detail"]) == (409, True)
    own = ask(app, "POST", "/api/v1/events", told, json={**body, "id": "event-yard"})
    assert (own.status_code, own.json()["id"]) == (200, "event-yard")
    both = person(app, "panel", [{"role": "platform"}])
    other = ask(app, "POST", "/api/v1/events", both, json={**body, "camera": "yard"})
    assert (other.status_code, "is another: its source" in other.text) == (409, True)
