"""A clock that is set, back or ahead, keeps a node from nothing that it does from time to time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.nodes import Node
from tests.support.ports import clock_moved, until


@pytest.mark.parametrize("step", ["-3600s", "-7300d", "+3600s", "+7300d"])
def test_a_camera_is_recorded_that_is_added_after_the_clock_was_set(
    tmp_path: Path, step: str
) -> None:
    shift = tmp_path / "shift"
    shift.write_text("+0s\n")
    node = Node(tmp_path / "node")
    node.env |= {
        "LD_PRELOAD": clock_moved("")["LD_PRELOAD"],
        "FAKETIME_TIMESTAMP_FILE": str(shift), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip
    try:
        node.start()
        node.add("one", "lavfi:testsrc2=rate=10:size=320x180")
        until(lambda: len(node.ffmpegs()) == 1, 30, "a camera is found")
        shift.write_text(f"{step}\n")
        node.add("two", "lavfi:testsrc2=rate=10:size=320x180")
        until(lambda: len(node.ffmpegs()) == 2, 30, "another is")
    finally:
        node.close()
