"""A camera is changed in what is named and in nothing else, and what that means is said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from recorder.app import App
from recorder.cli import recorder
from recorder.config import Settings, StorePart
from recorder.errors import BadDocument, NotFound, RequestError, StaleVersion, StateError
from recorder.model.camera_document import parse_camera
from recorder.model.cameras import Camera
from recorder.model.changing import change_camera, differences
from recorder.model.schedule import DAYS, show_timetable
from recorder.ports import SiteBeat
from tests.unit.test_guard import ask

FULL: dict[str, Any] = {
    "url": "rtsp://u:secret@10.0.0.1/a?token=abc", "transport": "udp", "audio": "off",
    "group": "key", "importance": 5, "critical": True,
    "record": "timetable", "timetable": {"zone": "UTC", "weekly": {"daily": ["07:00-19:00"]}},
    "streams": {"sub": {"url": "rtsp://u:secret@10.0.0.1/b", "record": "event"}},
}  # fmt: skip
CAMERA = parse_camera("gate", FULL)
POLICY = {
    "levels": ["post"],
    "rules": [
        {"name": "key targets", "match": {"group": "key"},
         "keep": {"any": {"min": "7d", "max": "90d"}}},
        {"name": "alarms", "match": {"event": "alarm"}, "keep": {"any": "180d"}},
        {"name": "everything else", "keep": {"any": "30d"}},
    ],
}  # fmt: skip


def paths(change: dict[str, Any]) -> dict[str, tuple[object, object]]:
    found = differences(CAMERA, change_camera(CAMERA, change))
    return {one.path: (one.before, one.after) for one in found}


def test_only_what_is_named_changes() -> None:
    assert paths({}) == {}
    assert paths({"group": "general"}) == {"group": ("key", "general")}
    assert paths({"transport": "tcp"}) == {"streams.main.transport": ("udp", "tcp")}
    assert paths({"streams": {"sub": {"record": "off"}}}) == {
        "streams.sub.record": ("event", "off")
    }
    assert paths({"importance": None}) == {"importance": (5, 0)}, "back to its default"
    assert paths({"name": "other", "version": 9, "state": {}, "present": {}}) == {}
    assert paths({"streams": {"sub": None}})["streams.sub.url"][1] is None
    kept = change_camera(CAMERA, {"group": "general"})
    assert (kept.streams, kept.critical) == (CAMERA.streams, True)
    assert kept.streams["main"].full_url() == "rtsp://u:secret@10.0.0.1/a?token=abc"


def test_credentials_stay_until_others_come_and_are_never_shown() -> None:
    moved = change_camera(CAMERA, {"url": "rtsp://10.0.0.2/a"}).streams["main"]
    assert moved.full_url() == "rtsp://u:secret@10.0.0.2/a"
    inline = change_camera(CAMERA, {"url": "rtsp://v:new@10.0.0.1/a"}).streams["main"]
    assert inline.credentials == "v:new"
    assert paths({"credentials": "v:new"}) == {
        "streams.main.credentials": ("********", "another secret")
    }
    assert paths({"credentials": None}) == {"streams.main.credentials": ("********", None)}
    assert "new" not in str(paths({"url": "rtsp://v:new@10.0.0.1/a"}))


def test_a_timetable_goes_when_the_mode_does() -> None:
    assert change_camera(CAMERA, {"record": "always"}).streams["main"].timetable is None


@pytest.mark.parametrize(
    ("change", "then"),
    [
        ({"daily": "09:00-17:00"}, {day: ["09:00-17:00"] for day in DAYS}),
        ({"daily": None, "sat": "01:00-02:00"}, {"sat": ["01:00-02:00"]}),
        ({"sat-sun": ["10:00-12:00"]},
         {day: ["10:00-12:00" if day[0] == "s" else "07:00-19:00"] for day in DAYS}),
        ({"sun": None}, {day: ["07:00-19:00"] for day in DAYS[:6]}),
        ({"mon": "07:00-19:00", "daily": "22:00-06:00"},
         {"mon": ["07:00-19:00", "22:00-06:00"]} | {day: ["22:00-06:00"] for day in DAYS[1:]}),
    ],
)  # fmt: skip
def test_what_is_said_of_a_day_takes_the_place_of_what_was_said(
    change: dict[str, Any], then: dict[str, Any]
) -> None:
    changed = change_camera(CAMERA, {"timetable": {"weekly": change}})
    table = changed.streams["main"].timetable
    assert table is not None
    assert show_timetable(table) == {"zone": "UTC", "weekly": then, "except": {}}
    nothing = change_camera(changed, {"timetable": show_timetable(table)})
    assert differences(changed, nothing) == [], "as it is shown it is taken back"


def test_an_evening_that_is_changed_leaves_nothing_of_its_night() -> None:
    late = change_camera(CAMERA, {"timetable": {"weekly": {"daily": None, "sat": "22:00-06:00"}}})
    early = change_camera(late, {"timetable": {"weekly": {"sat": "10:00-12:00"}}})
    table = early.streams["main"].timetable
    assert table is not None
    assert show_timetable(table)["weekly"] == {"sat": ["10:00-12:00"]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"colour": "red"}, "colour: no such field"),
        ({"record": "timetable", "timetable": None}, "streams.main.timetable"),
        ({"url": "x", "streams": {"main": {"url": "y"}}}, "url: given both"),
        ({"group": 5}, "group: must be text"),
        ({"streams": {"main": None, "sub": None}}, "url: missing"),
        ({"timetable": {"weekly": {"someday": []}}},
         "streams.main.timetable.weekly.someday: is no day"),
    ],
)  # fmt: skip
def test_a_mistake_is_refused_by_path(change: dict[str, Any], said: str) -> None:
    with pytest.raises(BadDocument, match=said):
        change_camera(CAMERA, change)


def test_a_field_of_a_stream_alone_needs_to_say_which_of_several() -> None:
    two = parse_camera("x", {"streams": {"a": {"url": "rtsp://h/a"}, "b": {"url": "rtsp://h/b"}}})
    with pytest.raises(BadDocument, match="of which stream") as said:
        change_camera(two, {"transport": "udp"})
    assert "streams.NAME.transport; it has a, b" in said.value.hint


# -- doors ----------------------------------------------------------------------------------------


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    one = App(
        Settings(
            data=tmp_path, site="here", level="post",
            stores=[StorePart(name="main", path=tmp_path / "store")],
        )
    )  # fmt: skip
    one.catalog.documents.put("policy", POLICY, "ann", 1)
    one.catalog.cameras.put(CAMERA, 1, None)
    yield one
    one.close()


def test_a_change_that_others_come_before_is_made_anew_and_at_last_refused(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    cameras, put, tried = app.catalog.cameras, app.catalog.cameras.put, list[int | None]()

    def overtaken(camera: Camera, at: int, expected: int | None) -> Camera:
        tried.append(expected)
        if len(tried) not in won:
            put(change_camera(CAMERA, {"importance": len(tried)}), at, None)
        return put(camera, at, expected)

    monkeypatch.setattr(cameras, "put", overtaken)
    won = {3}
    made = app.changer.change("gate", {"group": "doors"}, "ann", 7).after
    assert (tried, made.group, made.importance) == ([1, 2, 3], "doors", 2), "none is lost"
    won = set()
    with pytest.raises(StaleVersion):
        app.changer.change("gate", {"group": "yard"}, "ann", 7)


def test_a_patch_over_http_says_what_it_changes_and_how_footage_is_kept_then(app: App) -> None:
    path = "/api/v1/cameras/gate"
    kind = {"content-type": "application/merge-patch+json"}
    dry = ask(app, "PATCH", path, params={"dry_run": True}, json={"group": "general"})
    assert (dry.status_code, dry.json()["group"]) == (200, "general")
    found = app.catalog.cameras.get("gate")
    assert found is not None
    assert (found.version, found.group) == (1, "key")
    done = ask(app, "PATCH", path, content=b'{"group": "general"}', headers=kind)
    assert (done.status_code, done.headers["etag"]) == (200, '"2"')
    body = done.json()
    assert body["changes"] == [{"path": "group", "before": "key", "after": "general"}]
    assert body["retention"][0] == {
        "stream": "main", "store": "main", "before": "90d, 7d guaranteed, by 'key targets'",
        "after": "30d, by 'everything else'",
    }  # fmt: skip
    assert len(body["retention"]) == 2
    assert "secret" not in done.text
    stale = ask(app, "PATCH", path, json={"group": "x"}, headers={"If-Match": '"1"'})
    assert stale.status_code == 412
    for said, status in (('"1", "2"', 200), ("*", 200), ('W/"2"', 412), ("2", 400)):
        put = ask(app, "PATCH", path, json={"group": "general"}, headers={"If-Match": said})
        assert put.status_code == status, said
    other, fresh = "/api/v1/cameras/other", {"url": "rtsp://10.0.0.7/x"}
    for tag, status in (("*", 412), ("", 201), ('"0"', 412)):
        headers = {"If-Match": tag} if tag else {}
        assert ask(app, "PUT", other, json=fresh, headers=headers).status_code == status, tag
    nobody, none = "/api/v1/access/users/ana", {"If-Match": "*"}
    made = ask(app, "PUT", nobody, json={"grants": []}, headers=none)
    assert made.status_code == 404, "it makes none"
    same = ask(app, "PATCH", path, json={"group": "general"})
    assert (same.json()["version"], same.json()["changes"]) == (2, []), "nothing to change"
    alike = ask(app, "PATCH", path, params={"dry_run": True}, json={"group": "other"})
    assert (len(alike.json()["changes"]), alike.json()["retention"]) == (1, []), "one rule for both"
    assert ask(app, "PATCH", "/api/v1/cameras/none", json={}).status_code == 404
    assert ask(app, "PATCH", path, json={"group": 5}).status_code == 422


def test_what_a_site_below_was_asked_to_record_is_changed_there(app: App) -> None:
    app.catalog.sites.put(SiteBeat("post1", "post", "", app.clock.now()))
    path, there = "/api/v1/cameras/gate", {"site": "post1"}
    unknown = ask(app, "PATCH", path, params=there, json={"group": "x"})
    assert (unknown.status_code, unknown.json()["hint"][:18]) == (404, "change it at post1")
    assert ask(app, "PUT", path, params=there, json=FULL).status_code == 200
    done = ask(app, "PATCH", path, params=there, json={"group": "general"})
    assert (done.status_code, done.json()["version"]) == (200, 2)
    (one,) = app.catalog.child_cameras.since()
    assert one.body is not None
    assert (one.body["group"], one.body["streams"]["main"]["credentials"]) == (
        "general", "u:secret",
    )  # fmt: skip
    found = app.catalog.cameras.get("gate")
    assert found is not None
    assert found.group == "key", "ours is another camera"


def run(app: App, *words: str) -> str:
    config = app.settings.data / "r.yaml"
    config.write_text(
        f"site: here\nlevel: post\ndata: {app.settings.data}\n"
        f"stores: [{{name: main, path: {app.settings.data}/store}}]\n"
    )
    done = CliRunner().invoke(recorder, ["-c", str(config), "camera", *words])
    if done.exception is not None:
        raise done.exception
    return done.output


def test_the_command_changes_what_is_named_and_prints_what_that_means(app: App) -> None:
    said = run(app, "set", "gate", "streams.sub.record=off", "importance=7", "--group", "general")
    assert said.splitlines() == [
        "  group: key -> general", "  importance: 5 -> 7", "  streams.sub.record: event -> off",
        "  footage of main in store main, older one too, is kept",
        "    before  90d, 7d guaranteed, by 'key targets'",
        "    now     30d, by 'everything else'",
        "  footage of sub in store main, older one too, is kept",
        "    before  90d, 7d guaranteed, by 'key targets'",
        "    now     30d, by 'everything else'",
        "camera gate changed (version 2)",
    ]  # fmt: skip
    assert run(app, "set", "gate", "group=general") == "nothing changes\n"
    assert run(app, "set", "gate", "group=no", "--dry-run").splitlines()[0] == (
        "  group: general -> no"
    )
    shown = json.loads(run(app, "set", "gate", "critical=false", "--json"))
    assert (shown["critical"], shown["group"], shown["version"]) == (False, "general", 3)
    for words, error in ((["group"], RequestError), ([], RequestError), (["a.=1"], RequestError),
                         (["stall_s={"], BadDocument)):  # fmt: skip
        with pytest.raises(error):
            run(app, "set", "gate", *words)
    with pytest.raises(NotFound):
        run(app, "set", "none", "group=x")


def test_adding_a_camera_that_there_is_is_refused_unless_told_to_replace(app: App) -> None:
    with pytest.raises(StateError, match="there is a camera gate already") as said:
        run(app, "add", "gate", "rtsp://10.0.0.9/x")
    assert "camera set gate KEY=VALUE" in said.value.hint
    assert app.catalog.cameras.get("gate") is not None
    replaced = run(app, "add", "gate", "rtsp://10.0.0.9/x", "--replace")
    assert "  group: key -> general" in replaced
    assert "    now     30d, by 'everything else'" in replaced
    assert replaced.endswith("camera gate replaced (version 2)\n")
    assert run(app, "add", "new", "rtsp://10.0.0.9/x") == "camera new added (version 1)\n"
    app.catalog.sites.put(SiteBeat("post1", "post", "", app.clock.now()))
    assert "told when it is linked" in run(app, "add", "post1/gate", "rtsp://10.0.0.9/x")
    with pytest.raises(StateError, match="post1/gate already"):
        run(app, "add", "gate", "rtsp://10.0.0.9/x", "--site", "post1")
