"""Claim: what a spool holds costs nothing while nothing changes: measuring 6,700 files (the
default 200 GB) takes at most a twentieth of looking through them, and does not grow with them.

Method: empty files in a spool's ``cache``; CPU time of ``usage()`` and of walking the same
folder, medians of the same run; then of asking an empty spool.  At the start the catalog, which
knows all of them, is asked for them by batches: the number of questions.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bench.media import T0, scratch
from recorder.ingest.leftovers import Leftovers
from recorder.model.keys import StreamId, segment_key
from recorder.model.media import Segment
from recorder.model.timebase import MINUTE, TimeRange
from recorder.spool.disk import Spool
from recorder.spool.folders import files_under
from tests.support.clock import FakeClock
from tests.support.make import segment

STREAMS, EACH = 10, 670


class Knowing:
    """It knows every segment there can be, and counts how often it is asked."""

    asked = 0

    def segments(self, stream: StreamId, asked: TimeRange) -> list[Segment]:
        """Return a segment a minute."""
        self.asked += 1
        first = -(-(asked.start - T0) // MINUTE)
        count = -(-(asked.end - T0) // MINUTE) - first
        return [_segment(stream, first + i) for i in range(count)]


def _segment(stream: StreamId, minute: int) -> Segment:
    start = T0 + minute * MINUTE
    key = segment_key(str(stream), start, "n1.1", minute)
    return segment(0, stream=stream, start=start, end=start + MINUTE, key=key)


def _cpu_ms(work: Callable[[], object]) -> float:
    took = []
    for _ in range(15):
        begin = time.thread_time()
        work()
        took.append(time.thread_time() - begin)
    return 1e3 * statistics.median(took)


def measure() -> dict[str, Any]:
    """Run it."""
    with scratch() as name:
        empty, full = Spool(Path(name) / "empty"), Spool(Path(name) / "full")
        for number in range(STREAMS):
            for minute in range(EACH):
                key = _segment(StreamId("s", f"cam{number}", "main"), minute).key
                path = full.root / "cache" / key
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
        catalog = Knowing()
        parts: Any = SimpleNamespace(footage=catalog)
        Leftovers(parts, full, FakeClock(T0), "n1", "s").register()
        walk = _cpu_ms(lambda: sum(size for _, size, _ in files_under(full.root / "cache")))
        return {
            "files": STREAMS * EACH,
            "walk_ms": round(walk, 3),
            "usage_ms": round(_cpu_ms(full.usage), 3),
            "usage_of_an_empty_spool_ms": round(_cpu_ms(empty.usage), 3),
            "keys_ms": round(_cpu_ms(lambda: list(full.keys("cache"))), 3),
            "questions_at_start": catalog.asked,
        }
