"""Whatever the sound does, the pictures are recorded."""

from __future__ import annotations

import pytest

from tests.support.camera_habits import NEVER, Habits, Track, Windows
from tests.support.habits import Recording

SECONDS = 35


def beside(*sounds: Track) -> Habits:
    """A plain camera with these tracks after its pictures."""
    return Habits(tracks=(Track("plain"), *sounds))


ON_AND_OFF: Windows = ((0, 5), (9, 14), (20, 26))

CAMERAS = {
    "alaw": beside(Track("PCMA")),
    "ulaw": beside(Track("PCMU")),
    "aac": beside(Track("AAC")),
    "l16": beside(Track("L16")),
    "g726": beside(Track("G726")),
    "no-decoder": beside(Track("G7221")),
    "silent-alaw": beside(Track("PCMA", NEVER)),
    "silent-aac": beside(Track("AAC", NEVER)),
    "ends-early": beside(Track("PCMA", ((0, 8),))),
    "begins-late": beside(Track("PCMA", ((10, 1e9),))),
    "on-and-off": beside(Track("PCMA", ON_AND_OFF)),
    "two-sounds": beside(Track("PCMA"), Track("PCMU", NEVER)),
    "sound-first": Habits(tracks=(Track("PCMA"), Track("plain"))),
    "metadata": beside(Track("metadata")),
}

pytestmark = pytest.mark.xdist_group("habits-sound")


@pytest.mark.parametrize("name", CAMERAS)
def test_every_picture_is_kept_in_its_place_whatever_the_sound_does(
    name: str, recording: Recording
) -> None:
    track = [one.what for one in CAMERAS[name].tracks].index("plain")
    # one session may tell what the sound is
    seen = recording.seen(name, track=track, guesses=1)
    assert seen.faults(most_runs=2) == []
