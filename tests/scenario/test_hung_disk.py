"""A spool whose disk hangs wholly: its node answers, others record, and it goes on by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from recorder.model.timebase import SECOND, parse_instant
from tests.support.hanging import Hanging
from tests.support.nodes import Node
from tests.support.ports import until
from tests.support.postgres import Postgres
from tests.support.shared import SharedSite

CAMERA = "lavfi:testsrc2=rate=10:size=320x180"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Hanging]:
    one = Hanging(tmp_path / "disk", "/data/spool")
    yield one
    one.set(False)


@pytest.fixture
def alone(tmp_path: Path, disk: Hanging) -> Iterator[Node]:
    node = Node(tmp_path / "node", capture={"segment": 2})
    node.env |= disk.env
    yield node.start()
    disk.set(False)
    node.close()


def test_a_node_whose_spool_hangs_answers_says_why_and_goes_on_when_it_is_back(
    alone: Node, disk: Hanging
) -> None:
    alone.add("cam", CAMERA)
    until(lambda: alone.footage_s("cam") > 8, 60, "some of it is in the store")
    begin = parse_instant(alone.timeline("cam")["spans"][0]["start"])
    stored = ("cam", begin, begin + 2 * SECOND)
    assert alone.clip(*stored).status_code == 200
    disk.set(True)
    until(lambda: alone.state("cam")["condition"] == "spool-failing", 30, "it says why")
    assert alone.state("cam")["cause"] == "node"
    alone.http.timeout = 10
    for path in ("/healthz", "/readyz", "/metrics", "/api/v1/cameras"):
        assert alone.http.get(path).status_code == 200, path
    assert alone.clip(*stored).status_code == 200
    assert "does not answer" in alone.http.get("/readyz").json()["checks"]["spool"]
    assert alone.timeline("cam")["gaps"][-1]["cause"] == "node"
    disk.set(False)
    until(lambda: alone.state("cam")["state"] == "recording", 30, "it goes on")
    until(lambda: alone.timeline("cam")["spans"][1:], 30, "what comes then is found")
    assert alone.stop() == 0


@pytest.mark.parametrize("known", [False, True])
def test_a_node_whose_spool_hangs_ends_when_it_is_told_to(
    alone: Node, disk: Hanging, known: bool
) -> None:
    """Whether it has found out that the disk hangs, or is told in that moment."""
    alone.add("cam", CAMERA)
    alone.recording("cam", 60)
    disk.set(True)
    if known:
        until(lambda: alone.state("cam")["condition"] == "spool-failing", 30, "it says why")
    begun = time.monotonic()
    assert alone.stop(90) == 0
    assert time.monotonic() - begun < 60


def test_a_node_whose_catalog_hangs_ends_when_it_is_told_to(tmp_path: Path) -> None:
    disk, node = Hanging(tmp_path / "disk", "/catalog.db"), Node(tmp_path / "node")
    node.env |= disk.env
    try:
        node.start()
        node.add("cam", CAMERA)
        node.recording("cam", 60)
        disk.set(True)
        begun = time.monotonic()
        assert node.stop(90) == 0
        assert time.monotonic() - begun < 40, "of all that it waits for none is waited for anew"
    finally:
        disk.set(False)
        node.close()


@pytest.mark.xdist_group("pg")
def test_a_node_whose_spool_hangs_leaves_its_streams_to_another(
    tmp_path: Path, postgres: Postgres, h264_file: Path, disk: Hanging
) -> None:
    site = SharedSite(tmp_path, postgres.database(), h264_file, ("n1", "n2"))
    first, second = site.nodes.values()
    first.env |= disk.env
    try:
        first.start()
        first.add("cam", site.camera.url("cam"))
        first.recording("cam", 60)
        second.start()
        disk.set(True)
        until(second.ffmpegs, 40, "the other records it")
        until(lambda: second.state("cam")["state"] == "recording", 40, "and says so")
        said = second.run("node", "list").stdout
        assert "ITS SPOOL TAKES NOTHING" in said, said
        disk.set(False)
        until(lambda: "TAKES NOTHING" not in second.run("node", "list").stdout, 40, "it is back")
    finally:
        disk.set(False)
        site.close()
