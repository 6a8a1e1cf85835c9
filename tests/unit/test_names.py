"""A camera's name is its site's alone: what is said of one says nothing of another site's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from policies.facts import StoreFacts, Touch
from policies.read import parse_policy
from policies.retain import retain
from recorder.app import App
from recorder.config import Settings, StorePart
from recorder.errors import NotFound, RequestError, StateError
from recorder.model.camera_document import parse_camera
from recorder.model.copies import CopyColumns
from recorder.model.events import parse_point
from recorder.model.holds import Hold, held_ranges
from recorder.model.keys import ANY_SITE, CameraId, StreamId, segment_key
from recorder.model.timebase import DAY, HOUR, MINUTE, TimeRange, format_instant
from recorder.ports.states import StreamStatus
from tests.support.make import T0, segment
from tests.unit.test_guard import ask

NOW = 1_000 * DAY
WHEN = TimeRange(NOW - 50 * DAY, NOW - 50 * DAY + HOUR)
LONGER = parse_policy({"rules": [
    {"name": "alarms", "match": {"event": "alarm"}, "keep": {"any": "90d"}},
    {"name": "all", "keep": {"any": "30d"}},
]})  # fmt: skip


def lane(site: str) -> CopyColumns:
    one = CopyColumns(StreamId(site, "gate", "main"))
    one.add(WHEN.start, WHEN.end, 100, "n.1")
    return one


def sites_going(facts: StoreFacts) -> list[str]:
    return [action.stream.site for action in retain(LONGER, facts).actions]


def test_an_alarm_keeps_longer_at_its_own_sites_camera_alone() -> None:
    lanes = [lane("post1"), lane("post2")]
    for site, going in (("post1", ["post2"]), ("post2", ["post1"]), (ANY_SITE, [])):
        touches = {CameraId(site, "gate"): [Touch(WHEN, "alarm")]}
        assert sites_going(StoreFacts("main", "post", lanes, NOW, touches=touches)) == going


def test_a_hold_keeps_its_own_sites_camera_alone() -> None:
    lanes = [lane("post1"), lane("post2")]
    for name, going in (
        ("post1/gate", ["post2"]),
        ("gate", []),
        ("post9/gate", ["post1", "post2"]),
    ):
        hold = Hold("h", (name,), WHEN, "17", "theft", "ann", NOW)
        held = held_ranges([hold], NOW)
        assert sites_going(StoreFacts("main", "post", lanes, NOW, held)) == going
        assert sum(hold.names(one.stream.camera_id) for one in lanes) == 2 - len(going)


# -- which is meant ------------------------------------------------------------------------------


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    """A centre that knows two posts' gates, and has a yard as one of them has."""
    one = App(
        Settings(data=tmp_path, site="centre", stores=[StorePart(name="main", path=tmp_path)])
    )
    names = ("post1/gate/main", "post2/gate/main", "post1/yard/main", "post2/hall/sub")
    streams = [StreamId(*name.split("/")) for name in names]
    for stream in streams:
        key = segment_key(str(stream), T0, "n1.1", 0)
        one.catalog.commits.add_segment(segment(stream=stream, key=key), "post/main", "", 7)
    one.catalog.cameras.put(parse_camera("yard", {"url": "rtsp://x/y", "group": "low"}), 1, None)
    yield one
    one.close()


def test_a_bare_name_is_ours_else_the_only_one_and_never_one_of_several(app: App) -> None:
    assert str(app.finder.stream_of("yard")[0]) == "centre/yard/main"
    assert [str(one) for one in app.finder.named("yard").elsewhere] == ["post1/yard"]
    assert str(app.finder.stream_of("hall", "sub")[0]) == "post2/hall/sub"
    with pytest.raises(StateError, match="a camera 'gate' at post1, post2, and none here") as said:
        app.finder.stream_of("gate")
    assert "post1/gate or post2/gate" in said.value.hint
    with pytest.raises(StateError):
        app.finder.cameras_of(["yard", "gate"])
    with pytest.raises(NotFound, match="no camera pots1/gate") as none:  # of another site
        app.finder.stream_of("gate", site="pots1")
    assert none.value.hint == "there is post1/gate, post2/gate"
    app.catalog.child_cameras.put("post1", "hall", {"url": "file:/x"}, "ann", 5)
    with pytest.raises(StateError):  # told to record, and no footage of it yet
        app.finder.stream_of("hall", "sub")


def test_a_camera_below_that_never_came_up_is_named_as_the_list_names_it(app: App) -> None:
    line = "/api/v1/cameras/dark/timeline"
    at = {"start": format_instant(T0 - MINUTE), "end": format_instant(T0 + HOUR)}
    assert ask(app, "GET", line, params=at).status_code == 404
    stream = StreamId("post1", "dark", "main")
    for state, status in (("failing", 200), ("removed", 404)):
        told = StreamStatus(stream, "p1", state, "unreachable", "", "", T0, T0)
        app.catalog.statuses.put([told])
        assert ask(app, "GET", line, params=at).status_code == status
    app.catalog.statuses.put([replace(told, state="failing")])
    found = ask(app, "GET", line, params=at).json()
    assert (found["site"], found["spans"]) == ("post1", [])
    assert app.finder.cameras_of(["dark"]) == ("post1/dark",)


def test_a_camera_is_named_with_its_site_before_or_beside_it(app: App) -> None:
    for camera, site in (("post2/gate", None), ("gate", "post2"), ("post2/gate", "post2")):
        assert str(app.finder.stream_of(camera, site=site)[0]) == "post2/gate/main"
    assert app.finder.stream_of("yard", site="post1") == (StreamId("post1", "yard", "main"), None)
    assert app.finder.cameras_of(["yard", "post1/yard", "hall"]) == (
        "centre/yard", "post1/yard", "post2/hall",
    )  # fmt: skip
    for camera, site in (("post9/gate", None), ("gate", "centre"), ("none", None)):
        with pytest.raises(NotFound):
            app.finder.stream_of(camera, site=site)
    with pytest.raises(RequestError, match="not at site post1"):
        app.finder.stream_of("post2/gate", site="post1")
    with pytest.raises(NotFound):
        app.finder.cameras_of(["post9/gate"])


def test_doors_answer_for_the_camera_that_is_meant(app: App) -> None:
    at = {"start": format_instant(T0 - MINUTE), "end": format_instant(T0 + HOUR)}
    gate = "/api/v1/cameras/gate"
    for path in ("timeline", "clip.json", "clip.mp4", "playback.m3u8"):
        answer = ask(app, "GET", f"{gate}/{path}", params=at)
        assert (answer.status_code, "post1, post2" in answer.text) == (409, True), path
    for path in ("frame.jpg", "explain"):
        answer = ask(app, "GET", f"{gate}/{path}", params={"at": format_instant(T0)})
        assert answer.status_code == 409, path
    others = {"post1": "post2", "post2": "post1"}
    for site in others:
        line = ask(app, "GET", f"{gate}/timeline", params={**at, "site": site}).json()
        assert (line["site"], line["elsewhere"]) == (site, [f"{others[site]}/gate"])
        assert len(line["spans"]) == 1
        why = ask(app, "GET", f"{gate}/explain", params={"at": format_instant(T0), "site": site})
        assert why.json()["segment"].startswith(f"{site}/gate/")
        hls = ask(app, "GET", f"{gate}/playback.m3u8", params={**at, "site": site})
        assert f"/objects/{site}/gate/" in hls.text


def test_holds_points_and_events_say_whose_camera_they_mean(app: App) -> None:
    hold = {"case": "1", "reason": "r", "owner": "o", "start": format_instant(T0),
            "end": format_instant(T0 + HOUR)}  # fmt: skip
    held = ask(app, "POST", "/api/v1/holds", json={**hold, "cameras": ["yard", "post2/gate"]})
    assert held.json()["cameras"] == ["centre/yard", "post2/gate"]
    assert [one["stream"] for one in held.json()["streams"]] == ["post2/gate/main"]
    for cameras, status in ((["gate"], 409), (["none"], 404), (["post9/gate"], 404)):
        answer = ask(app, "POST", "/api/v1/holds", json={**hold, "cameras": cameras})
        assert answer.status_code == status
    point = ask(app, "PUT", "/api/v1/points/door", json={"cameras": ["yard", "hall", "new"]})
    assert point.json()["cameras"] == ["centre/yard", "post2/hall", "centre/new"]
    event = {"camera": "post1/gate", "kind": "alarm", "at": format_instant(T0)}
    shown = ask(app, "POST", "/api/v1/events", json=event).json()
    assert (shown["cameras"], shown["source"]) == (["post1/gate"], "gate")
    assert ask(app, "POST", "/api/v1/events", json={**event, "camera": "gate"}).status_code == 409
    own = ask(app, "POST", "/api/v1/events", json={**event, "camera": "yard"}).json()
    assert own["cameras"] == ["yard"], "as its own site calls it"
    touched = [str(one) for one, _, _ in app.catalog.events.windows(TimeRange(T0, T0 + 1))]
    assert touched == ["centre/yard", "post1/gate"]


def test_a_point_that_named_no_sites_touches_all_cameras_of_its_names(app: App) -> None:
    app.catalog.points.put(parse_point("old", {"cameras": ["gate"]}))
    body = {"point": "old", "at": format_instant(T0)}
    shown = ask(app, "POST", "/api/v1/events", json=body).json()
    assert shown["cameras"] == ["post1/gate", "post2/gate"]
