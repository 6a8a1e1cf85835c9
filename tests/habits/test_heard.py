"""Sound is heard with the pictures that were taken when it was."""

from __future__ import annotations

import pytest

from recorder.model.timebase import parse_instant
from tests.support.camera_habits import NO_REPORTS, Habits, Reports, Stamps, Track
from tests.support.habits import Recording
from tests.support.heard import heard
from tests.support.live import SECOND

SECONDS = 40
CLICKS = Track("clicks")
HOUR_ON, HOUR_BACK = Stamps(jumps=((12, 3600.0),)), Stamps(jumps=((12, -3600.0),))

TRUE = {
    "plain": Habits(tracks=(Track(), CLICKS)),
    "x265": Habits(tracks=(Track("x265"), CLICKS)),
    "ends": Habits(tracks=(Track(), CLICKS), session_s=9),
    "set-forward": Habits(tracks=(Track(), CLICKS), reports=Reports(steps=((12, 3600.0),))),
}
ASTRAY = {
    "sound-on": Habits(tracks=(Track(), Track("clicks", stamps=HOUR_ON)), reports=NO_REPORTS),
    "sound-on-and-back": Habits(tracks=(Track(), Track("clicks", stamps=HOUR_ON))),
    "picture-on": Habits(tracks=(Track(stamps=HOUR_ON), CLICKS), reports=NO_REPORTS),
    "picture-back": Habits(tracks=(Track(stamps=HOUR_BACK), CLICKS), reports=NO_REPORTS),
    "set-back": Habits(tracks=(Track(), CLICKS), reports=Reports(steps=((12, -3600.0),))),
}
CAMERAS = {**TRUE, **ASTRAY}
pytestmark = [pytest.mark.xdist_group("habits-heard"), pytest.mark.long]


def offsets(name: str, recording: Recording) -> list[float]:
    """Say how far from a whole second of the camera each click is heard; all of its footage."""
    found = []
    for span in recording.node.timeline(name)["spans"]:
        begin, end = parse_instant(span["start"]), parse_instant(span["end"])
        path = recording.folder / f"{name}-heard.mp4"
        recording.node.save_clip(path, name, begin, end)
        since = (begin - recording.cameras[name].uptime.wall_ns) / SECOND
        found += [(since + at + 0.5) % 1 - 0.5 for at in heard(path)]
    return found


@pytest.mark.parametrize("name", TRUE)
def test_sound_stands_where_it_was_heard(name: str, recording: Recording) -> None:
    found = offsets(name, recording)
    # where a session begins or ends some of a click may be cut off
    assert sum(abs(one) <= 0.1 for one in found) >= len(found) - recording.cameras[name].sessions
    assert len(found) >= 0.95 * recording.node.footage_s(name) - 4


@pytest.mark.parametrize("name", ASTRAY)
def test_sound_whose_stamps_have_parted_from_the_pictures_is_heard_nearly_with_them(
    name: str, recording: Recording
) -> None:
    found = offsets(name, recording)
    # of four seconds, a segment, up to one may lack
    assert len(found) >= 0.6 * recording.node.footage_s(name)
