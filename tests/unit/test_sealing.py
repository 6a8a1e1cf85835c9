"""Sealing places a file in time by when its bytes arrived."""

from __future__ import annotations

import itertools
import random
import subprocess
from array import array
from dataclasses import replace
from pathlib import Path

import pytest

from recorder import index
from recorder.bmff.init import read_init
from recorder.errors import MalformedMedia
from recorder.model.runs import Run
from recorder.model.timebase import MS, SECOND
from recorder.sealing import describe, follower_of, seal, survey
from recorder.segment.mend import missing_frames
from tests.support.make import STREAM, T0, raw
from tests.support.media import FF9

RUN = Run(STREAM, "n1", 1, 1, T0, "node", "file:test")


@pytest.fixture(scope="module")
def body(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Ten seconds in fragments of two."""
    path: Path = tmp_path_factory.mktemp("seal") / "ten.mp4"
    subprocess.run(
        [FF9, "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25", "-t", "10",
         "-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-movflags",
         "empty_moov+default_base_moof+frag_keyframe+skip_trailer", str(path)], check=True,
    )  # fmt: skip
    return path.read_bytes()


def test_a_file_closed_long_after_a_silence_ends_where_the_silence_began(body: bytes) -> None:
    ends = index.scan(body, read_init(body)).table.ends
    # seconds 2, 4, 6 were written as their followers came; then silence, and a late close
    arrivals = [(ends[i], T0 + (2 * i + 2) * SECOND) for i in range(3)]
    (found,) = describe(raw(body, *arrivals, (len(body), T0 + 25 * SECOND)), RUN, None)
    assert abs(found.segment.start - T0) < MS
    assert abs(found.segment.end - T0 - 10 * SECOND) < MS


def test_the_least_late_arrival_places_a_file(body: bytes) -> None:
    ends = index.scan(body, read_init(body)).table.ends
    arrivals = [
        (ends[0] + 5, T0 + 2 * SECOND + 900 * MS),
        (ends[1], T0 + 4 * SECOND + 20 * MS),
        (100, T0 - SECOND),  # not even a fragment: says nothing
    ]
    closed = (len(body), T0 + 10 * SECOND + 400 * MS)
    (found,) = describe(raw(body, *arrivals, closed), RUN, None)
    assert abs(found.segment.start - T0 - 20 * MS) < MS


@pytest.mark.parametrize("held", [0, 1])
def test_what_came_of_the_next_file_tells_the_rate_of_a_first_one(body: bytes, held: int) -> None:
    def at(media_s: float) -> int:
        return T0 + round(1.2 * media_s * SECOND)  # stamps that run too slowly

    run = replace(RUN, source="rtsp://test" if held else RUN.source)
    assert run.held == held
    ends = index.scan(body, read_init(body)).table.ends
    late = [(ends[i], at(2 * i + 2 + held / 25)) for i in range(3)]
    first = raw(body, (ends[0], late[0][1]), (len(body), at(10 + held / 25)))
    assert first.follower is not None
    came = follower_of(body, late)
    assert came is not None
    ahead = tuple((media + 10 * SECOND, wall + at(10) - T0) for media, wall in came.came)
    (found,) = describe(replace(first, follower=replace(first.follower, came=ahead)), run, None)
    assert abs(found.segment.start - T0) < 2 * MS
    assert abs(found.segment.end - at(10)) < 2 * MS


def test_a_clock_that_was_set_back_between_two_files_ends_a_span(tmp_path: Path) -> None:
    options = (
        "movflags=empty_moov+default_base_moof+frag_keyframe+frag_discont"
        ":avoid_negative_ts=disabled"
    )
    subprocess.run(
        [FF9, "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25", "-t", "20",
         "-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "50",
         "-f", "segment", "-segment_time", "10", "-segment_format_options", options,
         str(tmp_path / "%d.mp4")], check=True,
    )  # fmt: skip
    one, two = ((tmp_path / f"{number}.mp4").read_bytes() for number in range(2))
    (first,) = describe(raw(one, (len(one), T0 + 10 * SECOND)), RUN, None)
    for off, new in ((0, False), (-5, True)):
        closed = (len(two), T0 + (20 + off) * SECOND)
        (found,) = describe(raw(two, closed, number=1), RUN, first.state)
        assert found.new_span == new, off
        assert found.segment.counter == (0 if new else 1)
        assert abs(found.segment.end - closed[1]) < MS


def test_unwatched_a_file_ends_when_its_last_byte_came(body: bytes) -> None:
    (found,) = describe(raw(body, (len(body), T0 + 10 * SECOND)), RUN, None)
    assert found.segment.end == T0 + 10 * SECOND


def _track(steps: list[int]) -> index.TrackFrames:
    q = array("q")
    dts = array("q", [0, *itertools.accumulate(steps)])
    zero = array("q", [0]) * len(dts)
    return index.TrackFrames(dts, zero, zero, zero, zero, zero, q)


@pytest.mark.parametrize("field", [b"tfdt", b"trun", b"tfhd", b"tkhd", b"mdhd", b"avcC", b"stsd"])
def test_a_damaged_file_is_sealed_or_called_damaged_and_nothing_else(
    body: bytes, field: bytes
) -> None:
    chance = random.Random(field)
    places = {body.index(field), body.rindex(field)}
    for _ in range(60):
        lying = bytearray(body)
        at = chance.choice(sorted(places)) + len(field)
        for _ in range(chance.choice([1, 3])):
            lying[at + chance.randrange(24)] = chance.choice([0, 0x7F, 0x80, 0xFF])
        file = replace(raw(body, (len(body), T0)), video=bytes(lying))
        try:
            survey(file.video)
            assert seal(file, RUN, None, bytes).segments
        except MalformedMedia:
            continue


@pytest.mark.parametrize(
    ("steps", "missing"),
    [
        ([3600] * 100, 0),
        ([3600] * 50 + [10800] + [3600] * 50, 2),
        ([3000, 6000] * 50, 0),  # an unsteady stream says nothing
        ([], 0),
        ([1], 0),
    ],
)
def test_missing_frames_are_counted_on_steady_streams(steps: list[int], missing: int) -> None:
    assert missing_frames(_track(steps)) == missing
