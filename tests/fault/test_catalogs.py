"""Catalogs that hang rather than refuse: recording goes on, and nothing is forgotten."""

from __future__ import annotations

import os
import signal
import sqlite3
from pathlib import Path

from tests.support.nodes import Node, RtspServer
from tests.support.ports import until


def test_a_catalog_that_hangs_keeps_no_stream_from_being_recorded_and_sealed(
    node: Node, camera: RtspServer
) -> None:
    node.start()
    node.add("cam", camera.url("cam"))
    until(lambda: node.footage_s("cam") > 5, 40, "a segment is sealed")
    spool = node.folder / "data" / "spool"
    lock = sqlite3.connect(node.folder / "data" / "catalog.db", isolation_level=None, timeout=60)
    try:
        lock.execute("BEGIN IMMEDIATE")  # as a backup, a VACUUM or a slow disk does
        (old,) = node.ffmpegs()
        os.kill(old, signal.SIGKILL)
        until(lambda: set(node.ffmpegs()) - {old}, 15, "ffmpeg runs again")
        known = set(sealed(spool))
        until(lambda: len(set(sealed(spool)) - known) >= 3, 40, "segments are sealed meanwhile")
    finally:
        lock.close()
    until(lambda: node.http.get("/api/v1/nodes").json()[0]["unregistered"] == 0, 60, "taken in")
    until(lambda: not sealed(spool), 60, "shipped")
    node.stop()
    assert node.broken("--digest") == []


def sealed(spool: Path) -> list[str]:
    return [path.name for path in (spool / "sealed").rglob("*Z.*.mp4")]
