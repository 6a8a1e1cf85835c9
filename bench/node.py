"""Claim: a stream costs little more than its ffmpeg: the node's process and its ffmpegs together
at most 1.05 times as many bare ffmpegs' CPU at 40 streams, 1.10 times at 10; at most 1 ms of CPU
a second without cameras, and 0.5 MiB a stream.

Method: one RTSP server feeds all clients a 4 Mbit/s stream; as many bare ffmpegs, with the very
command of recording, run beside the node, so that both meet the same machine.  CPU time over a
minute or more; anonymous memory (files mapped while they are sealed are the page cache's) with
all streams against 1.  Reading stored copies again is off: its cost is that of what is kept.
``BENCH_STREAMS`` and ``BENCH_SECONDS`` change the size.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from bench.media import FFMPEG, scratch, source
from recorder.capture.command import Tracks, record_command
from recorder.model.cameras import StreamSource
from tests.support.nodes import Node, RtspServer
from tests.support.ports import until

STREAMS = int(os.environ.get("BENCH_STREAMS", "40"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "120"))
BEGIN_S = 70
"""After the first sweep, which loads what sweeps."""
REST_S = 60
"""With what is done once a minute."""


def cpu_s(pid: int) -> float:
    """Return the CPU seconds that a process has taken, 0 when it is gone.

    Source: Linux, clock_getcpuclockid(3): a process's clock counts ns, its ticks are 10 ms.
    """
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def memory_mib(pid: int) -> float:
    """Return the memory that is a process's own, no file's."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.split("RssAnon:")[1].split()[0]) / 1024


def _recording(node: Node) -> int:
    return int(node.http.get("/api/v1/nodes").json()[0]["recording"])


def _bare(url: str, folder: Path, stack: contextlib.ExitStack) -> list[int]:
    """Start as many ffmpegs that nobody watches."""
    pids = []
    for number in range(STREAMS):
        place = folder / str(number)
        place.mkdir(parents=True)
        command = record_command(FFMPEG, StreamSource(url), place, 60, Tracks())
        child = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        stack.callback(child.wait)
        stack.callback(child.kill)
        pids.append(child.pid)
    return pids


def _at_rest(pid: int) -> float:
    time.sleep(BEGIN_S)
    begin = cpu_s(pid)
    time.sleep(REST_S)
    return 1e3 * (cpu_s(pid) - begin) / REST_S


def measure() -> dict[str, Any]:
    """Run it."""
    with scratch() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        server = RtspServer(cam=f"{source(folder, 300)}:h264").start()
        stack.callback(server.stop)
        node = Node(
            folder / "node", capture={"segment": 60, "connect_timeout": 30},
            janitor={"scrub": "0s"},
        )  # fmt: skip
        stack.callback(node.close)
        node.env["SPANSTORE_TEST_LONG"] = "1"  # one that was forked has all that anybody imports
        node.start()
        assert node.process is not None
        pid = node.process.pid
        rest = _at_rest(pid)
        resting_mib = memory_mib(pid)
        node.add("cam000", server.url("cam"))
        until(lambda: _recording(node) == 1, 30, "the first stream")
        time.sleep(10)
        one = memory_mib(pid)
        for i in range(1, STREAMS):
            node.add(f"cam{i:03d}", server.url("cam"))
        until(lambda: _recording(node) == STREAMS, 120, "all streams")
        bare = _bare(server.url("cam"), folder / "bare", stack)
        time.sleep(15)
        pids = node.ffmpegs()
        begin = time.monotonic()
        before = [sum(map(cpu_s, some)) for some in ([pid], pids, bare)]
        time.sleep(SECONDS)
        took = time.monotonic() - begin
        after = [sum(map(cpu_s, some)) for some in ([pid], pids, bare)]
        own, ffmpeg, alone = (then - now for now, then in zip(before, after, strict=True))
        return {
            "streams": STREAMS,
            "seconds": round(took, 1),
            "node_at_rest_ms_per_s": round(rest, 2),
            "node_at_rest_mib": round(resting_mib, 1),
            "node_percent_of_core_per_stream": round(100 * own / took / STREAMS, 3),
            "ffmpeg_percent_of_core_per_stream": round(100 * ffmpeg / took / STREAMS, 3),
            "bare_percent_of_core_per_stream": round(100 * alone / took / STREAMS, 3),
            "times_bare": round((own + ffmpeg) / alone, 3),
            "node_mib_per_stream": round((memory_mib(pid) - one) / max(1, STREAMS - 1), 3),
            "node_mib": round(memory_mib(pid), 1),
        }
