"""Prometheus itself reads what a node tells, and the alerts that are made of it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.nodes import Node, RtspServer
from tests.support.ports import until

ALERTS = Path(__file__).resolve().parents[2] / "docs/operate/alerts.yaml"


def promtool(*words: str | Path, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["promtool", *words], input=given, capture_output=True, text=True, timeout=60, check=False
    )


def test_prometheus_finds_nothing_wrong_with_what_a_node_tells(
    node: Node, camera: RtspServer
) -> None:
    node.start()
    node.add("cam", camera.url("cam"))
    node.add("dark", "rtsp://127.0.0.1:9/none")
    node.recording("cam")
    metrics = "recorder_capture_condition", "recorder_sites_camera_dark_timestamp_seconds"

    def told() -> bool:
        text = node.http.get("/metrics").text
        return all(f"{name}{{" in text for name in metrics)

    until(told, 60, "the dark camera is told")
    done = promtool("check", "metrics", given=node.http.get("/metrics").text)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert promtool("check", "metrics", given="a_total 1\n").stderr, "it says what is wrong"


# an alert, series with a value each minute, when it is silent, when it rings, and what it says
CASES = {
    "CameraDark": (
        {'recorder_sites_camera_dark_timestamp_seconds{site="s",camera="c",label="L",cause="stall"}':
         "0x10"},
        "0m", "2m", 's/c L is dark: stall',
    ),
    "CamerasUnknown": (
        {'recorder_sites_cameras{site="s",state="unknown"}': "4x20"}, "4m", "6m",
        "4 cameras of s are not heard of",
    ),
    "NodeAway": ({'up{job="spanstore",instance="n1"}': "1 1 0x20"}, "1m", "4m",
                 "n1 does not answer"),
    "StorePutBack": (
        {'recorder_janitor_put_back_total{store="main"}': "0 0 1x20"}, "1m", "3m",
        "Store main was put back to an older state: what was stored since is not there",
    ),
    "LogNotTaken": (
        {'recorder_log_lost_lines_total{instance="n1"}': "0 0 5x20"}, "1m", "3m",
        "Nobody takes the log of n1",
    ),
    "SealingFails": (
        {'recorder_capture_unsealed{instance="n1",camera="c",stream="main"}': "0 1x20"},
        "1m", "4m", "What n1 records of c cannot be sealed",
    ),
    "CatalogRefusesWrites": (
        {'recorder_catalog_refusing_writes{instance="n1"}': "0 1x20"},
        "1m", "4m", "The catalog of n1 takes nothing",
    ),
    "FootageLost": (
        {'recorder_spool_shed_segments_total{instance="n1"}': "0 0 0 5x20"}, "2m", "4m",
        "n1 sheds footage: its spool is full",
    ),
    "FootageNotInSpool": (
        {'recorder_spool_absent_segments{instance="n1"}': "0 0 3x20"}, "1m", "3m",
        "3 segments that n1 alone has are not in its spool",
    ),
    "AuditTilesLack": (
        {'recorder_audit_tiles_lack{instance="n1"}': "0 0 1x20"}, "1m", "3m",
        "The store of n1 lacks parts of the audit log, and rows of them were changed",
    ),
    "SpoolFillsUp": (
        {'recorder_spool_left_seconds{instance="n1"}': "+Inf +Inf 7200x20"}, "1m", "8m",
        "The spool of n1 is full in 2h 0m 0s",
    ),
    "StoreRefusesWrites": (
        {'recorder_store_refusing_writes{store="main"}': "0 0 1x20"}, "1m", "5m",
        "Store main takes no footage",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_an_alert_rings_when_it_should_and_not_before(name: str, tmp_path: Path) -> None:
    series, silent, ringing, says = CASES[name]
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    (rule,) = [one for group in groups for one in group["rules"] if one["alert"] == name]
    labels = {
        key: value
        for text in series
        for key, value in (pair.split("=") for pair in text.partition("{")[2][:-1].split(","))
    }
    said = {
        "exp_labels": {key: value.strip('"') for key, value in labels.items()} | rule["labels"],
        "exp_annotations": {**rule["annotations"], "summary": says},
    }
    played = {
        "rule_files": [str(ALERTS)],
        "tests": [{
            "interval": "1m",
            "input_series": [{"series": key, "values": one} for key, one in series.items()],
            "alert_rule_test": [
                {"eval_time": silent, "alertname": name, "exp_alerts": []},
                {"eval_time": ringing, "alertname": name, "exp_alerts": [said]},
            ],
        }],
    }  # fmt: skip
    (tmp_path / "played.yaml").write_text(yaml.safe_dump(played))
    done = promtool("test", "rules", tmp_path / "played.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_can_read_all_alerts_and_each_says_what_to_do() -> None:
    done = promtool("check", "rules", ALERTS)
    assert done.returncode == 0, done.stdout + done.stderr
    for group in yaml.safe_load(ALERTS.read_text())["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in ("critical", "warning")
            assert set(rule["annotations"]) == {"summary", "action"}, rule["alert"]
