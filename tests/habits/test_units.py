"""Cameras whose stamps are of another unit than they say, and run much faster than time.

What was kept until somebody came arrives as fast, too: such a rate must be seen for three seconds,
by two files.  A segment of a minute of stamps is long enough; one of four seconds is not.
"""

from __future__ import annotations

import pytest

from tests.habits.test_clocks import stamped
from tests.support.camera_habits import Stamps
from tests.support.habits import Recording

SECONDS, SEGMENT_S = 45, 40

CAMERAS = {
    "microseconds": stamped(Stamps(speed=100 / 9)),
    "thrice": stamped(Stamps(speed=3.0)),
}

pytestmark = [pytest.mark.xdist_group("habits-units"), pytest.mark.long]


@pytest.mark.parametrize("name", CAMERAS)
def test_pictures_stay_where_they_were_sent_whatever_the_unit_of_their_stamps(
    name: str, recording: Recording
) -> None:
    assert recording.seen(name).faults() == []
