"""What Prometheus is told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from recorder import telemetry
from recorder.app import App
from recorder.capture.state import StreamState
from recorder.config import Settings
from recorder.jobs.news import gap_metrics
from recorder.metrics import exposition
from recorder.model.camera_document import parse_camera
from recorder.model.keys import StreamId
from recorder.model.timebase import DAY, SECOND
from tests.support.clock import FakeClock
from tests.support.make import T0

NOT_BASE = re.compile(
    r"_(hours|minutes|days|weeks|milliseconds|ms|kilobytes|kb|percent|micros)(_|$)"
)
"""Units that Prometheus asks not to be used: seconds, bytes, ratios are."""
RESERVED = ("_count", "_sum", "_bucket")
ORDER = ("camera", "stream", "condition", "habit", "version", "index")


class Book:
    """The day's book of one stream."""

    def habits(self, stream: StreamId) -> dict[str, str]:
        return {"long-gop": "12 s"}

    def of(self, stream: StreamId) -> dict[str, Any]:
        return {
            "recorded_s": 3600, "rate_ppm": 40, "arrival_ms": 250, "key_frame_s": 2,
            "restarts": {"stall": 2}, "yesterday": {"restarts": {"refused": 1}},
        }  # fmt: skip


@pytest.fixture
def states() -> dict[StreamId, StreamState]:
    """Two streams: one records, one is kept from it."""
    dark = StreamState("failing", condition="unreachable", since=T0, runs=7)
    return {
        StreamId("north", "gate", "main"): StreamState("recording", bytes_in=5000, runs=1),
        StreamId("north", "yard", "main"): dark,
    }


def families(states: dict[StreamId, StreamState]) -> dict[str, Metric]:
    unsealed = {StreamId("north", "gate", "main"): "no space left"}
    capture = SimpleNamespace(states=lambda: states, book=Book(), unsealed=lambda: unsealed)
    service = SimpleNamespace(capture=capture)
    text = exposition(service, FakeClock(T0 + 9 * SECOND)).decode()
    found: dict[str, Metric] = {}
    for family in text_string_to_metric_families(text):
        assert family.name not in found, "a family stands there once"
        found[family.name] = family
    return found


def figures(family: Metric) -> dict[tuple[str, ...], float]:
    return {
        tuple(one.labels[name] for name in sorted(one.labels, key=ORDER.index)): one.value
        for one in family.samples
    }


def test_every_metric_is_named_as_prometheus_wants_it(
    states: dict[StreamId, StreamState],
) -> None:
    for name, family in families(states).items():
        assert family.documentation, name
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name), name
        assert not NOT_BASE.search(name), name
        assert not name.endswith(RESERVED), name
        samples = {one.name for one in family.samples}
        if family.type == "counter":
            assert samples <= {f"{name}_total"}, name
        elif family.type != "histogram":
            assert not any(one.endswith("_total") for one in samples), name
        assert family.type not in name.split("_"), name


def test_of_each_stream_is_told_what_it_does_and_why_it_is_dark(
    states: dict[StreamId, StreamState],
) -> None:
    found = families(states)
    assert figures(found["recorder_capture_recording"]) == {
        ("gate", "main"): 1, ("yard", "main"): 0,
    }  # fmt: skip
    assert figures(found["recorder_capture_condition"]) == {("yard", "main", "unreachable"): 1}
    assert figures(found["recorder_capture_unsealed"]) == {("gate", "main"): 1}
    assert figures(found["recorder_capture_runs"])["yard", "main"] == 7
    assert figures(found["recorder_capture_bytes"])["gate", "main"] == 5000
    age = figures(found["recorder_capture_last_progress_age_seconds"])
    assert age["yard", "main"] == 9
    assert figures(found["recorder_capture_habit"])["gate", "main", "long-gop"] == 1
    assert figures(found["recorder_capture_arrival_late_seconds"])["gate", "main"] == 0.25
    restarts = figures(found["recorder_capture_day_restarts"])
    assert restarts["gate", "main", "stall"] == 2
    assert restarts["gate", "main", "refused"] == 0, "it was told yesterday, and goes on"
    assert len(figures(found["recorder_build_info"])) == 1
    assert "process_open_fds" in found


def test_of_a_stream_that_was_removed_nothing_is_told(states: dict[StreamId, StreamState]) -> None:
    families(states)
    del states[StreamId("north", "yard", "main")]
    for family in families(states).values():
        assert not any(one.labels.get("camera") == "yard" for one in family.samples), family.name


@pytest.fixture
def app(tmp_path: Any) -> Iterator[App]:
    """A node with one camera that nobody records, on a timetable since yesterday."""
    app = App(Settings(site="north", node="n1", data=tmp_path))
    yield app
    app.close()


def test_time_in_which_nobody_wanted_footage_is_not_missing(app: App) -> None:
    now = app.clock.now()
    for name, enabled in (("gate", True), ("yard", False)):
        body = {"streams": {"main": {"url": "rtsp://127.0.0.1/x"}}, "enabled": enabled}
        app.catalog.cameras.put(parse_camera(name, body), now - 2 * DAY, None)
    gap_metrics(app)
    (family,) = telemetry.GAP_SECONDS.collect()
    assert {one.labels["camera"] for one in family.samples} == {"gate"}
    app.catalog.cameras.delete("gate")
    gap_metrics(app)
    (family,) = telemetry.GAP_SECONDS.collect()
    assert family.samples == []
