"""Claim: recording is never the one to suffer: with 64 clients that read clips as fast as they
can, 50 recorded streams lose no frame, and the door goes on answering.

Method: ``recorder serve`` records 50 clients' worth of an RTSP server (25 frames/s), for a while
alone and for as long with 64 connections of another process that read two-minute clips of stored
footage again and again.  Lost: frames that the stored footage of both stretches holds less than
25 a second, gaps, and frames the recorder itself missed.  Answers: ``healthz``, ten times a second.
``BENCH_STREAMS``, ``BENCH_READERS``, ``BENCH_SECONDS`` change the size.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from multiprocessing import Event, Process, Queue
from pathlib import Path
from statistics import median
from typing import Any

from bench.clips import clip_path, fill, rss_mib
from bench.door import cpu_s
from bench.media import STREAM, minutes, scratch, source
from bench.timing import p99
from recorder.model.timebase import SECOND, format_instant, parse_instant
from tests.support.nodes import Node, RtspServer
from tests.support.ports import until

STREAMS = int(os.environ.get("BENCH_STREAMS", "50"))
READERS = int(os.environ.get("BENCH_READERS", "64"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "40"))
RATE = 25


def measure() -> dict[str, Any]:
    """Run it."""
    with scratch() as name:
        folder = Path(name)
        made = minutes(folder, 10)
        (folder / "live").mkdir()
        live = source(folder / "live", 90 + STREAMS + 2 * SECONDS)
        server = RtspServer(cam=f"{live}:h264").start()
        node = Node(
            folder / "node",
            site=STREAM.site,
            capture={"segment": 10, "connect_timeout": 60},
        )
        start = fill(folder / "node/data", made, "store")
        names = [f"r{i:02d}" for i in range(STREAMS)]
        try:
            node.start()
            for one in names:
                node.add(one, server.url("cam"))
            until(lambda: _recording(node) == STREAMS, 180, "all streams")
            time.sleep(10)
            found: dict[str, Any] = {"streams": STREAMS, "readers": READERS}
            stretches = {"alone": _stretch(node), "with_readers": _beside(node, start)}
            time.sleep(15)  # until it is sealed
            for what, (begin, end, seen) in stretches.items():
                found[what] = {**seen, **_lost(node, names, begin, end)}
            found["missing_frames"] = _missing(node)
            return found
        finally:
            node.close()
            server.stop()


def _recording(node: Node) -> int:
    return int(node.http.get("/api/v1/nodes").json()[0]["recording"])


def _now(node: Node) -> int:
    return parse_instant(node.http.get("/api/v1/coverage").json()["end"])


def _stretch(node: Node) -> tuple[int, int, dict[str, float]]:
    """Let time pass; see how the door answers and what the recorder takes."""
    assert node.process is not None
    pid = node.process.pid
    begin, spent, waits = _now(node), cpu_s(pid), list[float]()
    until_s = time.monotonic() + SECONDS
    while time.monotonic() < until_s:
        asked = time.perf_counter()
        node.http.get("/healthz")
        waits.append(time.perf_counter() - asked)
        time.sleep(0.1)
    waits.sort()
    seen = {
        "healthz_p50_ms": round(1000 * median(waits), 1),
        "healthz_p99_ms": round(1000 * p99(waits), 1),
        "recorder_cpu_s_per_s": round((cpu_s(pid) - spent) / SECONDS, 3),
        "recorder_mib": round(rss_mib(pid), 1),
    }
    return begin, _now(node), seen


def _beside(node: Node, start: int) -> tuple[int, int, dict[str, float]]:
    paths = [clip_path(start, 5 * (i % 90), 120 + 5 * (i % 90)) for i in range(READERS)]
    counted: Queue[int] = Queue()
    ends = Event()
    client = Process(target=_clients, args=(counted, ends, node.port, paths))
    client.start()
    try:
        time.sleep(2)
        begin, end, seen = _stretch(node)
    finally:
        ends.set()
        got = counted.get(timeout=60)
        client.join()
    return begin, end, {**seen, "mb_per_s": round(got / (SECONDS + 2) / 1e6)}


def _clients(counted: Any, ends: Any, port: int, paths: list[str]) -> None:
    got = [0] * len(paths)

    def one(number: int) -> None:
        into = bytearray(1 << 18)
        ask = (
            f"GET {paths[number]} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode()
        )
        while not ends.is_set():
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(ask)
                while (count := client.recv_into(into)) and not ends.is_set():
                    got[number] += count

    threads = [threading.Thread(target=one, args=(number,)) for number in range(len(paths))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counted.put(sum(got))


def _lost(node: Node, names: list[str], begin: int, end: int) -> dict[str, int]:
    """Count the frames that a stretch of all streams lacks, and its gaps."""
    lost, gaps = 0, 0
    params = {"start": format_instant(begin, 9), "end": format_instant(end, 9)}
    for name in names:
        times = node.http.get(f"/api/v1/cameras/{name}/clip.json", params=params).json()
        gaps += len(times["gaps"])
        frames = sum(part["frames"] for part in times["parts"])
        lost += max(0, (end - begin) * RATE // SECOND - 1 - frames)
    return {"frames_lost": lost, "gaps": gaps}


def _missing(node: Node) -> float:
    lines = node.http.get("/metrics").text.splitlines()
    name = "recorder_capture_missing_frames_total"
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name))


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
