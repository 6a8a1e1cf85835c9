"""Frames get the times at which they were filmed; what arrivals do not prove is left alone."""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.index import FrameTable, TrackFrames
from recorder.model import clocks
from recorder.model.timebase import MS, SECOND
from recorder.segment.arrival import Follower, observations, written_at
from recorder.segment.mend import Mended, hole_ticks, mend, missing_frames
from tests.support.make import T0

STEP = 3600
PER_FRAGMENT = 12
BUMP = 100
"""Ticks (1 ms) by which ffmpeg moves frames whose stamps do not run on."""


def table_of(dts: Sequence[int], cts: Sequence[int] = ()) -> FrameTable:
    """A table of frames of 100 bytes in fragments of twelve."""
    count = len(dts)
    duration = array("q", [max(0, b - a) for a, b in itertools.pairwise(dts)] + [STEP])
    first = array("q", [*range(0, count, PER_FRAGMENT), count])
    ends = array("q", (100 * at for at in first[1:]))
    q = array("q", [0]) * count
    sync = array("q", [int(i % PER_FRAGMENT == 0) for i in range(count)])
    track = TrackFrames(
        array("q", dts), array("q", [100]) * count, duration, array("q", cts) if cts else q, sync,
        array("q", range(0, 100 * count, 100)), first,
    )  # fmt: skip
    zero = array("q", [0]) * len(ends)
    return FrameTable(array("q", (100 * at for at in first[:-1])), ends, zero, zero, (track,))


def came(table: FrameTable, at: Sequence[int], held: int = 0) -> dict[int, int]:
    """When each fragment was written, if frame ``i`` came at ``at[i]``: with its follower."""
    first = table.tracks[0].first
    arrivals = [
        (table.ends[f], at[min(first[f + 1] + held, len(at) - 1)]) for f in range(len(table.ends))
    ]
    return written_at(table, arrivals, at[held])


def real_time(count: int, step_ns: int = 40 * MS) -> list[int]:
    return [T0 + i * step_ns for i in range(count)]


def mended(
    dts: Sequence[int], at: Sequence[int], cts: Sequence[int] = (), *, opens: bool = False,
    follower: Follower | None = None, held: int = 0,
) -> Mended:  # fmt: skip
    table = table_of(dts, cts)
    written = came(table, at, held) if at else {}
    return mend(table, 0, 90_000, written, opens=opens, follower=follower, held=held)


def steps(track: TrackFrames) -> list[int]:
    shown = sorted(a + b for a, b in zip(track.dts, track.cts, strict=True))
    return [b - a for a, b in itertools.pairwise(shown)]


@pytest.mark.parametrize("wrong", [[0, 1], [0, 1, 2, 3], [0, 5 * STEP]])
def test_the_first_frames_of_a_session_stand_one_step_before_the_next(wrong: list[int]) -> None:
    begin = wrong[-1] if wrong[-1] > STEP else 0
    dts = [*wrong, *range(begin + STEP, begin + 100 * STEP, STEP)]
    found = mended(dts, (), opens=True).track
    assert all(abs(step - STEP) <= BUMP for step in steps(found))
    assert found.dts[len(wrong) :] == array("q", dts[len(wrong) :]), "the steady ones stay"
    assert missing_frames(found, opens=True) == 0


def test_a_first_picture_without_a_stamp_is_shown_before_the_ones_that_need_it() -> None:
    # I P B B P B B as ffmpeg writes them over RTSP: the I's shown time is its decode time
    dts = [-3600 + i * STEP for i in range(61)]
    cts = [0] + [4 * STEP, STEP, STEP] * 20
    found = mended(dts, (), cts, opens=True).track
    assert set(steps(found)) == {STEP}
    assert (
        min(a + b for a, b in zip(found.dts, found.cts, strict=True))
        == found.dts[0] + (found.cts[0])
    )


@pytest.mark.parametrize("count", [2, 3, 5, 9])
@pytest.mark.parametrize("looked_at", [2, 4, 9])
def test_the_first_of_few_pictures_is_shown_one_step_before_the_second(
    count: int, looked_at: int
) -> None:
    # The camera sent nothing for 4.5 s after PLAY, which is where ffmpeg puts the first picture;
    # it guesses decode times of those that it looked at before it began.
    step, late = 5 * 90_000, 405_000
    dts = [i * step + late * (i >= looked_at) for i in range(count)]
    cts = [0] + [late * (i < looked_at) for i in range(1, count)]
    found = mended(dts, (), cts, opens=True).track
    assert set(steps(found)) == {step}
    assert found.cts[0] == late


def test_first_pictures_that_ffmpeg_pushed_behind_are_shown_in_their_order() -> None:
    # I P B B P B B, one of whose decode times was guessed two steps too high at first
    true_dts = [(i - 2) * STEP for i in range(101)]
    true_cts = [STEP] + [3 * STEP, 0, 0] * 16 + [3 * STEP] + [STEP, *[3 * STEP, 0, 0] * 17][:51]
    dts = [-STEP, 0, 1, 2, 3, *true_dts[5:]]
    shown = [a + b for a, b in zip(true_dts, true_cts, strict=True)]
    wrong = [dts[0], 0, 1, 2]  # what is shown before it is decoded is pushed to then
    cts = [at - stamp for at, stamp in zip(wrong, dts, strict=False)]
    cts += [at - stamp for at, stamp in zip(shown[4:], dts[4:], strict=True)]
    table = table_of(dts, cts)
    table.tracks[0].sync[50] = 1
    found = mend(table, 0, 90_000, {}, opens=True, follower=None, held=0).track
    told = [a + b for a, b in zip(found.dts, found.cts, strict=True)]
    assert [abs(a - b) <= BUMP for a, b in zip(told, shown, strict=True)] == [True] * 101
    assert all(b >= 0 for b in found.cts)


def test_a_session_that_varies_keeps_its_first_frames() -> None:
    dts = list(itertools.accumulate([0, *[3600, 7200] * 40]))
    assert mended(dts, (), opens=True).track.dts == array("q", dts)


def test_stamps_that_go_back_three_seconds_are_timed_by_when_the_frames_came() -> None:
    # ffmpeg puts each frame one tick after the one before until the stamps have caught up
    before = [i * STEP for i in range(120)]
    squeezed = [before[-1] + 1 + i for i in range(75)]
    after = [before[-1] + (i + 1) * STEP for i in range(100)]
    dts = before + squeezed + after
    found = mended(dts, real_time(len(dts)))
    assert all(abs(step - STEP) <= BUMP for step in steps(found.track))
    assert abs(found.shift - 75 * STEP) <= BUMP, (
        "what follows lies three seconds later than its stamps"
    )


@pytest.mark.parametrize("opens", [True, False])
def test_a_file_all_of_whose_stamps_are_squeezed_is_spread_to_its_end(opens: bool) -> None:
    dts = [7_000_000 + i for i in range(100)]
    table, at = table_of(dts), real_time(101)
    written = written_at(table, [(end, at[min(100, 12 * (f + 1))]) for f, end in
                                 enumerate(table.ends)], None if opens else at[0])  # fmt: skip
    found = mend(table, 0, 90_000, written, opens=opens, follower=Follower(dts[-1] + 1, 0), held=0)
    assert set(steps(found.track)) == {STEP}
    assert found.leap


def test_stamps_that_count_whole_seconds_are_timed_by_when_the_frames_came() -> None:
    dts = [i // 25 * 90_000 + i % 25 for i in range(200)]
    follower = Follower(8 * 90_000, 8 * 90_000, squeezed=True)
    assert set(steps(mended(dts, real_time(201), follower=follower).track)) == {STEP}


@pytest.mark.parametrize("held", [0, 1, 2])
def test_the_first_frames_of_a_squeezed_file_are_spread_though_ffmpeg_held_some_back(
    held: int,
) -> None:
    dts = [7_000_000 + i for i in range(100)]
    follower = Follower(dts[-1] + 1, dts[-1] + 1, squeezed=True)
    found = mended(dts, real_time(103), follower=follower, held=held)
    assert set(steps(found.track)) == {STEP}
    assert found.leap


@pytest.mark.parametrize("count", [2, 3, 4])
def test_the_few_frames_of_a_last_file_are_spread_when_nothing_else_is_there(count: int) -> None:
    dts = [7_000_000 + i for i in range(count)]
    table, at = table_of(dts), real_time(count + 2)
    written = written_at(table, [(table.ends[-1], at[-1])], at[1])
    found = mend(table, 0, 90_000, written, opens=False, follower=None, held=1)
    assert set(steps(found.track)) == {STEP}


def test_the_last_frame_before_a_squeezed_file_lasts_as_long_as_any() -> None:
    dts = [i * STEP for i in range(100)]
    follower = Follower(dts[-1] + 1, dts[-1] + 1, squeezed=True)
    found = mended(dts, real_time(101), follower=follower)
    assert set(found.track.duration) == {STEP}
    assert found.leap


def test_a_repeated_stamp_between_two_files_is_left_as_it_is() -> None:
    dts = [i * STEP for i in range(100)]
    found = mended(dts, real_time(101), follower=Follower(dts[-1] + 1, dts[-1] + 1))
    assert found.track.duration[-1] == 1
    assert not found.leap


def test_repeated_stamps_at_clean_points_are_left_as_they_are() -> None:
    dts = sorted([*range(0, 200 * STEP, STEP), *(i * 50 * STEP + 1 for i in range(4))])
    at = [T0 + stamp * 1_000_000_000 // 90_000 for stamp in dts]
    found = mended(dts, at)
    assert found.track.dts == array("q", dts)
    assert not found.shifts


@pytest.mark.parametrize(("wall_ns", "step"), [(40 * MS, STEP), (3 * SECOND, 75 * STEP)])
def test_a_leap_of_stamps_is_no_hole_and_a_hole_is_one(wall_ns: int, step: int) -> None:
    dts = [i * STEP for i in range(120)]
    dts += [dts[-1] + 75 * STEP + i * STEP for i in range(120)]
    at = real_time(120)
    at += [at[-1] + wall_ns + i * 40 * MS for i in range(120)]
    found = mended(dts, at)
    assert found.track.dts[120] - found.track.dts[119] == step
    assert bool(list(hole_ticks(found.track, 90_000, found.track.dts_end))) == (step > STEP)


@pytest.mark.parametrize("held", [0, 1])
@pytest.mark.parametrize("place", [1, 2, 11, 12, 13, 119])
def test_a_hole_is_one_wherever_it_stands_in_a_file(place: int, held: int) -> None:
    stamps = [i * STEP + (75 * STEP if i >= place else 0) for i in range(120)]
    at = [T0 + stamp * 1_000_000_000 // 90_000 for stamp in stamps]
    at += [at[-1] + 40 * MS * i for i in (1, 2)]
    follower = Follower(stamps[-1] + STEP, stamps[-1] + STEP)
    found = mended(stamps, at, follower=follower, held=held)
    assert found.track.dts == array("q", stamps)


def test_unwatched_a_leap_is_believed() -> None:
    dts = [i * STEP for i in range(120)]
    dts += [dts[-1] + 75 * STEP + i * STEP for i in range(120)]
    assert mended(dts, ()).track.dts == array("q", dts)


def test_the_last_frame_lasts_until_the_next_files_first() -> None:
    dts = list(itertools.accumulate([0, *[3600, 7200, 3600] * 30]))
    follower = Follower(dts[-1] + 7200, dts[-1] + 7200)
    assert mended(dts, (), follower=follower).track.duration[-1] == 7200
    back = Follower(dts[0], dts[0])
    assert mended(dts, (), follower=back).leap


def test_without_a_follower_only_the_last_frames_start_is_proven() -> None:
    table = table_of([i * 90_000 for i in range(10)])  # a frame a second
    closed = [(table.ends[-1], T0)]
    assert observations(table, 0, 90_000, closed, None, 0)[0] == (9 * SECOND, T0)
    assert observations(table, 0, 90_000, closed, 10 * 90_000, 0)[0] == (10 * SECOND, T0)


def test_what_ffmpeg_let_go_for_want_of_bytes_proves_nothing_of_the_next_frame() -> None:
    seldom = table_of([i * 5 * 90_000 for i in range(2 * PER_FRAGMENT)])
    end, flush = 2 * PER_FRAGMENT * 5 * 90_000, 3 * SECOND
    first_of_next = PER_FRAGMENT * 5 * SECOND
    came = [(seldom.ends[0], T0 + first_of_next + flush), (seldom.ends[1], T0 + 200 * SECOND)]
    for follower in (end, None):
        told = observations(seldom, 0, 90_000, came, follower, 1, flush)
        assert told[0] == (first_of_next, T0 + first_of_next)
    often = table_of([i * 90_000 for i in range(2 * PER_FRAGMENT)])
    assert observations(often, 0, 90_000, [(often.ends[0], T0)], None, 1, flush) == [
        ((PER_FRAGMENT + 1) * SECOND, T0)
    ]


# -- rates -------------------------------------------------------------------------------------


def test_a_short_first_file_is_placed_by_the_rate_that_the_next_one_shows() -> None:
    rate = 25 / 21
    came = [(round(m * SECOND), T0 + round(m * rate * SECOND)) for m in (0.8, 1.3, 1.9, 2.4, 2.9)]
    alone = clocks.place(None, 0, 2 * 90_000, 90_000, came[:2])
    assert abs(alone.start - T0) > 100 * MS, "two arrivals tell no rate"
    one = clocks.place(None, 0, 2 * 90_000, 90_000, came[:2], came[2:])
    assert abs(one.start - T0) < MS
    assert abs(one.end - T0 - round(2 * rate * SECOND)) < MS
    assert len(one.clock.anchors) == 2, "the next file brings its own"


def placed(rate: float, seconds: int, files: int, jitter: Sequence[int] = (0,)) -> list[int]:
    """Place files of a stream of another rate; return how far each edge is off."""
    state, off = None, []
    for i in range(files):
        media = [(i * seconds + j / 2) for j in range(1, 2 * seconds + 1)]
        seen = [
            (round(m * SECOND), T0 + round(m * rate * SECOND) + jitter[k % len(jitter)])
            for k, m in enumerate(media)
        ]
        one = clocks.place(state, i * seconds * 90_000, (i + 1) * seconds * 90_000, 90_000, seen)
        state = one.clock
        assert not one.stepped
        off += [
            one.start - T0 - round(i * seconds * rate * SECOND),
            one.end - T0 - round((i + 1) * seconds * rate * SECOND),
        ]
    return off


@pytest.mark.parametrize("rate", [25 / 21, 0.98, 1.02, 1.0005])
@pytest.mark.parametrize("seconds", [4, 60])
def test_a_steady_other_rate_is_fitted_and_nothing_is_off_by_a_tenth_of_a_second(
    rate: float, seconds: int
) -> None:
    jitter = [0, 20 * MS, 5 * MS, 60 * MS, 0, 300 * MS, 10 * MS]
    assert max(map(abs, placed(rate, seconds, 30, jitter))) <= 100 * MS


@pytest.mark.parametrize("rate", [90.0, 10.0, 3.0, 2.0, 0.5, 1 / 3, 0.09])
def test_stamps_of_another_unit_are_a_rate_like_any(rate: float) -> None:
    assert max(map(abs, placed(rate, 60, 10, [0, 20 * MS, 5 * MS, 60 * MS]))) <= 150 * MS


def test_a_file_that_is_a_moment_by_its_stamps_tells_its_rate() -> None:
    short = [(i * 50 * MS, T0 + i * 4500 * MS) for i in range(5)]
    assert clocks.fit_rate(short, 1.0) == pytest.approx(90)


def test_what_was_kept_until_somebody_came_is_no_rate() -> None:
    preroll = [(i * SECOND, T0 + 10 * SECOND + i * 50 * MS) for i in range(1, 11)]
    assert clocks.fit_rate(preroll, 1.0) == 1.0
    one = clocks.place(None, 0, 10 * 90_000, 90_000, preroll)
    assert one.end - one.start == 10 * SECOND


@given(st.lists(st.integers(0, 50), min_size=5, max_size=40))
def test_jitter_of_arrival_is_no_rate(late_ms: list[int]) -> None:
    points = [(i * SECOND, T0 + i * SECOND + ms * MS) for i, ms in enumerate(late_ms)]
    assert clocks.fit_rate(points, 1.0) == 1.0


def test_a_step_of_a_clock_is_no_rate() -> None:
    points = [(i * SECOND, T0 + i * SECOND - (3 * SECOND if i > 7 else 0)) for i in range(16)]
    assert clocks.fit_rate(points, 1.0) == 1.0
