"""Claim: a clip of 24 hours is answered in at most 32 MiB of memory a request, and constant.

Method: a day of 60 s segments, 25 frames/s with as many frames as any camera's but small
ones (only their number matters here), in a directory store; peak of Python's allocations
while clips of 1 hour and of 24 hours are opened and read whole.
"""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path
from typing import Any

from bench.media import STREAM, minutes, scratch, sealed_after
from recorder.catalog.sql import SqlCatalog
from recorder.clock import SystemClock
from recorder.export.clip import make_clip
from recorder.model.timebase import SECOND, TimeRange
from recorder.reading.view import View
from recorder.spool.disk import Spool
from recorder.store.files import FileStore

MINUTES = 1440


def measure() -> dict[str, Any]:
    """Run it."""
    with scratch() as name:
        folder = Path(name)
        (folder / "store").mkdir()
        store = FileStore("main", folder / "store")
        catalog = SqlCatalog(f"sqlite:///{folder}/catalog.db")
        start, state = 0, None
        for i, path in enumerate(minutes(folder, MINUTES, small=True)):
            body = path.read_bytes()
            done, state = sealed_after(body, state, 60 * (i + 1))
            start = start or done.segment.start
            store.put(done.segment.key, body[: done.keep_bytes] + done.trailer, "video/mp4", {})
            catalog.commits.add_segment(done.segment, "main", "", 0)
            path.unlink()
        view = View(
            catalog.footage,
            catalog.statuses,
            Spool(folder / "spool"),
            {"main": store},
            SystemClock(),
            "bench",
        )
        result = {
            f"{hours}_h": _read(view, TimeRange(start, start + hours * 3600 * SECOND))
            for hours in (1, 24)
        }
        view.close()
        catalog.close()
        return result


def _read(view: View, asked: TimeRange) -> dict[str, Any]:
    begin = time.perf_counter()
    clip = make_clip(view, view.find_some(STREAM, asked), asked)
    blocks = iter(clip.read())
    size = len(next(blocks))
    first = time.perf_counter() - begin
    size += sum(len(block) for block in blocks)
    tracemalloc.start()
    for _ in make_clip(view, view.find_some(STREAM, asked), asked).read():
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return {
        "clip_bytes": size,
        "first_byte_ms": round(first * 1e3, 1),
        "peak_python_mib": round(peak / (1 << 20), 1),
    }
