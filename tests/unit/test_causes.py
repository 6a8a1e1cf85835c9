"""Why footage is missing: one place that says so, and what it says."""

from __future__ import annotations

import ast
import errno
import json
from pathlib import Path

import pytest

from recorder.capture.lines import ADVICE
from recorder.capture.starting import condition_of
from recorder.capture.state import StreamState
from recorder.errors import ConfigError, SpoolFull
from recorder.model.causes import Cause, cause_of_start
from recorder.model.timebase import SECOND
from tests.support.make import T0

ROOT = Path(__file__).parents[2] / "recorder"


def test_a_cause_is_written_as_its_value() -> None:
    assert json.dumps({"cause": Cause.SPOOL_FULL}) == '{"cause": "spool-full"}'
    assert f"{Cause.NO_EVENT}" == str(Cause.NO_EVENT) == "no-event"


@pytest.mark.parametrize(
    ("exc", "of_program", "of_spool"),
    [
        (OSError(errno.ENOSPC, "x"), "spool-full", "spool-full"),
        (OSError(errno.EDQUOT, "x"), "spool-full", "spool-full"),
        (SpoolFull("x"), "spool-full", "spool-full"),
        (FileNotFoundError(errno.ENOENT, "x"), "no-program", "spool-failing"),
        (OSError(errno.EIO, "x"), "cannot-start", "spool-failing"),
        (OSError(errno.ESTALE, "x"), "cannot-start", "spool-failing"),
        (OSError(errno.EUCLEAN, "x"), "cannot-start", "spool-failing"),
        (OSError(errno.ETIMEDOUT, "x"), "cannot-start", "spool-failing"),
        (PermissionError(errno.EACCES, "x"), "program-refused", "spool-refused"),
        (OSError(errno.EROFS, "x"), "cannot-start", "spool-refused"),
        (OSError(errno.EMFILE, "x"), "no-resources", "no-resources"),
        (BlockingIOError(errno.EAGAIN, "x"), "no-resources", "no-resources"),
        (OSError(errno.ENOMEM, "x"), "no-resources", "no-resources"),
        (ProcessLookupError(errno.ESRCH, "x"), "cannot-start", "cannot-start"),
        (OSError("x"), "cannot-start", "cannot-start"),
        (ConfigError("x"), "cannot-start", "cannot-start"),
    ],
)
def test_only_a_disk_without_room_is_called_full(
    exc: OSError | ConfigError | SpoolFull, of_program: str, of_spool: str
) -> None:
    assert condition_of(exc, program=True) == of_program
    assert condition_of(exc) == of_spool
    for name in (of_program, of_spool):
        assert name in ADVICE
        state = StreamState()
        state.fail(name, "", T0)
        assert state.cause == ("spool-full" if name == "spool-full" else "node")


def test_footage_that_stopped_is_missing_because_of_its_source_unless_a_condition_says_more() -> (
    None
):
    state = StreamState(cause=Cause.NODE)
    state.fail("unreachable", "", T0)
    assert state.cause == Cause.SOURCE, "this node is there now, and the source is not"
    state.fail("spool-full", "", T0)
    state.fail("ended", "", T0 + SECOND)
    assert state.cause == Cause.SPOOL_FULL, "nothing has come since"
    state.begin(T0 + 2 * SECOND)
    state.fail("ended", "", T0 + 3 * SECOND)
    assert state.cause == Cause.SOURCE


def test_before_a_stream_s_first_footage_the_node_its_timetable_or_its_source_was_why() -> None:
    def cause(**more: bool) -> Cause:
        usual = {"first": False, "known": False, "restarted": False, "shared": False}
        return cause_of_start(**(usual | more))

    assert cause(first=True) == cause(first=True, known=True) == Cause.NODE
    assert cause(shared=True) == Cause.NODE, "it was another node's"
    assert cause(known=True) == Cause.OFF_SCHEDULE
    assert cause() == cause(known=True, restarted=True) == Cause.SOURCE
    assert cause(shared=True, restarted=True) == Cause.SOURCE


def test_no_other_place_writes_a_cause_of_its_own() -> None:
    """Where a gap is made, a copy forgotten, or a stream's cause set, it is one of the Enum."""
    words = {cause.value for cause in Cause}
    found = []
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                given = [*node.args, *(one.value for one in node.keywords if one.arg == "cause")]
                asked = name in ("Gap", "forget", "forget_one", "StreamState") or any(
                    one.arg == "cause" for one in node.keywords
                )
            elif isinstance(node, ast.Compare):
                given, asked = node.comparators, getattr(node.left, "attr", "") == "cause"
            else:
                continue
            found += [
                f"{path.name}:{one.lineno}"
                for one in given
                if asked and isinstance(one, ast.Constant) and one.value in words
            ]
    assert found == []
