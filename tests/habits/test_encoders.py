"""The streams that encoders make."""

from __future__ import annotations

import pytest

from tests.support.camera_habits import Habits, Track
from tests.support.habits import Recording

SECONDS = 35


def encoded(name: str) -> Habits:
    """A camera that sends one encoding and nothing else."""
    return Habits(tracks=(Track(name),))


JOINED = ("baseline", "bframes", "pyramid", "open-gop", "intra-refresh", "slices", "interlaced",
          "ten-bit", "x265", "x265-closed")  # fmt: skip
SPLIT = {
    "slices-split": Habits(tracks=(Track("slices"),), sets="slice"),
    "threads-split": Habits(tracks=(Track("sliced-threads"),), sets="slice"),
}
CAMERAS = {
    **{name: encoded(name) for name in JOINED},
    "bframes-aac": Habits(tracks=(Track("bframes"), Track("AAC"))),
    "long-gop": Habits(tracks=(Track("long-gop"),), begins="now"),
    **SPLIT,
}
GUESSES = ("x265", "x265-closed", "bframes-aac")
"""One session may tell that it is H.265, or that there is sound."""
REORDERED = ("bframes", "bframes-aac", "pyramid", "open-gop", "x265")

pytestmark = [pytest.mark.xdist_group("habits-encoders"), pytest.mark.long]


@pytest.mark.parametrize("name", [name for name in CAMERAS if name not in SPLIT])
def test_clips_and_stills_show_the_very_pictures_of_their_time(
    name: str, recording: Recording
) -> None:
    guesses = int(name in GUESSES)
    seen = recording.seen(name, guesses=guesses)
    assert seen.faults(most_runs=1 + guesses, reordered=name in REORDERED) == []


@pytest.mark.parametrize("name", SPLIT)
def test_a_picture_that_comes_in_parts_with_one_stamp_ends_no_session(
    name: str, recording: Recording
) -> None:
    # decoders take each part for a picture, so that not one is exact
    assert recording.seen(name).faults(exact=False, placed=False) == []
