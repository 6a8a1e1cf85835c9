"""The doors: documents, errors, exit codes, what bad input gets."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from recorder.model.timebase import SECOND, format_instant, parse_instant
from tests.support.aging import age, broken_of_aged
from tests.support.nodes import Node, RtspServer
from tests.support.ports import until
from tests.support.postgres import Postgres


def test_bad_requests_get_one_sentence_a_status_and_a_hint(node: Node, camera: RtspServer) -> None:
    node.start()
    node.add("cam", camera.url("cam"))
    node.recording("cam")
    good = {"start": "2026-01-05T14:00:00Z", "end": "2026-01-05T15:00:00Z"}
    cases: list[tuple[str, dict[str, str], int, str]] = [
        ("cameras/cam/timeline", {**good, "start": "2026-01-05T14:00:00"}, 400, "no time zone"),
        ("cameras/cam/timeline", {"start": good["end"], "end": good["start"]}, 400, "not after"),
        ("cameras/cam/timeline", {}, 400, "start"),
        ("cameras/cam/timeline", {**good, "start": "yesterday"}, 400, "RFC 3339"),
        ("cameras/none/timeline", good, 404, "no camera"),
        ("cameras/cam/timeline", {**good, "stream": "sub"}, 404, "no stream"),
        ("cameras/cam/clip.mp4", good, 404, "no footage"),
        ("cameras/cam/clip.mp4", {**good, "gaps": "fill"}, 400, "gaps"),
        ("cameras/cam/clip.mp4", {**good, "format": "avi"}, 400, "format"),
        ("cameras/cam/frame.jpg", {"at": "2026-01-05T14:00:00Z"}, 404, "no footage"),
        ("cameras/cam/playback.m3u8", good, 404, "no footage"),
        ("cameras/none", {}, 404, "no camera"),
        ("nothing", {}, 404, "Not Found"),
        ("objects/../../etc/passwd", {}, 404, ""),
        ("objects/a/b/c/2026-01-05/n.1/14/00-00.000000Z.0.mp4", {}, 404, "no segment"),
    ]
    for path, params, status, said in cases:
        answer = node.http.get(f"/api/v1/{path}", params=params)
        assert answer.status_code == status, (path, params, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        body = answer.json()
        assert said in body["detail"], body
        assert body["status"] == status
    nearest = node.http.get("/api/v1/cameras/cam/clip.mp4", params=good).json()
    assert "after it begins" in nearest["hint"]
    plus = {"start": "2026-01-05T15:00:00+01:00", "end": "2026-01-05T16:00:00+01:00"}
    raw = "&".join(f"{key}={value}" for key, value in plus.items())
    assert node.http.get(f"/api/v1/cameras/cam/timeline?{raw}").status_code == 200


def test_camera_documents_are_versioned_and_secrets_stay_inside(node: Node) -> None:
    node.start()
    path = "/api/v1/cameras/gate"
    made = node.http.put(path, json={"url": "rtsp://u:secret@127.0.0.1:9/x", "group": "key"})
    assert made.status_code == 201
    shown = node.http.get(path)
    assert "secret" not in shown.text
    etag = shown.headers["etag"]
    body = shown.json()
    body["group"] = "general"
    assert node.http.put(path, json=body, headers={"If-Match": etag}).status_code == 200
    assert node.http.put(path, json=body, headers={"If-Match": etag}).status_code == 412
    bad = node.http.put(path, json={"url": "rtsp://x/y", "colour": "red"})
    assert bad.status_code == 422
    assert "colour" in bad.json()["detail"]
    assert node.http.put(path, json={"url": 5}).status_code == 422
    assert node.http.put("/api/v1/cameras/a%20b", json={"url": "rtsp://x/y"}).status_code == 422
    assert node.http.delete(path).status_code == 204
    assert node.http.delete(path).status_code == 404
    argv = node.http.get("/openapi.json").json()
    assert "/api/v1/cameras/{camera}/clip.mp4" in argv["paths"]


def _latest(node: Node) -> str:
    """What is said of the newest moment there is footage of."""
    moment = parse_instant(node.timeline("cam")["spans"][-1]["end"]) - SECOND // 10
    answer = node.http.get(
        "/api/v1/cameras/cam/explain", params={"at": format_instant(moment, 9)}
    )  # fmt: skip
    return "\n".join(answer.json()["said"])


def test_policy_deletes_in_two_phases_and_says_why(node: Node, camera: RtspServer) -> None:
    node.config.write_text(node.config.read_text() + "grace: 0s\n")
    node.start()
    node.add("cam", camera.url("cam"))
    until(lambda: node.footage_s("cam") > 9, 40, "9 s of footage")
    until(lambda: "not sealed yet" in _latest(node), 20, "the open segment is explained")
    assert "gap: off-schedule" in node.run("policy", "explain", "cam", "--at", "-1h").stdout
    node.stop()
    rules = node.folder / "policy.yaml"
    rules.write_text(
        "rules: [{name: all, keep: {any: 60s}}]\nblast_radius: 100%\nstores: {any: {floor: 0}}"
    )
    assert node.run("policy", "set", str(rules)).returncode == 0
    plan = json.loads(node.run("policy", "plan", "--json").stdout)[0]
    assert plan["actions"] == []
    age(node, 3600)
    plan = json.loads(node.run("policy", "plan", "--json").stdout)[0]
    assert {action["rule"] for action in plan["actions"]} == {"all: keep.any"}
    before = len(list((node.folder / "data/store").rglob("*.mp4")))
    done = json.loads(node.run("policy", "apply", "--json").stdout)["main"]
    assert done["condemned"] == done["purged"] == before
    assert list((node.folder / "data/store").rglob("*.mp4")) == []
    log = json.loads(node.run("policy", "log", "--json").stdout)
    assert len(log) == before
    assert log[0]["reason"] == "older than 1m"
    line = json.loads(node.run("timeline", "cam", "--start", "-3h", "--json").stdout)
    (gap,) = [gap for gap in line["gaps"] if gap["cause"] == "purged"]
    why = json.loads(node.run("policy", "explain", "cam", "--at", gap["start"], "--json").stdout)
    assert why["segment"] is None
    assert "by all: keep.any (policy version 1)" in why["said"][1]
    assert "purged" in {gap["cause"] for gap in line["gaps"]}
    assert broken_of_aged(node) == []


def test_the_service_says_how_it_is(node: Node, camera: RtspServer) -> None:
    node.start()
    node.add("cam", camera.url("cam"))
    node.recording("cam")
    assert node.http.get("/healthz").json() == {"status": "ok"}
    until(lambda: node.http.get("/readyz").status_code == 200, 20, "ready")
    until(lambda: len(node.http.get("/api/v1/nodes").json()) == 1, 10, "it lives")
    (one,) = node.http.get("/api/v1/nodes").json()
    assert one["alive"] is True
    until(lambda: node.http.get("/api/v1/nodes").json()[0]["recording"] == 1, 10, "it is told")
    text = node.http.get("/metrics").text
    for name in (
        "recorder_capture_bytes_total",
        "recorder_spool_left_seconds",
        "recorder_api_request_seconds",
    ):
        assert name in text
    rows: list[dict[str, Any]] = node.http.get("/api/v1/coverage").json()["cameras"]
    assert rows[0]["camera"] == "cam"
    doctor = node.run("doctor", "--json")
    assert doctor.returncode == 0, doctor.stdout
    again = node.run("serve")
    assert again.returncode == 78
    assert "another recorder" in again.stderr


@pytest.mark.xdist_group("pg")
def test_recording_goes_on_while_the_database_is_away(
    postgres: Postgres, tmp_path: Path, camera: RtspServer
) -> None:
    node = Node(tmp_path / "node", catalog=postgres.database())
    try:
        node.start()
        node.add("cam", camera.url("cam"))
        node.recording("cam")
        # what ffmpeg looked at first is written in one go: until then less is known of when it came
        until(lambda: node.footage_s("cam") > 1.5, 20, "more than the first burst")
        pids = node.ffmpegs()
        before = parse_instant(node.timeline("cam")["spans"][0]["start"])
        postgres.pause()
        refused = node.http.get("/api/v1/cameras/cam")
        assert refused.status_code == 503
        assert refused.json()["retryable"] is True
        time.sleep(8)
        assert node.ffmpegs() == pids
        postgres.resume()
        until(lambda: node.footage_s("cam") > 11, 30, "footage of the outage is there")
        line = node.timeline("cam")
        assert len(line["spans"]) == 1
        moved = parse_instant(line["spans"][0]["start"]) - before
        assert abs(moved) < 500_000_000, "by the jitter of arrival, once, when it is sealed"
        node.stop()
        assert node.broken("--digest") == []
    finally:
        node.close()
        postgres.resume()


@pytest.mark.xdist_group("pg")
def test_a_node_started_while_the_database_is_away_records_what_it_last_knew(
    postgres: Postgres, tmp_path: Path, camera: RtspServer
) -> None:
    node = Node(tmp_path / "node", catalog=postgres.database())
    url = camera.url("cam").replace("rtsp://", "rtsp://user:s3cret@")
    try:
        node.start()
        node.add("cam", url)
        node.recording("cam")
        node.kill()
        remembered = node.folder / "data" / "spool" / "cameras.json"
        assert remembered.stat().st_mode & 0o777 == 0o600, "it holds the camera's password"
        postgres.pause()
        node.start()
        until(lambda: len(node.ffmpegs()) == 1, 20, "the remembered camera is recorded")
        assert node.http.get("/readyz").status_code == 503
        time.sleep(8)  # long enough for a segment to be sealed meanwhile
        postgres.resume()
        until(lambda: node.footage_s("cam") > 10, 30, "footage of the outage is there")
        line = node.timeline("cam")
        first = line["spans"][0]["end"]
        assert [gap["cause"] for gap in line["gaps"] if gap["start"] == first] == ["node"]
        node.stop()
        assert node.broken("--digest") == []
        assert "s3cret" not in node.log.read_text()
    finally:
        node.close()
        postgres.resume()


@pytest.mark.xdist_group("pg")
def test_a_first_start_without_a_database_is_refused(postgres: Postgres, tmp_path: Path) -> None:
    node = Node(tmp_path / "node", catalog="postgresql://nobody@127.0.0.1:1/none")
    said = node.run("serve")
    assert said.returncode == 75
    assert "catalog" in said.stderr
    assert "Traceback" not in said.stderr
    node.close()


def test_the_demo_records_answers_and_leaves_nothing_running(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "recorder", "demo", "--seconds", "16", "--after", "14",
         "--keep", str(tmp_path / "demo")],
        capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "clip.mp4?start=" in done.stdout
    assert "185 frames, 7.400 s" in done.stdout or "186 frames, 7.440 s" in done.stdout, done.stdout
    assert "1 span, 0 gaps" in done.stdout
    alive = subprocess.run(
        ["pgrep", "-f", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert alive.stdout == ""
