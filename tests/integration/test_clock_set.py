"""A clock that is set, back or ahead, keeps a node from nothing that it does from time to time."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder.model.timebase import SECOND
from tests.support.leaping import Leaping
from tests.support.nodes import Node
from tests.support.ports import until


@pytest.mark.parametrize("step_s", [-3600, -7300 * 86400, 3600, 7300 * 86400])
def test_a_camera_is_recorded_that_is_added_after_the_clock_was_set(
    tmp_path: Path, step_s: int
) -> None:
    clock = Leaping(tmp_path / "clock")
    node = Node(tmp_path / "node")
    node.env |= clock.env
    try:
        node.start()
        node.add("one", "lavfi:testsrc2=rate=10:size=320x180")
        until(lambda: len(node.ffmpegs()) == 1, 30, "a camera is found")
        clock.set(step_s * SECOND)
        node.add("two", "lavfi:testsrc2=rate=10:size=320x180")
        until(lambda: len(node.ffmpegs()) == 2, 30, "another is")
    finally:
        node.close()
