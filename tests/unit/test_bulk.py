"""Many cameras over HTTP, and sources that are looked at: all or none, and only one's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recorder.api.routes import bulk
from recorder.app import App
from recorder.client.asked import plain
from recorder.model.camera_document import parse_camera
from recorder.model.sheets import read_sheet, show_sent
from recorder.ports import AskedEntries
from tests.support.access import ADMIN, ask, make_guarded, person

PATH = "/api/v1/cameras"
LIMITED = [{"role": "operator", "groups": ["gates"]}]


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    one = make_guarded(tmp_path)
    for name in ("gate", "yard"):
        body = {"url": f"rtsp://u:p@10.0.0.1/{name}", "group": f"{name}s"}
        one.catalog.cameras.put(parse_camera(name, body), one.clock.now(), None)
    yield one
    one.close()


def send(app: App, cameras: dict[str, Any], who: dict[str, str], **more: Any) -> tuple[int, Any]:
    answer = ask(app, "POST", PATH, who, json={"cameras": cameras, **more})
    return answer.status_code, answer.json()


def test_many_cameras_are_stored_all_or_none_and_mistakes_say_where_they_stand(app: App) -> None:
    boss = person(app, "boss", ADMIN)
    wrong = {"door": {"url": "rtsp://10.0.0.2/x"}, "bad": {"url": "gopher://x"}, "Not OK": {}}
    code, said = send(app, wrong, boss, places={"bad": "posts.csv: row 3"})
    assert (code, "nothing was stored" in said["detail"]) == (422, True)
    assert said["detail"].startswith("posts.csv: row 3: streams.main.url")
    assert "; cameras.Not OK: " in said["detail"]
    assert app.catalog.cameras.get("door") is None
    right = {"door": wrong["door"], "gate": {"label": "Gate"}, "yard": {"group": "yards"}}
    path = f"{PATH}?dry_run=true"
    tried = ask(app, "POST", path, boss, json={"cameras": right}).json()
    assert app.catalog.cameras.get("door") is None
    code, done = send(app, right, boss, name="posts.csv")
    assert [(one["camera"], one["done"]) for one in done] == [
        ("door", "added"), ("gate", "changed"), ("yard", "same")
    ]  # fmt: skip
    assert (tried, code) == (done, 200)
    gate = app.catalog.cameras.get("gate")
    assert gate is not None
    assert gate.streams["main"].credentials == "u:p", "what is not sent stays"
    assert "u:p" not in str(done)


@pytest.mark.parametrize(
    "body", [{}, {"cameras": []}, {"cameras": {}}, {"cameras": {"a": 1}},
             {"cameras": {"a": {}}, "places": [1]}, {"cameras": {"a": {}}, "places": {"a": 1}}]
)  # fmt: skip
def test_what_is_no_map_of_cameras_is_refused(app: App, body: dict[str, Any]) -> None:
    answer = ask(app, "POST", PATH, person(app, "boss", ADMIN), json=body)
    assert answer.status_code in (400, 422)


def test_who_may_some_cameras_sends_these_alone_and_hears_of_no_other(app: App) -> None:
    shown = person(app, "tom", LIMITED)
    new = {"url": "rtsp://10.0.0.2/x"}
    assert (
        send(app, {"gate": {"label": "Gate"}, "door": {**new, "group": "gates"}}, shown)[0] == 200
    )
    said = [send(app, {"gate": {"label": "x"}, name: new}, shown) for name in ("yard", "none")]
    assert [code for code, _ in said] == [404, 404]
    assert said[0][1] == {**said[1][1], "detail": "no camera 'yard'"}
    assert send(app, {"gate": {"group": "yards"}}, shown)[0] == 404, "out of reach"
    gate = app.catalog.cameras.get("gate")
    assert (gate.group, gate.about.label) == ("gates", "Gate") if gate else False


def test_a_probe_is_for_who_may_add_cameras_and_of_these_for_whose_he_may(app: App) -> None:
    shown, viewer = person(app, "tom", LIMITED), person(app, "eva", [{"role": "viewer"}])
    for camera in ("yard", "none", "post1/gate"):
        answer = ask(app, "POST", "/api/v1/probe", shown, json={"camera": camera})
        said = (answer.status_code, answer.json()["detail"])
        assert said == (404, f"no camera {camera!r} at this site, and no such file")
    assert ask(app, "POST", "/api/v1/probe", viewer, json={"camera": "gate"}).status_code == 403
    for body, code in (
        ({"url": "rtsp://10.0.0.1/x", "timeout": 1e9}, 400), ({"url": "file:/etc/passwd"}, 403),
        ({"url": "lavfi:testsrc2"}, 403), ({"url": "gopher://x"}, 422), ({"url": "x", "y": 1}, 422),
    ):  # fmt: skip
        assert ask(app, "POST", "/api/v1/probe", shown, json=body).status_code == code, body


def test_few_probes_run_at_once(app: App) -> None:
    shown = person(app, "tom", LIMITED)
    for _ in range(bulk.MOST_PROBES):
        bulk._PROBES.acquire()
    try:
        answer = ask(app, "POST", "/api/v1/probe", shown, json={"url": "rtsp://127.0.0.1:9/x"})
        assert (answer.status_code, answer.json()["retryable"]) == (503, True)
    finally:
        for _ in range(bulk.MOST_PROBES):
            bulk._PROBES.release()
    answer = ask(app, "POST", "/api/v1/probe", shown, json={"url": "rtsp://u:pw1@127.0.0.1:9/x"})
    assert answer.json()["title"] == "SourceUnreachable"
    assert "pw1" not in answer.text
    (noted,) = app.catalog.audit_log.search(
        AskedEntries(None, None, None, "", "camera.probe", ""), 10
    )
    assert b'"source":"rtsp://127.0.0.1:9/x"' in noted.raw


def test_a_sheet_with_dates_is_sent_as_json_has_it() -> None:
    text = "cameras: {a: {url: x, timetable: {except: {2026-12-25: [daily]}}}}"
    sent = json.loads(json.dumps(plain(show_sent(read_sheet(text, "yaml", "f.yaml")))))
    assert sent["places"] == {"a": "f.yaml: cameras.a"}
    assert sent["cameras"]["a"]["timetable"] == {"except": {"2026-12-25": ["daily"]}}
