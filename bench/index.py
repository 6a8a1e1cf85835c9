"""Claim: scan <= 1 ms, seal of 60 s <= 30 ms all in, locate <= 1 us, cut of an hour <= 5 ms,
compiled >= 5 x its twin.

Method: a real minute of 1080p25 at 4 Mbit/s; medians of repeated calls in one process; the
twin runs on the same bytes in the same run.  Seal is the whole of it: map, scan, clocks,
SHA-256, footer, write, fsync, rename, fsync of the directory.
"""

from __future__ import annotations

import os
from array import array
from pathlib import Path
from typing import Any

from bench.media import minutes, run, scratch, sealed_after
from bench.timing import median, p99, seconds
from recorder import _index, _index_py, index
from recorder.bmff.init import read_init
from recorder.capture.sealer import Sealer
from recorder.cut import cut_segments, frames_of
from recorder.model.timebase import SECOND, TimeRange
from recorder.spool.disk import Spool


def measure() -> dict[str, Any]:
    """Run it."""
    with scratch() as name:
        folder = Path(name)
        files = minutes(folder, 60)
        body = files[0].read_bytes()
        return {
            "minute_bytes": len(body),
            **_twins(body),
            "seal_all_in_ms": _seal(folder, files[:40]),
            **_cut(files),
        }


def _twins(body: bytes) -> dict[str, Any]:
    init = read_init(body)
    specs = [(track.track_id, *track.defaults) for track in init.tracks]
    table = index.scan(body, init).table
    tracks = [track.columns() for track in table.tracks]
    columns = (table.offsets, table.ends, table.prfts, table.walls)
    packed = index.encode(table, init.size)
    starts = array("q", range(0, 25_000_000, 60))
    lead = table.tracks[0]
    work = {
        "scan": lambda twin: twin.scan(body, init.size, specs),
        "encode": lambda twin: twin.encode_table(*columns, tracks, init.size),
        "decode": lambda twin: twin.decode_table(packed, init.size),
        "cut": lambda twin: twin.cut(lead.dts, lead.cts, lead.duration, lead.sync, (9_000, 90_000)),
        "sample_tables": lambda twin: twin.TrackTables().add(
            0, lead.columns(), 0, len(lead.dts), -1
        ),
    }
    result: dict[str, Any] = {"table_bytes": len(packed)}
    for name, call in work.items():
        fast = median(seconds(lambda call=call: call(_index), 300))  # type: ignore[misc]
        slow = median(seconds(lambda call=call: call(_index_py), 15))  # type: ignore[misc]
        result[name] = {"compiled_us": round(fast * 1e6, 1), "times_twin": round(slow / fast, 1)}
    looked = median(seconds(lambda: [_index.locate(starts, 12_345_678) for _ in range(1000)], 50))
    result["locate_us"] = round(looked * 1e3, 3)
    return result


def _seal(folder: Path, files: list[Path]) -> dict[str, float]:
    spool = Spool(folder / "spool")
    sealer = Sealer(spool, lambda _: None)
    work = spool.open_run(run())
    taken = []
    for path in files:
        target = work / path.name
        target.write_bytes(path.read_bytes())
        os.sync()  # a recorded minute was written long before it is sealed
        taken += seconds(lambda target=target: sealer.seal_file(target, run()), 1)  # type: ignore[misc]
    return {"median": round(median(taken) * 1e3, 2), "p99": round(p99(sorted(taken)) * 1e3, 2)}


def _cut(files: list[Path]) -> dict[str, float]:
    segments, tables, state = [], [], None
    for i, path in enumerate(files):
        body = path.read_bytes()
        done, state = sealed_after(body, state, 60 * (i + 1))
        segments.append(done.segment)
        tables.append(index.scan(body, read_init(body)).table)
    start = segments[0].start
    asked = TimeRange(start + 7_300_000_000, start + 3590 * SECOND)

    def work() -> None:
        for i, piece in enumerate(cut_segments(segments, asked)):
            frames_of(piece, tables[i], 0)

    return {"cut_hour_ms": round(median(seconds(work, 50)) * 1e3, 3)}
