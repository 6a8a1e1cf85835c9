"""Claim: answers on kept connections go out at once, through the real door of a real node.

Method: ``recorder serve`` without cameras, an hour of one camera in its catalog.  A client in
another process asks on kept connections, each with its next request when it has the answer;
``at_N_per_s``: 16 connections together ask so often and no oftener, and wait from when the
request was due.
``healthz``: an answer that asks nobody; ``timeline``: of the hour.  ``bare``: the same answer
from an asyncio server that knows nothing else, to the same client, in the same run.  ``wrk``: a
client in C, which keeps nobody waiting for itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from bench.media import scratch
from recorder.catalog.sql import SqlCatalog
from recorder.model.timebase import format_instant
from tests.support.make import STREAM, T0, segment
from tests.support.nodes import Node
from tests.support.ports import free_port

SECONDS = float(os.environ.get("BENCH_SECONDS", "4"))
TICKS = os.sysconf("SC_CLK_TCK")


def measure() -> dict[str, Any]:
    """Ask both."""
    with scratch() as name, _node(Path(name)) as node, _bare() as (bare_pid, bare_port):
        assert node.process is not None
        start, end = (format_instant(T0 + s * 10**9) for s in (0, 3600))
        paths = {
            "healthz": "/healthz",
            "timeline": f"/api/v1/cameras/{STREAM.camera}/timeline?start={start}&end={end}",
        }
        found: dict[str, Any] = {}
        for connections in (1, 4, 16):
            key = f"on_{connections}"
            found[f"bare_{key}"] = ask(bare_pid, bare_port, "/", connections)
            for what, path in paths.items():
                found[f"{what}_{key}"] = ask(node.process.pid, node.port, path, connections)
        for what, rate in (("healthz", 1000), ("timeline", 100)):
            found[f"{what}_at_{rate}_per_s"] = ask(
                node.process.pid, node.port, paths[what], 16, rate
            )
        found["healthz_by_wrk_on_16"] = _by_wrk(f"http://127.0.0.1:{node.port}/healthz")
        return found


def _by_wrk(url: str) -> dict[str, float]:
    """Ask on 16 connections without a pause; Source: wrk(1), what ``--latency`` prints."""
    argv = ["wrk", "-t1", "-c16", f"-d{SECONDS:.0f}s", "--latency", url]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    waits = re.findall(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s)$", said, re.MULTILINE)
    ms = {"us": 1e-3, "ms": 1.0, "s": 1e3}
    found = {f"p{part}_ms": round(float(much) * ms[unit], 3) for part, much, unit in waits}
    return {"per_s": round(float(said.split("Requests/sec:")[1].split()[0])), **found}


@contextmanager
def _node(folder: Path) -> Iterator[Node]:
    (folder / "node/data").mkdir(parents=True)
    catalog = SqlCatalog(f"sqlite:///{folder / 'node/data/catalog.db'}")
    for minute in range(60):
        catalog.commits.add_segment(segment(60 * minute), "main", "", T0)
    catalog.close()
    node = Node(folder / "node", site=STREAM.site)
    try:
        yield node.start()
    finally:
        node.close()


@contextmanager
def _bare() -> Iterator[tuple[int, int]]:
    port = free_port()
    server = multiprocessing.Process(target=_serve, args=(port,), daemon=True)
    server.start()
    try:
        for _ in range(100):
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        assert server.pid is not None
        yield server.pid, port
    finally:
        server.kill()
        server.join()


def _serve(port: int) -> None:
    body = b'{"status":"ok"}'
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(answer)
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(meet, "127.0.0.1", port)
        await server.serve_forever()

    asyncio.run(run())


def ask(pid: int, port: int, path: str, connections: int, rate: int = 0) -> dict[str, float]:
    """Ask for a while, ``rate`` times a second or without a pause.

    ``cpu_ms``: of the server, for each request.
    """
    before = cpu_s(pid)
    mine, theirs = multiprocessing.Pipe()
    client = multiprocessing.Process(target=_client, args=(theirs, port, path, connections, rate))
    client.start()
    waits: list[float] = mine.recv()
    client.join()
    spent = cpu_s(pid) - before
    waits.sort()
    return {
        "per_s": round(len(waits) / SECONDS), "p50_ms": round(1000 * median(waits), 2),
        "p99_ms": round(1000 * quantiles(waits, n=100)[98], 2),
        "cpu_ms": round(1000 * spent / len(waits), 3),
    }  # fmt: skip


def _client(pipe: Any, port: int, path: str, connections: int, rate: int) -> None:
    request = f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode()
    waits: list[float] = []

    async def one(number: int, end: float) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
        begin = time.perf_counter()
        due = begin + number / rate if rate else 0.0
        while begin < end:
            if rate:
                await asyncio.sleep(due - time.perf_counter())
                begin, due = due, due + connections / rate
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = next(
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length")
            )
            await reader.readexactly(length)
            now = time.perf_counter()
            waits.append(now - begin)
            begin = now
        writer.close()

    async def run() -> None:
        end = time.perf_counter() + SECONDS
        await asyncio.gather(*(one(number, end) for number in range(connections)))

    asyncio.run(run())
    pipe.send(waits)


def cpu_s(pid: int) -> float:
    """Return what a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
