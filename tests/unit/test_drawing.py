"""Pictures are made a few at a time; whoever comes beyond is told to come again."""

from __future__ import annotations

import threading

import pytest

from recorder import telemetry
from recorder.api.drawing import Turns
from recorder.api.problems import problem_of
from recorder.errors import UnavailableError


def refused() -> float:
    return float(telemetry.DRAWING_REFUSED._value.get())


def test_beyond_those_that_are_made_and_those_that_wait_nobody_waits() -> None:
    turns, before, drawn = Turns(1, 1, 60), refused(), threading.Event()
    waits = threading.Thread(target=lambda: take(turns, drawn))
    with turns.take():
        assert telemetry.DRAWING._value.get() == 1
        waits.start()
        while turns._here._value:  # it is about to wait
            pass
        with (
            pytest.raises(UnavailableError, match="1 picture is being made") as caught,
            turns.take(),
        ):
            pass
        assert not drawn.is_set()
    waits.join(10)
    assert (drawn.is_set(), refused() - before) == (True, 1)
    assert telemetry.DRAWING._value.get() == 0
    answer = problem_of(caught.value)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    with turns.take(), pytest.raises(ZeroDivisionError):
        _ = 1 / 0
    with turns.take():
        pass


def take(turns: Turns, done: threading.Event) -> None:
    with turns.take():
        done.set()


def test_who_waited_in_vain_is_told_so_and_leaves_his_place() -> None:
    turns = Turns(1, 1, 0)
    with turns.take():
        for _ in range(3):
            with pytest.raises(UnavailableError), turns.take():
                pass
    with turns.take():
        pass
