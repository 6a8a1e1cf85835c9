"""Claim: a bundle of evidence is verified at >= 500 MB/s of one core, and made at >= 0.7 of raw
reads of the same bytes; memory flat.

Method: ten minutes of four cameras, 60 s segments of 4 Mbit/s, in Ceph RGW on loopback, cataloged
in SQLite, nothing in the spool.  ``made``: bytes that the bundle reads (segments, and the same
pictures once more for the clips) a second, into a folder on this machine's disk, each file
synced; ``raw``: the same segments by one ranged GET each with the same client, twice, written to
nothing.  ``verify``: bytes of the bundle by second of one core; ``bare``: SHA-256 over the same
files in the same blocks.  Memory: peak of Python's allocations.
``BENCH_MINUTES=60``: an hour; it takes 40 GB of disk.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.media import STREAM, T0, minutes, scratch, sealed_after
from bench.timing import median
from recorder.app import App
from recorder.config import Settings, StorePart
from recorder.evidence.opened import opened
from recorder.evidence.verify import BLOCK, verify
from recorder.export.sinks import bundle_at
from recorder.handover import Asked, hand_over
from recorder.model.caller import Caller, CallerKind
from recorder.model.keys import segment_key
from recorder.model.media import Segment
from recorder.model.timebase import MINUTE, TimeRange
from recorder.store.s3 import S3Store
from tests.support.rgw import ACCESS, SECRET, start_rgw

CAMERAS, MINUTES = 4, int(os.environ.get("BENCH_MINUTES", "10"))
ANA = Caller(CallerKind.USER, "ana")


def measure() -> dict[str, Any]:
    """Make, read raw, verify."""
    rgw = start_rgw()
    try:
        with scratch() as name:
            folder, bucket = Path(name), rgw.bucket()
            for word in (ACCESS, SECRET):
                (folder / word).write_text(word)
            store = StorePart(
                name="main", kind="s3", endpoint=rgw.endpoint, bucket=bucket,
                access_key=f"file:{folder / ACCESS}", secret_key=f"file:{folder / SECRET}",
            )  # fmt: skip
            app = App(Settings(data=folder / "data", site=STREAM.site, node="n1", stores=[store]))
            app.admit("main")
            raw = S3Store("main", rgw.endpoint, bucket, (ACCESS, SECRET))
            segments = _fill(folder, app, raw)
            result = _measure(folder, app, raw, segments)
            app.close()
            return result
    finally:
        rgw.stop()


def _fill(folder: Path, app: App, store: S3Store) -> list[Segment]:
    """Store what one camera recorded under the names of all: the bytes differ by their footers."""
    made, state = [], None
    for i, path in enumerate(minutes(folder, MINUTES)):
        body = path.read_bytes()
        done, state = sealed_after(body, state, 60 * (i + 1))
        whole = body[: done.keep_bytes] + done.trailer
        for number in range(CAMERAS):
            stream = replace(STREAM, camera=f"cam{number}")
            one = done.segment
            key = segment_key(str(stream), one.start, one.writer, one.counter)
            segment = replace(one, stream=stream, key=key)
            store.put(key, whole, "video/mp4", {})
            app.catalog.commits.add_segments([segment], "main", 0)
            made.append(segment)
        path.unlink()
    return made


def _measure(folder: Path, app: App, store: S3Store, segments: list[Segment]) -> dict[str, Any]:
    asked = Asked(
        [f"cam{i}" for i in range(CAMERAS)], TimeRange(T0, T0 + MINUTES * MINUTE), "1", "bench"
    )
    size = sum(one.size_bytes for one in segments)
    ratios, made_bps = [], []
    for i in range(3):
        before = _raw(store, segments)
        begin = time.perf_counter()
        with bundle_at(folder / f"bundle{i}") as sink:
            hand_over(app, ANA, asked, sink, lambda _: None)
        took = time.perf_counter() - begin
        ratios.append((before + _raw(store, segments)) / took)
        made_bps.append(2 * size / took)
        if i:
            shutil.rmtree(folder / f"bundle{i}")
    tracemalloc.start()
    with bundle_at(folder / "traced") as sink:
        hand_over(app, ANA, asked, sink, lambda _: None)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return {
        "bytes": size,
        "made_mb_s": round(median(made_bps) / 1e6, 1),
        "made_of_raw": round(median(ratios), 3),
        "made_peak_mb": round(peak / 1e6, 1),
        **_verified(folder / "bundle0"),
    }


def _raw(store: S3Store, segments: list[Segment]) -> float:
    begin = time.perf_counter()
    for one in segments:
        for _ in store.read(one.key, 0, one.size_bytes):
            pass
    return time.perf_counter() - begin


def _verified(bundle: Path) -> dict[str, Any]:
    """Verify it, and hash its files, by turns; by time of this process on a core."""
    own, bare = [], []
    files = [one for one in bundle.rglob("*") if one.is_file()]
    size = sum(one.stat().st_size for one in files)
    for _ in range(3):
        begin = time.process_time()
        with opened(bundle) as found:
            verdict = verify(found)
        own.append(size / (time.process_time() - begin))
        begin = time.process_time()
        for path in files:
            digest = hashlib.sha256()
            with path.open("rb") as file:
                while block := file.read(BLOCK):
                    digest.update(block)
        bare.append(size / (time.process_time() - begin))
    kinds = {one.kind for one in verdict.faults}
    return {
        "verify_mb_s_core": round(median(own) / 1e6, 1),
        "verify_of_bare": round(median(own) / median(bare), 3),
        "verify_bytes": size,
        "faults": sorted(kinds),  # the other cameras' footers say cam: that is found
    }
