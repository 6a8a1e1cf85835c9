"""Scale: what a parent does each second for each camera below, and what a sweep costs as it grows.

Claim: one core of a centre carries the feed of 200 sites with 50 000 cameras, and an ordinary
sweep grows with what is due, not with what is kept.

Method: the centre's catalog (PostgreSQL on loopback) is given 50 000 streams by 200 children.
``steady`` is one minute of their feed: a sealed segment and its copy in the store of each
camera, told twice (sealed, stored), another that was let go, and all states every 5 s, as the
link does; CPU time of the centre's process, and of all its database's processes, per
wall-clock minute.  ``sweep`` reads the facts and plans for a store of 1, 2 and 4 million
copies (SQLite in a file), of which the same 33 000 are due; ``whole`` does so reading all
copies, as a plan below the floor must.
docs/operate/sizing.md has the arithmetic.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bench.feed import fill_streams
from bench.media import scratch
from policies.read import parse_policy
from policies.retain import retain
from recorder.catalog.sql import SqlCatalog
from recorder.janitor.apply import facts_of
from recorder.model.keys import StreamId
from recorder.model.timebase import DAY, MINUTE, SECOND
from recorder.ports import StreamStatus
from recorder.sites.documents import hear_child
from recorder.store.memory import MemoryStore
from tests.support.make import T0, segment
from tests.support.postgres import Postgres

SITES, CAMERAS = 200, 250
STATES_A_MINUTE = 12


def measure() -> dict[str, Any]:
    """Run both halves."""
    server = Postgres()
    try:
        server.start()
        found = {"steady": _steady(server.database())}
    finally:
        server.stop()
    with scratch() as name:
        found["sweep"] = {
            f"{n} copies": _sweep(Path(name), n) for n in (10**6, 2 * 10**6, 4 * 10**6)
        }
    return found


def _messages(minute: int) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Return each child's message of a minute, without states, and its states."""
    child = SqlCatalog("sqlite://")
    streams = [StreamId("post0", f"cam0-{i}", "main") for i in range(CAMERAS)]
    fill_streams(child, streams, 1, T0 + minute * MINUTE)
    child.outbox.fill(1)
    _, said = child.outbox.take(10**6, T0)
    child.close()
    status = StreamStatus(streams[0], "n1", "recording", "", "", "", T0, T0)
    states = [{**asdict(replace(status, stream=one)), "stream": str(one)} for one in streams]
    body = {
        "site": "post0", "level": "post", "url": "", "changes": said, "nodes": [],
        "statuses": [], "sites": [], "holds": {}, "facts": {},
    }  # fmt: skip
    text = json.dumps([body, states])
    return [
        tuple(json.loads(text.replace("post0", f"post{n}").replace("cam0-", f"cam{n}-")))
        for n in range(SITES)
    ]


def _steady(url: str) -> dict[str, Any]:
    centre = SqlCatalog(url)
    for body, told in _messages(0):
        hear_child(centre, {**body, "statuses": told}, "centre", T0)
    minute = _messages(1)
    segments = [json.dumps(body) for body, _ in minute]
    gone = [json.dumps({**body, "changes": _gone(body["changes"])}) for body, _ in _messages(0)]
    states = [json.dumps({**body, "changes": [], "statuses": told}) for body, told in minute]
    begin, wall, server = time.process_time(), time.monotonic(), _children_cpu()
    for one in [*segments, *segments, *gone]:  # once when sealed, once when stored
        hear_child(centre, json.loads(one), "centre", T0)
    spent = time.process_time() - begin
    begin = time.process_time()
    for one in states:
        hear_child(centre, json.loads(one), "centre", T0)
    telling = (time.process_time() - begin) * STATES_A_MINUTE
    wall = time.monotonic() - wall
    centre.close()
    return {
        "cameras": SITES * CAMERAS, "segments_cpu_s_per_minute": round(spent, 1),
        "states_cpu_s_per_minute": round(telling, 1),
        "share_of_a_core": round((spent + telling) / 60, 3),
        "database_cpu_s": round(_children_cpu() - server, 1), "wall_s": round(wall, 1),
    }  # fmt: skip


def _gone(changes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Say of told segments that they went."""
    return [
        {"k": "gone", "stream": one["stream"], "start": one["row"][0], "writer": one["row"][1]}
        for one in changes
        if one["k"] == "segment"
    ]


def _children_cpu() -> float:
    """CPU seconds of the database's processes that live now."""
    ticks = os.sysconf("SC_CLK_TCK")
    total = 0
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and (entry / "comm").read_text() == "postgres\n":
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                total += int(fields[11]) + int(fields[12])
    return total / ticks


class Roomy(MemoryStore):
    """A store that says it has room: a plan need not look at all of its copies."""

    def free_bytes(self) -> tuple[int, int] | None:
        """Half of a petabyte."""
        return 5 * 10**14, 10**15


def _sweep(folder: Path, copies: int) -> dict[str, Any]:
    catalog = SqlCatalog(f"sqlite:///{folder}/{copies}.db")
    each = 40_000
    streams = [StreamId("post1", f"cam{i}", "main") for i in range(copies // each)]
    fill_streams(catalog, streams, each, T0, step=30 * DAY // each)
    age = 30 * DAY - DAY * 10**6 // copies
    policy = parse_policy({"rules": [{"name": "all", "keep": {"any": f"{age // SECOND}s"}}]})
    now = T0 + 30 * DAY + segment_ns()
    begin = time.perf_counter()
    plan = retain(policy, facts_of(catalog, Roomy("main"), policy, "post", now))
    between = time.perf_counter()
    retain(policy, facts_of(catalog, MemoryStore("main"), policy, "post", now))
    found = {
        "seconds": round(between - begin, 2), "due": len(plan.actions),
        "whole_seconds": round(time.perf_counter() - between, 2),
        "peak_process_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "catalog_bytes_per_copy": round((folder / f"{copies}.db").stat().st_size / copies),
    }  # fmt: skip
    catalog.close()
    return found


def segment_ns() -> int:
    """Length of the segments."""
    one = segment()
    return one.end - one.start
