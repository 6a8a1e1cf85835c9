"""Recording by timetable and by event, on a real camera."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from recorder.model.timebase import SECOND, format_instant, parse_instant
from tests.support.nodes import Node, RtspServer
from tests.support.ports import until


def test_event_mode_keeps_what_an_event_touches_and_lets_the_rest_go(
    camera: RtspServer, tmp_path: Path
) -> None:
    node = Node(tmp_path / "node", capture={"segment": 2}, ship={"event_wait": "12s"})
    try:
        node.start()
        node.add("cam", camera.url("cam"), record="event")
        until(lambda: node.footage_s("cam") > 12, 40, "12 s of footage, playable at once")
        store = node.folder / "data" / "store"
        assert not list(store.rglob("*Z.*.mp4")), "nothing is shipped that no event touched"
        end = parse_instant(node.timeline("cam")["spans"][-1]["end"])
        at = end - 5 * SECOND
        event = {"camera": "cam", "kind": "alarm", "at": format_instant(at, 9), "pre": "2s",
                 "post": "1s"}  # fmt: skip
        assert node.http.post("/api/v1/events", json=event).status_code == 201
        until(lambda: list(store.rglob("*Z.*.mp4")), 15, "what it touched is shipped")
        until(
            lambda: "no-event" in {gap["cause"] for gap in node.timeline("cam")["gaps"]},
            40, "the rest is let go",
        )  # fmt: skip
        gone = until(
            lambda: parse_instant(node.timeline("cam")["spans"][0]["start"]) > at - 10 * SECOND,
            40, "all before it",
        )  # fmt: skip
        assert gone
        answer = node.clip("cam", at - 2 * SECOND, at + SECOND)
        assert answer.status_code == 200, "pre-roll and post-roll are there"
        shipped = len(list(store.rglob("*Z.*.mp4")))
        assert 2 <= shipped <= 4
        assert node.broken("--digest") == []
    finally:
        node.close()


def test_off_schedule_nothing_is_captured_and_no_footage_is_expected(
    node: Node, camera: RtspServer
) -> None:
    node.start()
    now = datetime.now(UTC)
    hour = f"{now + timedelta(hours=6):%H}:00-{now + timedelta(hours=7):%H}:30"
    table = {"zone": "UTC", "weekly": {"daily": [hour]}}
    node.add("cam", camera.url("cam"), record="timetable", timetable=table)
    node.add("other", camera.url("cam"))
    node.recording("other", 30)
    assert len(node.ffmpegs()) == 1
    on = {"zone": "UTC", "weekly": {"daily": ["00:00-24:00"]}}
    node.add("cam", camera.url("cam"), record="timetable", timetable=on)
    node.recording("cam", 30)
    node.add("cam", camera.url("cam"), record="timetable", timetable=table)
    until(lambda: len(node.ffmpegs()) == 1, 15, "it is stopped again")
    first = parse_instant(node.timeline("cam")["spans"][0]["start"])
    later = parse_instant(node.http.get("/api/v1/coverage").json()["end"])
    gaps = node.timeline("cam", first, later)["gaps"]
    assert {gap["cause"] for gap in gaps} <= {"off-schedule"}
    days = node.timeline("cam", first, later)["days"]
    assert all(day["coverage"] in (None, 1.0) for day in days)


def test_what_moves_makes_an_event_where_the_camera_sends_none(tmp_path: Path) -> None:
    scene = (
        "lavfi:color=c=gray:s=320x180:r=25,noise=alls=8:allf=t,"
        "drawbox=x=mod(t*80\\,320):y=60:w=60:h=80:c=white:t=fill:enable=gt(t\\,24)"
    )
    node = Node(tmp_path / "node", capture={"segment": 4}, ship={"event_wait": "40s"})
    try:
        node.start()
        node.add("cam", scene, record="event", activity="events")
        until(lambda: node.footage_s("cam") > 16, 40, "the still scene is learnt")
        assert node.timeline("cam")["events"] == []
        events = until(lambda: node.timeline("cam")["events"], 40, "what moves is an event")
        assert (events[0]["kind"], events[0]["attributes"]["by"]) == ("motion", "activity")
        store = node.folder / "data" / "store"
        until(lambda: list(store.rglob("*Z.*.mp4")), 20, "its footage is shipped")
        now = parse_instant(node.http.get("/api/v1/coverage").json()["end"])
        params = {"start": format_instant(now - 60 * SECOND), "end": format_instant(now),
                  "activity": "true"}  # fmt: skip
        body = node.http.get("/api/v1/cameras/cam/timeline", params=params).json()
        begin = parse_instant(events[0]["start"])
        moving = [one for one in body["activity"] if one["motion"]]
        assert moving
        assert parse_instant(moving[0]["start"]) >= begin - 4 * SECOND
        assert len(moving) < len(body["activity"]) / 2
    finally:
        node.close()
