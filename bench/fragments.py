"""Claim: fragments of half a second cost no more than a ``moof`` each, against two seconds.

Method: 40 ffmpegs at once copy 1080p25 at 4 Mbit/s from a file, in real time, with the options
of the recording command but for the length of fragments; their CPU time and bytes are summed.
Then the files are scanned and sealed tables packed: time of a scan, bytes of the frame table and
of the fragment table in the catalog's row, for a minute.  Medians; ratios to two seconds.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

from bench.media import FFMPEG, scratch, source
from bench.timing import median, seconds
from recorder import clean_points, index
from recorder.bmff.init import read_init
from recorder.capture.command import Tracks, record_command
from recorder.model.cameras import StreamSource

STREAMS, LENGTH_S = 40, 20
LENGTHS_US = (2_000_000, 1_000_000, 500_000, 200_000)


def measure() -> dict[str, Any]:
    """Run it."""
    with scratch() as name:
        folder = Path(name)
        film = source(folder, 60)
        found = {length: _recorded(folder, film, length) for length in LENGTHS_US}
    base = found[LENGTHS_US[0]]
    return {
        f"{length / 1e6:g}_s": {
            **one,
            "cpu_ratio": round(one["cpu_ms_per_s"] / base["cpu_ms_per_s"], 3),
            "bytes_ratio": round(one["bytes"] / base["bytes"], 5),
        }
        for length, one in found.items()
    }


def _recorded(folder: Path, film: Path, length_us: int) -> dict[str, float]:
    before = os.times()
    running = []
    for i in range(STREAMS):
        target = folder / f"{length_us}.{i}"
        target.mkdir()
        argv = record_command(FFMPEG, StreamSource(str(film)), target, 3600, Tracks())
        options = argv.index("-segment_format_options") + 1
        argv[options] = re.sub(r"frag_duration=\d+", f"frag_duration={length_us}", argv[options])
        argv[argv.index("-i") : argv.index("-i")] = ["-t", str(LENGTH_S)]
        running.append(subprocess.Popen(argv, stderr=subprocess.DEVNULL))
    for one in running:
        one.wait()
    after = os.times()
    used = after.children_user + after.children_system
    used -= before.children_user + before.children_system
    files = [next((folder / f"{length_us}.{i}").glob("*.mp4")) for i in range(STREAMS)]
    return {
        "cpu_ms_per_s": round(used * 1000 / STREAMS / LENGTH_S, 2),
        "bytes": sum(path.stat().st_size for path in files) // STREAMS,
        **_scanned(files[0].read_bytes()),
    }


def _scanned(body: bytes) -> dict[str, float]:
    init = read_init(body)
    table = index.scan(body, init).table
    points = clean_points.pack_points(clean_points.fragment_points(table, 0))
    minutes = LENGTH_S / 60
    return {
        "fragments": len(table.offsets),
        "scan_us_a_minute": round(
            median(seconds(lambda: index.scan(body, init), 200)) * 1e6 / minutes, 1
        ),
        "table_bytes_a_minute": round(len(index.encode(table, init.size)) / minutes),
        "row_bytes_a_minute": round(len(points) / minutes),
    }
