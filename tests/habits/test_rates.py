"""Cameras that send few pictures, or unevenly."""

from __future__ import annotations

import pytest

from tests.support import streams
from tests.support.camera_habits import Habits, Track
from tests.support.habits import Recording

SECONDS = 40

EVEN = {
    "plain": Habits(),
    "variable": Habits(tracks=(Track("variable"),)),
    "one-a-second": Habits(tracks=(Track("one-a-second"),), begins="now"),
    "one-in-five": Habits(tracks=(Track("one-in-five"),), begins="now"),
    "sizes": Habits(tracks=(Track("sizes"),), sprop=False),
    "x265-sizes": Habits(tracks=(Track("x265-sizes"),), sprop=False),
}
BURSTS = {"burst": Habits(burst_s=1.0)}
CAMERAS = {**EVEN, **BURSTS}

pytestmark = [pytest.mark.xdist_group("habits-rates"), pytest.mark.long]


@pytest.mark.parametrize("name", [name for name in EVEN if name not in streams.TURNS])
def test_a_rate_that_is_low_or_uneven_makes_no_gap_and_no_restart(
    name: str, recording: Recording
) -> None:
    # where there is one in five seconds, how late the first may come is learnt from a session
    seldom = name == "one-in-five"
    seen = recording.seen(name, guesses=int(seldom))
    assert seen.faults(most_runs=1 + seldom, ends=seldom) == []
    assert set(seen.conditions) <= {"timeout"}


def test_no_picture_of_a_burst_is_placed_a_fragment_after_it_has_come(
    recording: Recording,
) -> None:
    seen = recording.seen("burst")
    assert [one for one in seen.faults(punctual=False) if not one.startswith("placed")] == []
    assert max(seen.late) <= 0.55


@pytest.mark.parametrize("name", sorted(streams.TURNS))
def test_a_size_that_changes_within_a_session_costs_no_picture(
    name: str, recording: Recording
) -> None:
    seen = recording.seen(name)
    assert (seen.missing, seen.false_gaps, seen.wrong_clips, seen.wrong_frames) == ((), (), (), ())
