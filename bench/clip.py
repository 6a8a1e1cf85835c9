"""Claim: clip of one hour: first byte <= 50 ms warm, <= 150 ms cold from RGW; throughput
>= 0.8 of raw ranged GETs of the same bytes; memory flat.

Method: an hour of 60 s segments (4 Mbit/s) in Ceph RGW on loopback, cataloged in SQLite,
nothing in the spool.  Cold: a new view, nothing cached.  Raw: the same bytes by one ranged
GET per segment with the same client, before and after.  Memory: peak of Python's
allocations while an hour is read.
"""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path
from typing import Any

from bench.media import STREAM, minutes, scratch, sealed_after
from bench.timing import median
from recorder.catalog.sql import SqlCatalog
from recorder.clock import SystemClock
from recorder.export.clip import Clip, make_clip
from recorder.model.media import Segment
from recorder.model.timebase import SECOND, TimeRange
from recorder.reading.view import View
from recorder.spool.disk import Spool
from recorder.store.s3 import S3Store
from tests.support.rgw import ACCESS, SECRET, start_rgw


def measure() -> dict[str, Any]:
    """Run it."""
    rgw = start_rgw()
    try:
        with scratch() as name:
            folder = Path(name)
            store = S3Store("main", rgw.endpoint, rgw.bucket(), (ACCESS, SECRET))
            catalog = SqlCatalog(f"sqlite:///{folder}/catalog.db")
            segments = _fill(folder, store, catalog)
            result = _measure(folder, store, catalog, segments)
            catalog.close()
            return result
    finally:
        rgw.stop()


def _fill(folder: Path, store: S3Store, catalog: SqlCatalog) -> list[Segment]:
    segments, state = [], None
    for i, path in enumerate(minutes(folder, 60)):
        body = path.read_bytes()
        done, state = sealed_after(body, state, 60 * (i + 1))
        whole = body[: done.keep_bytes] + done.trailer
        store.put(done.segment.key, whole, "video/mp4", {"sha256": done.segment.digest})
        catalog.commits.add_segment(done.segment, "main", "", 0)
        segments.append(done.segment)
        path.unlink()
    return segments


def _measure(
    folder: Path, store: S3Store, catalog: SqlCatalog, segments: list[Segment]
) -> dict[str, Any]:
    start = segments[0].start
    asked = TimeRange(start + 500_000_000, start + 3599 * SECOND)

    def fresh() -> View:
        return View(
            catalog.footage,
            catalog.statuses,
            Spool(folder / "spool"),
            {"main": store},
            SystemClock(),
            "bench",
        )

    def first_byte(view: View) -> float:
        begin = time.perf_counter()
        next(iter(_open(view, asked).read()))
        return time.perf_counter() - begin

    cold, warm = [], []
    for _ in range(7):
        view = fresh()
        cold.append(first_byte(view))
        warm += [first_byte(view) for _ in range(3)]
        view.close()
    view = fresh()
    ratios, rates = [], []
    for _ in range(3):
        raw = _raw(store, segments)
        rate, size = _whole(view, asked)
        rates.append(rate)
        ratios.append(rate / median([raw, _raw(store, segments)]))
    return {
        "clip_bytes": size,
        "first_byte_cold_ms": round(median(cold) * 1e3, 1),
        "first_byte_warm_ms": round(median(warm) * 1e3, 1),
        "throughput_mb_s": round(median(rates) / 1e6, 1),
        "throughput_of_raw": round(median(ratios), 3),
        "peak_python_mib": round(_peak(view, asked) / (1 << 20), 1),
    }


def _open(view: View, asked: TimeRange) -> Clip:
    return make_clip(view, view.find_some(STREAM, asked), asked)


def _raw(store: S3Store, segments: list[Segment]) -> float:
    begin = time.perf_counter()
    size = sum(
        len(block)
        for segment in segments
        for block in store.read(segment.key, 0, segment.size_bytes)
    )
    return size / (time.perf_counter() - begin)


def _whole(view: View, asked: TimeRange) -> tuple[float, int]:
    begin = time.perf_counter()
    size = sum(len(block) for block in _open(view, asked).read())
    return size / (time.perf_counter() - begin), size


def _peak(view: View, asked: TimeRange) -> int:
    tracemalloc.start()
    for _ in _open(view, asked).read():
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak
