"""Sound goes with the picture that came when it did, whatever their stamps say."""

from __future__ import annotations

import itertools
import os
import struct
import subprocess
from array import array
from collections.abc import Sequence
from pathlib import Path

import pytest

from recorder import index
from recorder.bmff.init import read_init
from recorder.capture.command import Tracks
from recorder.capture.growth import Growth
from recorder.capture.health import habits_in
from recorder.capture.sealer import Sealer
from recorder.model.clocks import Observation
from recorder.model.timebase import MS, SECOND, Instant
from recorder.sealing import SegmentHealth
from recorder.segment.astray import SOUND_LATE_NS, Heard, Move, moves, spread
from recorder.segment.sound import read_sound
from recorder.spool.disk import Spool
from tests.support import media
from tests.support.make import T0
from tests.support.shelf import RUN, capture, make_film, sealed

FRAME = 1024
SCALE = 8000


def at(media_ns: int) -> Instant:
    """Where the picture's ruler puts an instant."""
    return T0 + media_ns


def moved(
    dts: Sequence[int], came: Sequence[tuple[int, int]], pictures: Sequence[Observation] = ()
) -> list[Move]:
    """Move sound of which frame ``i`` came at ``T0 + ns``."""
    heard = [Heard(i, dts[i] * SECOND // SCALE, T0 + ns) for i, ns in came]
    return moves(dts, heard, at, pictures, at)


STEADY = list(range(0, 60 * FRAME, FRAME))


def usual(frame: int, off_ns: int = 0) -> tuple[int, int]:
    return frame, frame * FRAME * SECOND // SCALE + SOUND_LATE_NS + off_ns


def test_sound_that_comes_a_little_late_is_where_its_stamps_say() -> None:
    assert moved(STEADY, [usual(16), usual(32, 2 * SECOND), usual(48, -200 * MS)]) == []


def test_sound_whose_stamps_leap_is_moved_back_from_there_on() -> None:
    leapt = [*STEADY[:20], *(at + 3600 * SCALE for at in STEADY[20:])]
    assert moved(leapt, [usual(16), usual(32), usual(48)]) == [(20, -3600 * SECOND)]


def test_sound_is_moved_after_a_picture_that_leapt() -> None:
    assert moved(STEADY, [usual(16, 3600 * SECOND), usual(32, 3601 * SECOND)]) == [
        (0, 3600 * SECOND)
    ]


def test_a_node_that_was_late_with_both_moves_nothing() -> None:
    pictures = [(2 * SECOND, T0 + 7 * SECOND)]
    assert moved(STEADY, [usual(16, 5 * SECOND)], pictures) == []
    assert moved(STEADY, [usual(16, 5 * SECOND)]) != []


def test_sound_that_waited_for_the_next_to_be_written_moves_nothing() -> None:
    waited = Heard(60, STEADY[-1] * SECOND // SCALE, T0 + 3600 * SECOND, latest=True)
    assert moves(STEADY, [waited], at, (), at) == []
    early = Heard(60, 3600 * SECOND, T0 + 8 * SECOND, latest=True)
    assert [by for _, by in moves(STEADY, [early], at, (), at)] == [-3592 * SECOND - SOUND_LATE_NS]


def test_squeezed_sound_lasts_as_long_as_it_did() -> None:
    assert list(spread([5, 6, 7, 8, 9])) == [5 + i * FRAME for i in range(5)]
    jitter = array("q", [0, 1024, 1025, 3072, 4096])
    assert spread(jitter) == jitter, "one that repeats a stamp is left"


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine seconds with AAC."""
    return make_film(tmp_path_factory.mktemp("film"))


def leap(path: Path, by_s: int) -> None:
    """Have all stamps of a file leap."""
    data, facts, place = bytearray(path.read_bytes()), path.stat(), 0
    scale = read_init(data).tracks[0].timescale
    while (place := data.find(b"tfdt", place) + 8) > 8:
        (stamp,) = struct.unpack_from(">q", data, place)
        struct.pack_into(">q", data, place, stamp + by_s * scale)
    path.write_bytes(data)
    os.utime(path, ns=(facts.st_mtime_ns, facts.st_mtime_ns))


def test_sound_that_leapt_is_sealed_with_its_picture(film: Path, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    folder = spool.open_run(RUN)
    capture(film, folder, Tracks(sounds=("copy",)))
    for _, path in spool.sounds(folder)[1:]:
        leap(path, 3600)
    for segment, path in sealed(spool, folder)[:-1]:  # the last is shorter than its arrival says
        data = path.read_bytes()
        init = read_init(data)
        track = index.scan(data, init).table.tracks[1]
        begin, scale = segment.media_start / segment.timescale, init.tracks[1].timescale
        assert begin - 1 <= track.dts[0] / scale <= begin + 1
        assert len(track.dts) > scale / FRAME  # of two seconds


def test_sound_is_never_stored_beside_a_picture_of_another_time(film: Path, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    folder = spool.open_run(RUN)
    capture(film, folder, Tracks(sounds=("copy",)))
    for path in spool.files(folder)[2:]:
        leap(path, 3600)
    for segment, path in sealed(spool, folder):
        data = path.read_bytes()
        init = read_init(data)
        for track, info in zip(index.scan(data, init).table.tracks, init.tracks, strict=True):
            begin = segment.media_start / segment.timescale
            assert all(begin - 1 <= at / info.timescale <= begin + 3 for at in track.dts)


def test_a_file_of_squeezed_sound_is_read_as_long_as_it_lasted(tmp_path: Path) -> None:
    path = tmp_path / "squeezed.mp4"
    subprocess.run(
        [media.FF9, "-v", "error", "-f", "lavfi", "-i", "sine=r=8000:d=2", "-c:a", "aac",
         "-bsf:a", "setts=ts=N+7", "-movflags", "+empty_moov+default_base_moof+frag_discont",
         str(path)], check=True,
    )  # fmt: skip
    found = read_sound(path.read_bytes(), 0, 0)
    assert found is not None
    assert {b - a for a, b in itertools.pairwise(found.frames.dts)} == {FRAME}
    assert found.end_ns >= 2 * SECOND


def test_sound_astray_is_a_habit_that_is_shown() -> None:
    health = SegmentHealth(60 * SECOND, 1500, 0, True, 1.0, 0, 2 * SECOND, astray=True)
    assert habits_in(health) == ("sound-astray",)


def test_sound_that_came_long_ago_does_not_lie_in_the_spool_for_its_stamps(
    film: Path, tmp_path: Path
) -> None:
    spool = Spool(tmp_path / "spool")
    folder = spool.open_run(RUN)
    capture(film, folder, Tracks(sounds=("copy",)))
    ahead = [path for _, path in spool.sounds(folder)][1:3]
    for path in ahead:
        leap(path, 3600)
    os.utime(ahead[0], ns=(T0 - 20 * SECOND, T0 - 20 * SECOND))
    Sealer(spool, lambda _: None).seal_file(spool.files(folder)[0], RUN)
    assert [path.exists() for path in ahead] == [False, True]


def test_when_sound_came_is_noted_now_and_then(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    folder = spool.open_run(RUN)
    path = folder / "sound0" / "000000.mp4"
    path.parent.mkdir(exist_ok=True)
    growth = Growth(folder, spool, 0.0)
    for tick in range(1, 10):
        path.write_bytes(bytes(1000 * tick))
        os.utime(path, ns=(T0 + tick, T0 + tick))
        growth.look(tick / 2)
    assert spool.arrivals(path) == [(4000, T0 + 4), (8000, T0 + 8)]
