"""A recorder that tests fork is as one that is started by itself."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from tests.support import forked
from tests.support.nodes import Node

ENV = {**os.environ, "COLUMNS": "80"}
COLD = {**ENV, "SPANSTORE_TEST_LONG": "1"}


@pytest.mark.parametrize("argv", [["--version"], ["nonsense"], ["clip", "none", "--help"]])
def test_it_says_the_same_and_ends_the_same(argv: list[str]) -> None:
    warm, cold = (forked.run(argv, env) for env in (ENV, COLD))
    assert (warm.returncode, warm.stdout, warm.stderr) == (
        cold.returncode, cold.stdout, cold.stderr,
    )  # fmt: skip


def test_it_is_a_process_of_its_own_that_can_be_killed(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SPANSTORE_TEST_LONG", raising=False)
    node.start()
    one = node.process
    assert isinstance(one, forked.Forked)
    assert os.getsid(one.pid) == one.pid
    assert one.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        one.wait(0.01)
    node.kill()
    assert one.returncode == -signal.SIGKILL
    one.terminate()  # what has ended gets no signal
