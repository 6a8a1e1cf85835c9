"""How well each stream is recorded: figures of the UTC day, from what its files became."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any

from recorder.capture.lines import HABITS
from recorder.model.keys import StreamId
from recorder.model.timebase import SECOND, Instant, day_of
from recorder.sealing import SegmentHealth

Figures = dict[str, Any]
"""``day``, ``recorded_s``, ``sound_s``, ``frames``, ``missing``, ``restarts`` by condition, and of
the last segment ``rate_ppm``, ``arrival_ms``, ``key_frame_s``; ``yesterday`` has the same."""


LONG_GOP_NS = 10 * SECOND
RATE_OFF = 0.005


def habits_in(health: SegmentHealth) -> tuple[str, ...]:
    """Name the habits that a segment shows.

    >>> habits_in(SegmentHealth(60 * SECOND, 1260, 0, False, 1.19, 0, 2 * SECOND))
    ('rate-off',)
    """
    seen = {
        "rate-off": abs(health.rate - 1) > RATE_OFF,
        "long-gop": health.key_ns > LONG_GOP_NS,
        "open-gop": health.opens,
        "intra-refresh": health.refreshes,
        "other-parameters": health.own_header,
        "sound-astray": health.astray,
    }
    return tuple(name for name, shown in seen.items() if shown)


def fresh(day: str) -> Figures:
    """Figures of a day on which nothing has been seen yet."""
    return {
        "day": day,
        "recorded_s": 0.0,
        "sound_s": 0.0,
        "frames": 0,
        "missing": 0,
        "restarts": {},
        "rate_ppm": 0,
        "arrival_ms": 0.0,
        "key_frame_s": 0.0,
    }


class HealthBook:
    """Keeps the figures of a node's streams; told by sealing threads and supervisors."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._figures: dict[StreamId, Figures] = {}
        self._habits: dict[StreamId, tuple[str, ...]] = {}

    def recall(self, known: Iterable[tuple[StreamId, Mapping[str, Any]]]) -> None:
        """Take up what was recorded before this process; what it has seen itself wins."""
        with self._lock:
            for stream, figures in known:
                if figures.get("day"):
                    self._figures.setdefault(stream, fresh(figures["day"]) | dict(figures))

    def sealed(self, stream: StreamId, at: Instant, health: SegmentHealth) -> None:
        """Count a segment in; ``at`` is when it ends."""
        with self._lock:
            today = self._today(stream, at)
            seconds = health.length_ns / SECOND
            today["recorded_s"] = round(today["recorded_s"] + seconds, 3)
            today["sound_s"] = round(today["sound_s"] + (seconds if health.sound else 0.0), 3)
            today["frames"] += health.frames
            today["missing"] += health.missing
            today["rate_ppm"] = round((1 / health.rate - 1) * 1e6)
            today["arrival_ms"] = round(health.late_ns / 1e6, 1)
            today["key_frame_s"] = round(health.key_ns / SECOND, 3)
            self._habits[stream] = habits_in(health)

    def ended(self, stream: StreamId, at: Instant, condition: str) -> None:
        """Count the end of a run in."""
        with self._lock:
            restarts = self._today(stream, at)["restarts"]
            restarts[condition] = restarts.get(condition, 0) + 1

    def habits(self, stream: StreamId) -> dict[str, str]:
        """Return what the last segment showed of a camera's habits, with what is said of each."""
        with self._lock:
            return {name: HABITS[name] for name in self._habits.get(stream, ())}

    def of(self, stream: StreamId) -> Figures:
        """Return a stream's figures, the day before among them; empty when there are none."""
        with self._lock:
            found = self._figures.get(stream)
            return {**found, "restarts": dict(found["restarts"])} if found is not None else {}

    def _today(self, stream: StreamId, at: Instant) -> Figures:
        day = day_of(at)
        found = self._figures.get(stream)
        if found is None or found["day"] < day:
            before = {key: value for key, value in (found or {}).items() if key != "yesterday"}
            found = fresh(day)
            if before:
                found["yesterday"] = before
            self._figures[stream] = found
        return found
