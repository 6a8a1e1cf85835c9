"""Cameras whose stamps and reports do not tell the time."""

from __future__ import annotations

import pytest

from tests.support.camera_habits import NO_REPORTS, Habits, Reports, Stamps, Track, wrapping
from tests.support.habits import Recording

SECONDS = 35


def stamped(stamps: Stamps, speed: float = 1.0) -> Habits:
    """A camera without sound."""
    return Habits(tracks=(Track("plain", stamps=stamps),), speed=speed)


def reporting(reports: Reports) -> Habits:
    """A camera with sound, for which the reports matter."""
    return Habits(tracks=(Track("plain"), Track("PCMA")), reports=reports)


STAMPS = {
    "slow": stamped(Stamps(speed=21 / 25), speed=21 / 25),
    "fast": stamped(Stamps(speed=1.02)),
    "forward": stamped(Stamps(jumps=((12, 3.0),))),
    "back": stamped(Stamps(jumps=((12, -3.0),))),
    "to-zero": stamped(Stamps(restarts=((12, 0),))),
    "wrap": stamped(wrapping(after_s=15)),
    "hour-forward": stamped(Stamps(jumps=((12, 3600.0),))),
    "hour-back": stamped(Stamps(jumps=((12, -3600.0),))),
    "third": stamped(Stamps(speed=1 / 3)),
    "tenth": stamped(Stamps(speed=0.1)),
}
REPORTS = {
    "never": reporting(NO_REPORTS),
    "jitter-30": reporting(Reports(jitter_s=0.03)),
    "jitter-50": reporting(Reports(jitter_s=0.05)),
    "set-back": reporting(Reports(steps=((12, -3.0),))),
    "set-forward": reporting(Reports(steps=((12, 3.0),))),
    "1970": reporting(Reports(ntp="1970")),
    "zero": reporting(Reports(ntp="zero")),
}
FROZEN = {"frozen": stamped(Stamps(frozen=((12, 15),)))}
CAMERAS = {**STAMPS, **REPORTS, **FROZEN}

pytestmark = [pytest.mark.xdist_group("habits-clocks"), pytest.mark.long]


@pytest.mark.parametrize("name", STAMPS)
def test_pictures_stay_where_they_were_sent_whatever_their_stamps_say(
    name: str, recording: Recording
) -> None:
    assert recording.seen(name).faults() == []


@pytest.mark.parametrize("name", REPORTS)
def test_pictures_stay_where_they_were_sent_whatever_the_reports_say(
    name: str, recording: Recording
) -> None:
    # one report too early by 50 ms, the next too late: stamps between differ by 0.1 s themselves
    far = name == "jitter-50"
    seen = recording.seen(name, guesses=1)
    assert seen.faults(most_runs=2, placed=not far) == []
    assert max(abs(one) for one in seen.taken) <= 0.1 + 0.02 * far


def test_no_picture_is_lost_while_the_stamps_stand_still(recording: Recording) -> None:
    seen = recording.seen("frozen")
    assert seen.faults(exact=False, placed=False) == []
    assert seen.missing == ()
