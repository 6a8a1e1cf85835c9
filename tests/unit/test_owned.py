"""Two recorders do not run on one spool."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from recorder.errors import SpoolTaken
from recorder.spool.owned import owned

OWNING = """
import sys
from pathlib import Path
from recorder.spool.owned import owned
with owned(Path(sys.argv[1])):
    print("mine", flush=True)
    sys.stdin.read()
"""


def test_a_spool_has_one_owner_until_that_leaves_or_dies(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", OWNING, str(tmp_path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "mine\n"
        with pytest.raises(SpoolTaken, match=f"process {other.pid}"), owned(tmp_path):
            pass
        other.kill()
        other.wait(30)
        with owned(tmp_path):
            pass
    with owned(tmp_path):
        pass
