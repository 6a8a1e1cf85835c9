"""Claim: a node costs at most 0.15 % of a core and 1.5 MiB per 4 Mbit/s stream on top of
bare ffmpeg.

Method: one RTSP server feeds 40 clients of a 4 Mbit/s stream; CPU time of the recorder's
own process (its threads; not its ffmpegs) over a minute, and its resident memory with 40
streams against 1 stream.  The ffmpegs' own CPU is measured beside it in the same run.
``BENCH_STREAMS`` and ``BENCH_SECONDS`` change the size.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from bench.media import scratch, source
from tests.support.nodes import Node, RtspServer
from tests.support.ports import until

STREAMS = int(os.environ.get("BENCH_STREAMS", "40"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "120"))
TICKS = os.sysconf("SC_CLK_TCK")


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _rss_mib(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) / 1024


def _recording(node: Node) -> int:
    return int(node.http.get("/api/v1/nodes").json()[0]["recording"])


def measure() -> dict[str, Any]:
    """Run it."""
    with scratch() as name:
        folder = Path(name)
        path = source(folder, 300)
        server = RtspServer(cam=f"{path}:h264").start()
        node = Node(folder / "node", capture={"segment": 60, "connect_timeout": 30})
        try:
            node.start()
            assert node.process is not None
            pid = node.process.pid
            node.add("cam000", server.url("cam"))
            until(lambda: _recording(node) == 1, 30, "the first stream")
            time.sleep(10)
            one = _rss_mib(pid)
            for i in range(1, STREAMS):
                node.add(f"cam{i:03d}", server.url("cam"))
            until(lambda: _recording(node) == STREAMS, 120, "all streams")
            time.sleep(5)
            pids = node.ffmpegs()
            begin, own = time.monotonic(), _cpu_s(pid)
            bare = sum(_cpu_s(child) for child in pids)
            time.sleep(SECONDS)
            took, spent = time.monotonic() - begin, _cpu_s(pid) - own
            ffmpeg = sum(_cpu_s(child) for child in pids if Path(f"/proc/{child}").exists()) - bare
            return {
                "streams": STREAMS,
                "seconds": round(took, 1),
                "node_percent_of_core_per_stream": round(100 * spent / took / STREAMS, 3),
                "ffmpeg_percent_of_core_per_stream": round(100 * ffmpeg / took / STREAMS, 3),
                "node_mib_per_stream": round((_rss_mib(pid) - one) / (STREAMS - 1), 3),
                "node_mib": round(_rss_mib(pid), 1),
            }
        finally:
            node.close()
            server.stop()
