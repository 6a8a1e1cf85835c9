"""What Prometheus is told of streams: read from the running service at the moment it asks.

Nothing here outlives its stream: one that was removed is not shown any more, and what only grows
is a counter though it is counted elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Protocol

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from recorder import index, telemetry
from recorder.capture.health import Figures
from recorder.capture.lines import HABITS
from recorder.capture.loop import CaptureLoop
from recorder.capture.state import StreamState
from recorder.model.keys import StreamId
from recorder.model.timebase import Instant
from recorder.ports import Clock

STREAM = ("camera", "stream")
"""The labels of everything that is said of a stream."""


class Capturing(Protocol):
    """What metrics need to know of the running service."""

    capture: CaptureLoop | None


def exposition(service: Capturing | None, clock: Clock) -> bytes:
    """Write all metrics as Prometheus reads them."""
    present = CollectorRegistry(auto_describe=False)
    present.register(_Present(service, clock))
    return generate_latest(telemetry.REGISTRY) + generate_latest(present)


class _Present(Collector):
    """The figures of this moment."""

    def __init__(self, service: Capturing | None, clock: Clock) -> None:
        self._service, self._clock = service, clock

    def collect(self) -> Iterable[Metric]:
        """Return every family, each with the streams there are now."""
        build = {
            "version": version("spanstore"),
            "index": "compiled" if index.COMPILED else "python",
        }
        yield InfoMetricFamily("recorder_build", "What runs here", value=build)
        capture = self._service.capture if self._service is not None else None
        if capture is None:
            return
        now, book = self._clock.now(), capture.book
        streams = sorted(capture.states().items(), key=lambda pair: str(pair[0]))
        for said in COUNTERS:
            total = CounterMetricFamily(said.name, said.help, labels=STREAM)
            for stream, state in streams:
                total.add_metric(_labels(stream), said.of(state, now))
            yield total
        for said in GAUGES:
            gauge = GaugeMetricFamily(said.name, said.help, labels=STREAM)
            for stream, state in streams:
                gauge.add_metric(_labels(stream), said.of(state, now))
            yield gauge
        yield _conditions(streams)
        unsealed = GaugeMetricFamily(
            "recorder_capture_unsealed", "1 while a stream's files cannot be sealed", labels=STREAM
        )
        for stream in sorted(capture.unsealed(), key=str):
            unsealed.add_metric(_labels(stream), 1)
        yield unsealed
        yield _habits((stream, {*state.habits, *book.habits(stream)}) for stream, state in streams)
        yield from _days([(stream, book.of(stream)) for stream, _ in streams])


@dataclass(frozen=True, slots=True)
class _Said:
    """One figure of a stream's present state."""

    name: str
    help: str
    of: Callable[[StreamState, Instant], float]


COUNTERS = (
    _Said("recorder_capture_bytes", "Bytes captured since start", lambda one, _: one.bytes_in),
    _Said("recorder_capture_runs", "Times ffmpeg was started", lambda one, _: one.runs),
    _Said("recorder_capture_stalls", "Times the stream went silent", lambda one, _: one.stalls),
)
GAUGES = (
    _Said("recorder_capture_recording", "1 while recording", lambda one, _: one.recording),
    _Said(
        "recorder_capture_last_progress_age_seconds",
        "Since the stream last grew",
        lambda one, now: (now - (one.last_progress or one.since)) / 1e9,
    ),
    _Said(
        "recorder_capture_sound", "1 while sound comes in", lambda one, _: one.sound == "present"
    ),
)
DAY_FIGURES = (
    ("recorder_capture_day_recorded_seconds", "Footage sealed this UTC day", "recorded_s", 1),
    (
        "recorder_capture_rate_error_ppm",
        "How much faster than our clock the camera's stamps run",
        "rate_ppm",
        1,
    ),
    (
        "recorder_capture_arrival_late_seconds",
        "How late bytes come, against the least late",
        "arrival_ms",
        1000,
    ),
    (
        "recorder_capture_key_frame_interval_seconds",
        "Longest way from clean point to clean point",
        "key_frame_s",
        1,
    ),
)
"""Name, help, figure of the day's book, how many of its unit are one of the metric's."""


def _labels(stream: StreamId, *more: str) -> list[str]:
    return [stream.camera, stream.stream, *more]


def _conditions(streams: Iterable[tuple[StreamId, StreamState]]) -> Metric:
    family = GaugeMetricFamily(
        "recorder_capture_condition",
        "1 for the condition that keeps a stream from recording",
        labels=(*STREAM, "condition"),
    )
    for stream, state in streams:
        if state.condition:
            family.add_metric(_labels(stream, state.condition), 1)
    return family


def _habits(streams: Iterable[tuple[StreamId, set[str]]]) -> Metric:
    family = GaugeMetricFamily(
        "recorder_capture_habit",
        "1 for what is noticed of a camera that is no failure",
        labels=(*STREAM, "habit"),
    )
    for stream, noticed in streams:
        for habit in HABITS:
            family.add_metric(_labels(stream, habit), habit in noticed)
    return family


def _days(streams: Sequence[tuple[StreamId, Figures]]) -> Iterable[Metric]:
    """Yield what the book of the UTC day says, of the streams that it says something of."""
    told = [(stream, figures) for stream, figures in streams if figures]
    for name, said, figure, per_unit in DAY_FIGURES:
        family = GaugeMetricFamily(name, said, labels=STREAM)
        for stream, figures in told:
            family.add_metric(_labels(stream), figures[figure] / per_unit)
        yield family
    restarts = GaugeMetricFamily(
        "recorder_capture_day_restarts",
        "Times the stream was begun anew this UTC day, by condition",
        labels=(*STREAM, "condition"),
    )
    for stream, figures in told:
        before = dict.fromkeys(figures.get("yesterday", {}).get("restarts", {}), 0)
        for condition, count in (before | figures["restarts"]).items():
            restarts.add_metric(_labels(stream, condition), count)
    yield restarts
