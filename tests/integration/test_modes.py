"""Recording by timetable and by event, on a real camera."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from recorder.model.timebase import SECOND, format_instant, parse_instant
from tests.support.nodes import Node, RtspServer
from tests.support.ports import until


def test_event_mode_keeps_what_an_event_touches_and_lets_the_rest_go(
    camera: RtspServer, tmp_path: object
) -> None:
    from pathlib import Path

    assert isinstance(tmp_path, Path)
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
