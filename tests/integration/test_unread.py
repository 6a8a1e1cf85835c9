"""A node whose log nobody takes: it records, answers and stops as any other."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from fcntl import F_SETPIPE_SZ, fcntl
from pathlib import Path
from typing import BinaryIO

import pytest

from tests.support import forked
from tests.support.nodes import Node
from tests.support.ports import until

SOURCE = "lavfi:testsrc2=size=320x240:rate=10"
NOBODY = "rtsp://127.0.0.1:1/nobody"


def unread() -> tuple[BinaryIO, list[int]]:
    """A pipe that holds some lines, and that nobody reads."""
    reads, writes = os.pipe()
    fcntl(writes, F_SETPIPE_SZ, 4096)
    return os.fdopen(writes, "wb"), [reads]


def shut() -> tuple[BinaryIO, list[int]]:
    """A pipe whose reader has ended."""
    reads, writes = os.pipe()
    os.close(reads)
    return os.fdopen(writes, "wb"), []


def full() -> tuple[BinaryIO, list[int]]:
    """A disk without room."""
    return Path("/dev/full").open("wb"), []


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = Node(tmp_path / "n")
    yield made
    made.close()


@pytest.mark.parametrize("where", [unread, shut, full])
def test_a_log_that_nobody_takes_holds_up_nothing(
    node: Node, where: Callable[[], tuple[BinaryIO, list[int]]]
) -> None:
    log, open_ = where()
    with log:
        node.process = forked.start(["serve", "-c", str(node.config)], dict(os.environ), log, log)
    until(node._answers, 60, "node answers")
    node.add("gate", SOURCE)
    for number in range(30):  # each of them says that it fails
        node.add(f"dark{number}", NOBODY)
    until(lambda: node.state("dark29").get("condition") == "unreachable", 60, "all have failed")
    before = node.footage_s("gate")
    node.recording("gate", 30)
    until(lambda: node.footage_s("gate") > before + 4, 30, "recording goes on")
    assert node.http.get("/readyz").status_code == 200
    assert node.stop() == 0
    assert not node.ffmpegs()
    for descriptor in open_:
        os.close(descriptor)
