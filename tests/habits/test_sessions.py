"""Cameras that end sessions, fall silent, refuse, and describe themselves oddly."""

from __future__ import annotations

import math

import pytest

from tests.support.camera_habits import Habits, Reports, Track
from tests.support.habits import Recording

SECONDS = 35

STEADY = {
    "no-parameters": Habits(parameter="454", timeout_s=10),
    "redirect": Habits(redirects=True, user="admin:12345"),
    "basic": Habits(user="admin:12345", scheme="Basic"),
    "described-only": Habits(sets="never"),
    "in-band-only": Habits(sprop=False),
    "own-picture": Habits(sets="own"),
    "no-marker": Habits(marker=False),
    "late": Habits(tracks=(Track("plain", sends=((3.5, math.inf),)),)),
    "two-videos": Habits(tracks=(Track("x265-closed"), Track("plain"))),
}
ENDING = {
    "ends-10": Habits(session_s=10),
    "ends-6-twice": Habits(session_s=6, sets="twice"),
    "asked-and-ended": Habits(parameter="close", timeout_s=16),
}
CAMERAS = {
    **STEADY,
    **ENDING,
    "refuses": Habits(session_s=10, refused=(2,)),
    "stalls": Habits(tracks=(Track("plain", sends=((0, 10), (20, math.inf))),)),
    "loses": Habits(drop_every=100, reports=Reports(period_s=1.0)),
    "overtakes": Habits(swap_every=40),
}
DOCUMENTS = {"loses": {"transport": "udp"}, "overtakes": {"transport": "udp"}}

pytestmark = [pytest.mark.xdist_group("habits-sessions"), pytest.mark.long]


@pytest.mark.parametrize("name", STEADY)
def test_what_is_merely_odd_costs_nothing(name: str, recording: Recording) -> None:
    # what it offers, and how late its pictures come, is learnt from a first session
    guesses = int(name in ("two-videos", "late"))
    seen = recording.seen(name, guesses=guesses)
    assert seen.faults(most_runs=1 + guesses, ends=name == "late") == []
    assert set(seen.conditions) <= {"timeout"}


@pytest.mark.parametrize("name", ENDING)
def test_after_a_session_that_brought_footage_the_next_is_asked_for_at_once(
    name: str, recording: Recording
) -> None:
    seen = recording.seen(name)
    assert seen.faults(most_runs=len(seen.returns) + 1, ends=True) == []
    assert max(seen.returns) < 1.0
    assert {gap.cause for gap in seen.gaps} == {"source"}
    assert "parameters-changed" not in seen.conditions


def test_a_camera_that_refuses_one_session_is_asked_again(recording: Recording) -> None:
    seen = recording.seen("refuses")
    assert seen.sessions >= 2
    assert seen.faults(most_runs=9, ends=True) == []


def test_silence_is_a_gap_and_its_cause_is_a_stall(recording: Recording) -> None:
    seen = recording.seen("stalls")
    assert seen.faults(most_runs=9, ends=True) == []
    assert [gap.cause for gap in seen.gaps] == ["stall"]


@pytest.mark.parametrize("name", ["loses", "overtakes"])
def test_a_bad_line_costs_what_it_loses_and_no_session(name: str, recording: Recording) -> None:
    seen = recording.seen(name)
    assert seen.faults(exact=False) == []
    assert len(seen.missing) <= seen.sent * 0.05
