"""Claim: clip bytes leave the door for at most twice what nginx takes for a file, from the spool
and from a directory store; first byte of an hour <= 10 ms warm; memory flat for 64 readers.

Method: ``recorder serve`` without cameras; an hour of one camera (60 segments, 4 Mbit/s) in its
store (``store``) or its spool (``spool``), all of it in the page cache.  A client in another
process reads clips by 1, 8, 64 connections, each of its own range (an hour, or what makes 8 GB
together), and throws the bytes away; the CPU is the server's, less what it takes when idle.
First byte: of a clip asked for before, of one whose frame tables alone are known, of one of
which nothing is.
``bare``: nginx with ``sendfile`` gives out one file of the same size to the same client, in the
same run; where there is no nginx, a thread that calls ``sendfile(2)``.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import Pipe, Process
from pathlib import Path
from statistics import median
from typing import Any

from bench.door import cpu_s
from bench.media import STREAM, minutes, scratch, sealed_after
from recorder.catalog.sql import SqlCatalog
from recorder.model.media import Segment
from recorder.model.places import spool_of
from recorder.model.timebase import SECOND, format_instant
from recorder.spool.disk import Spool
from tests.support.nodes import Node
from tests.support.ports import free_port

READERS = (1, 8, 64)
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
LEAST_BYTES = 8e9
"""Read for each figure: CPU time is told in hundredths of a second."""


def measure() -> dict[str, Any]:
    """Read by the door and past it."""
    with scratch() as name:
        folder = Path(name)
        found: dict[str, Any] = {}
        made = minutes(folder, 60)
        for place in ("store", "spool"):
            with _node(folder / place, made, place) as (node, start):
                assert node.process is not None
                path = clip_path(start, 0, 3600)
                found[place] = {"first_byte_ms": _first_bytes(node.port, start)}
                idle = _idle(node.process.pid)
                whole = folder / "whole.mp4"
                size = int(node.http.head(path).headers["content-length"])
                with whole.open("wb") as file:
                    for _ in range((size >> 20) + 1):
                        file.write(bytes(1 << 20))
                with _bare(folder, whole) as (bare_pid, bare_port):
                    for readers in READERS:
                        theirs, ours = [], []
                        share = min(size, LEAST_BYTES / readers)
                        seconds = int(3500 * share / size)
                        paths = [clip_path(start, i, seconds + i) for i in range(readers)]
                        files = ["/whole.mp4"] * readers
                        for _ in range(ROUNDS):
                            theirs.append(_read(bare_pid, bare_port, files, int(share)))
                            ours.append(_read(node.process.pid, node.port, paths, 0, idle))
                        found[place][f"by_{readers}"] = _told(ours, theirs)
        return found


def _told(ours: list[dict[str, float]], theirs: list[dict[str, float]]) -> dict[str, float]:
    def middle(of: list[dict[str, float]], what: str) -> float:
        return median(one[what] for one in of)

    return {
        "cpu_s_per_gb": round(middle(ours, "s_per_gb"), 3),
        "bare_cpu_s_per_gb": round(middle(theirs, "s_per_gb"), 3),
        "of_bare": round(
            median(a["s_per_gb"] / b["s_per_gb"] for a, b in zip(ours, theirs, strict=True)), 2
        ),
        "mb_per_s": round(middle(ours, "mb_per_s")),
        "bare_mb_per_s": round(middle(theirs, "mb_per_s")),
        "peak_mib_more": round(middle(ours, "peak_mib_more"), 1),
    }


@contextmanager
def _node(folder: Path, made: list[Path], place: str) -> Iterator[tuple[Node, int]]:
    node = Node(folder / "node", site=STREAM.site)
    start = fill(folder / "node/data", made, place)
    try:
        yield node.start(), start
    finally:
        node.close()
        shutil.rmtree(folder)


def fill(data: Path, made: list[Path], place: str) -> int:
    """Put minutes of a camera into a node's ``store`` or ``spool``; return where they start."""
    data.mkdir(parents=True, exist_ok=True)
    catalog = SqlCatalog(f"sqlite:///{data / 'catalog.db'}")
    root = data / "store" if place == "store" else Spool(data / "spool").root / "cache"
    state, segments = None, list[Segment]()
    for i, path in enumerate(made):
        body = path.read_bytes()
        done, state = sealed_after(body, state, 60 * (i + 1))
        to = root / done.segment.key
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(body[: done.keep_bytes] + done.trailer)
        at = "main" if place == "store" else spool_of("n1")
        catalog.commits.add_segment(done.segment, at, "", 0)
        segments.append(done.segment)
    catalog.close()
    return segments[0].start


def clip_path(start: int, first_s: float, end_s: float) -> str:
    """Address of a clip of the camera, between seconds of its footage."""
    begin, end = (format_instant(start + round(s * SECOND)) for s in (first_s + 0.5, end_s))
    return f"/api/v1/cameras/{STREAM.camera}/clip.mp4?start={begin}&end={end}"


@contextmanager
def _bare(folder: Path, whole: Path) -> Iterator[tuple[int, int]]:
    """Give out a file by nginx with one worker, or by a thread that calls sendfile."""
    port = free_port()
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        server = Process(target=_serve, args=(port, whole), daemon=True)
        server.start()
        assert server.pid is not None
        try:
            yield _answering(server.pid, port), port
        finally:
            server.kill()
            server.join()
        return
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr crit; user root;"
        "events {} http { access_log off; sendfile on; sendfile_max_chunk 2m; server { "
        f"listen 127.0.0.1:{port}; root {whole.parent}; }} }}"
    )
    process = subprocess.Popen([nginx, "-p", str(folder), "-c", str(config)])
    try:
        yield _answering(process.pid, port), port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _answering(pid: int, port: int) -> int:
    for _ in range(200):
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return pid
        time.sleep(0.05)
    raise AssertionError("the bare server does not answer")


def _serve(port: int, whole: Path) -> None:
    size = whole.stat().st_size
    head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size

    def meet(client: socket.socket) -> None:
        with client, whole.open("rb") as file:
            while client.recv(1 << 16):
                client.sendall(head)
                client.sendfile(file, 0, size)

    with socket.create_server(("127.0.0.1", port)) as listener:
        while True:
            threading.Thread(target=meet, args=(listener.accept()[0],), daemon=True).start()


def _first_bytes(port: int, start: int) -> dict[str, float]:
    cold = _first_byte(port, clip_path(start, 0, 3600))
    others = [_first_byte(port, clip_path(start, i / 100, 3600)) for i in range(1, 12)]
    again = [_first_byte(port, clip_path(start, 0, 3600)) for _ in range(12)]
    return {
        "cold": round(cold, 1),
        "tables_known": round(median(others), 1),
        "asked_before": round(median(again[1:]), 1),
    }


def _first_byte(port: int, path: str) -> float:
    """Return the wait for an answer's first byte, in ms."""
    with socket.create_connection(("127.0.0.1", port)) as one:
        begin = time.perf_counter()
        one.sendall(f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
        one.recv(1)
        return 1000 * (time.perf_counter() - begin)


def _idle(pid: int) -> float:
    """Return the share of a core that a process takes when nobody asks it."""
    spent = cpu_s(pid)
    time.sleep(6)
    return (cpu_s(pid) - spent) / 6


def _read(pid: int, port: int, paths: list[str], share: int, idle: float = 0.0) -> dict[str, float]:
    """Read side by side, a connection a path, until enough is read; ``share``: only so much."""
    begin, spent, rss = time.perf_counter(), cpu_s(pid), rss_mib(pid)
    mine, theirs = Pipe()
    client = Process(target=_clients, args=(theirs, port, paths, share))
    client.start()
    peak = rss
    while not mine.poll(0.05):
        peak = max(peak, rss_mib(pid))
    got = int(mine.recv())
    client.join()
    took = time.perf_counter() - begin
    return {
        "s_per_gb": (cpu_s(pid) - spent - idle * took) / got * 1e9,
        "mb_per_s": got / took / 1e6,
        "peak_mib_more": peak - rss,
    }


def _clients(pipe: Any, port: int, paths: list[str], share: int) -> None:
    got = [0] * len(paths)
    least = LEAST_BYTES / len(paths) * 0.9

    def one(number: int) -> None:
        into = bytearray(1 << 18)
        with socket.create_connection(("127.0.0.1", port)) as client:
            while got[number] < least:
                ask = f"GET {paths[number]} HTTP/1.1\r\nhost: localhost\r\n"
                ask += f"range: bytes=0-{share - 1}\r\n\r\n" if share else "\r\n"
                client.sendall(ask.encode())
                got[number] += _answer(client, into)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(len(paths))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pipe.send(sum(got))


def _answer(client: socket.socket, into: bytearray) -> int:
    """Read an answer and throw it away; return how long it was."""
    head = b""
    while b"\r\n\r\n" not in head:
        head += client.recv(1 << 14)
    head, _, body = head.partition(b"\r\n\r\n")
    assert head[9:12] in (b"200", b"206"), head
    (length,) = (
        int(line.split(b":")[1])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length")
    )
    left: int = length - len(body)
    while left > 0:
        count = client.recv_into(into, min(left, len(into)))
        assert count, "cut short"
        left -= count
    return length


def rss_mib(pid: int) -> float:
    """Return the memory a process holds."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) / 1024


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
