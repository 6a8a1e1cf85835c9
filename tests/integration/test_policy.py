"""Holds, events and policy on real footage, over HTTP and the command line."""

from __future__ import annotations

import base64
import json

import pytest

from recorder.model.timebase import SECOND, format_instant, parse_instant
from tests.support.aging import age, broken_of_aged
from tests.support.nodes import Node, RtspServer
from tests.support.ports import until

TOUCHED = {
    "rules": [
        {"name": "alarms", "match": {"event": "alarm"}, "keep": {"any": "10d"}},
        {"name": "all", "keep": {"any": "60s"}},
    ],
    "blast_radius": "100%", "stores": {"any": {"floor": 0}},
}  # fmt: skip


def test_what_is_held_or_touched_stays_and_the_rest_goes_with_reasons(
    node: Node, camera: RtspServer
) -> None:
    settings = node.config.read_text().replace("segment: 4", "segment: 2")
    node.config.write_text(settings + "grace: 0s\n")
    node.start()
    node.add("cam", camera.url("cam"))
    until(lambda: node.footage_s("cam") > 14, 60, "14 s of footage")
    begin = parse_instant(node.timeline("cam")["spans"][0]["start"])
    node.http.put("/api/v1/points/door", json={"cameras": ["cam"], "pre": "0s", "post": "1s"})
    at = format_instant(begin + 2 * SECOND, 9)
    event = {"point": "door", "at": at, "id": "e1", "attributes": {"plate": "X 1"},
             "image": base64.b64encode(b"\xff\xd8\xff").decode()}  # fmt: skip
    assert [node.http.post("/api/v1/events", json=event).status_code for _ in "ab"] == [201, 200]
    (shown,) = node.timeline("cam")["events"]
    assert (shown["kind"], shown["attributes"]) == ("alarm", {"plate": "X 1"})
    assert node.http.get(shown["image"]).content == b"\xff\xd8\xff"
    node.stop()
    age(node, 3600)
    assert node.run("event", "list", "--start", "-3h").stdout.count("alarm") == 1
    _move_event(node)
    held = json.loads(node.run(
        "hold", "add", "cam", "--start", format_instant(begin + 9 * SECOND - 3600 * SECOND, 9),
        "--end", format_instant(begin + 10 * SECOND - 3600 * SECOND, 9), "--case", "17",
        "--reason", "collision", "--json",
    ).stdout)  # fmt: skip
    assert held["protection"] == "emulated"
    assert 1 <= held["streams"][0]["segments"] <= 2
    rules = node.folder / "policy.json"
    rules.write_text(json.dumps(TOUCHED))
    proposed = json.loads(node.run("policy", "plan", "-f", str(rules), "--json").stdout)[0]
    assert proposed["change"]["sooner"] == len(proposed["actions"]) > 0
    assert node.run("policy", "set", str(rules)).returncode == 0
    stored = len(list((node.folder / "data/store").rglob("*.mp4")))
    done = json.loads(node.run("policy", "apply", "--json").stdout)["main"]
    left = len(list((node.folder / "data/store").rglob("*.mp4")))
    assert done["purged"] == stored - left == len(proposed["actions"])
    line = json.loads(node.run("timeline", "cam", "--start", "-3h", "--json").stdout)
    assert {gap["cause"] for gap in line["gaps"]} >= {"purged"}
    kept = [parse_instant(span["start"]) + 3600 * SECOND - begin for span in line["spans"]]
    assert len(kept) == 2, "the touched segment, and the held"
    for span, said in zip(line["spans"], ("touched by alarm", "held by"), strict=True):
        middle = (parse_instant(span["start"]) + parse_instant(span["end"])) // 2
        why = node.run("policy", "explain", "cam", "--at", format_instant(middle, 9)).stdout
        assert said in why
    assert node.run("hold", "release", held["id"]).returncode == 0
    done = json.loads(node.run("policy", "apply", "--json").stdout)["main"]
    assert done["purged"] == held["streams"][0]["segments"]
    assert broken_of_aged(node) == []


def _move_event(node: Node) -> None:
    """Make the event as old as the footage."""
    import sqlite3

    db = sqlite3.connect(node.folder / "data" / "catalog.db")
    shift = 3600 * SECOND
    for table in ("event", "touch"):
        db.execute(f"UPDATE {table} SET start_ns = start_ns - {shift}, end_ns = end_ns - {shift}")
    db.commit()
    db.close()


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("POST", "holds", {}, 422, "cameras: missing"),
        ("POST", "holds", {"cameras": ["a"], "case": "1"}, 422, "reason: missing"),
        ("POST", "holds", {"cameras": ["a"], "case": "1", "reason": "r", "owner": "o",
                           "start": "2026-01-05T00:00:00"}, 422, "start"),
        ("DELETE", "holds/none?by=me", None, 404, "no live hold"),
        ("POST", "events", {"kind": "alarm"}, 422, "camera: missing"),
        ("POST", "events", {"camera": "none", "kind": "alarm"}, 404, "no camera"),
        ("POST", "events", {"point": "none"}, 404, "no point"),
        ("POST", "events", {"camera": "a", "kind": "alarm", "image": "?"}, 404, "no camera"),
        ("PUT", "points/p", {"cameras": []}, 422, "cameras: missing"),
        ("PUT", "policy", {"rules": []}, 422, "rules: there are none"),
        ("POST", "policy/plan", {"rules": [{}]}, 422, "rules.0.name"),
        ("GET", "policy", None, 404, "no policy is set"),
        ("POST", "policy/check", {"rules": []}, 422, "rules: there are none"),
        ("POST", "policy/apply", None, 404, "no policy is set"),
        ("GET", "policy/log?limit=0", None, 400, "greater than or equal to 1"),
    ],
)  # fmt: skip
def test_bad_holds_events_and_policies_get_one_sentence(
    method: str, path: str, body: dict[str, object] | None, status: int, said: str,
    idle_node: Node,
) -> None:  # fmt: skip
    sent = {"headers": {"Content-Type": "application/json"}} if body is None else {"json": body}
    answer = idle_node.http.request(method, f"/api/v1/{path}", **sent)
    assert answer.status_code == status, answer.text
    assert said in answer.json()["detail"]


@pytest.fixture(scope="module")
def idle_node(tmp_path_factory: pytest.TempPathFactory) -> object:
    one = Node(tmp_path_factory.mktemp("idle"))
    one.start()
    yield one
    one.close()
