"""Time, keys, cameras, clocks and timelines as values."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.errors import BadDocument, RequestError
from recorder.model import clocks
from recorder.model.camera_document import parse_camera, show_camera
from recorder.model.keys import check_key, parse_key, segment_key, span_end_key
from recorder.model.secrets import MASK, mask
from recorder.model.timebase import (
    DAY,
    HOUR,
    MS,
    SECOND,
    TimeRange,
    format_instant,
    parse_duration,
    parse_instant,
)
from recorder.model.timeline import Gap, Span, coverage_by_day, timeline
from tests.support.make import T0, segment


@given(st.integers(0, 2**62))
def test_an_instant_survives_being_written_and_read(instant: int) -> None:
    assert parse_instant(format_instant(instant, 9)) == instant


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-01-05T14:03:07", "2026-02-30T00:00:00Z", "2026-01-05", "1767",
             "2026-01-05T25:00:00Z", "2026-01-05T14:03:07+99:00"],
)  # fmt: skip
def test_a_time_without_zone_or_sense_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_instant(text, "start")
    assert "start" in str(caught.value)
    assert caught.value.hint


def test_zones_and_leap_seconds_are_understood() -> None:
    assert parse_instant("2026-01-05T15:03:07+01:00") == parse_instant("2026-01-05T14:03:07Z")
    assert parse_instant("2016-12-31T23:59:60Z") == parse_instant("2017-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("text", "ns"), [("30d", 30 * DAY), ("1h30m", 90 * 60 * SECOND), (5, 5 * SECOND)]
)
def test_durations_are_read(text: Any, ns: int) -> None:
    assert parse_duration(text) == ns


@given(st.integers(0, 4_000_000_000_000_000), st.integers(0, 10**6))
def test_a_key_says_what_it_was_made_of(start_us: int, counter: int) -> None:
    parts = parse_key(segment_key("a/b/c", start_us * 1000, "n2.41", counter))
    assert parts is not None
    assert (parts.prefix, parts.start, parts.postfix, parts.counter, parts.is_end) == (
        "a/b/c", start_us * 1000, "n2.41", counter, False,
    )  # fmt: skip
    ended = parse_key(span_end_key("a/b/c", start_us * 1000, "n2.41", counter))
    assert ended is not None
    assert ended.is_end


@pytest.mark.parametrize(
    "prefix", ["..", "a/../b", "a/./b", "a//b", "/a", "a\0b", "a/\x1b/b", "a\ud800", "x" * 241,
               "ab/" * 400 + "c", "ä" * 121],
)  # fmt: skip
def test_a_key_with_a_part_that_names_no_object_is_none(prefix: str) -> None:
    for key in (f"{prefix}/2026-01-05/n.1/14/03-07Z.0.mp4", f"2026-01-05/{prefix}/14/03-07Z.0.mp4"):
        assert parse_key(key) is None
        with pytest.raises(RequestError):
            check_key(key)


@pytest.mark.parametrize(
    "key", ["a/2026-01-05/14/03-07Z." + "9" * 5000 + ".mp4", "a/0001-01-01/14/03-07Z.0.mp4",
            "a/2026-01-05/14/03-0７Z.0.mp4", "a/9999-01-01/14/03-07Z.0.mp4"],
)  # fmt: skip
def test_a_key_with_a_number_that_fits_nowhere_is_none(key: str) -> None:
    assert parse_key(key) is None


def test_keys_of_other_recorders_are_understood_and_others_are_not() -> None:
    assert parse_key("2026-01-05/14/03-07Z.0.mp4") is not None
    assert parse_key("x/2026-01-05/y/z/23/59-60.5Z.3.m4v") is not None
    for key in ("spanstore.json", "a/2026-13-05/14/03-07Z.0.mp4", "a/2026-01-05/14/03-07.0.mp4"):
        assert parse_key(key) is None


def test_secrets_are_taken_out_of_any_text() -> None:
    text = "open rtsp://admin:p%40ss@10.0.0.9:554/x?user=u&password=abc&ch=1: 401"
    assert "ss" not in mask(text).replace("password", "")
    assert "abc" not in mask(text)
    assert "10.0.0.9:554" in mask(text)


def test_a_camera_document_can_be_sent_back_as_it_was_shown() -> None:
    first = parse_camera("cam", {"url": "rtsp://u:p%3A@10.0.0.9/x?token=abc", "group": "key"})
    assert first.streams["main"].credentials == "u:p:"
    shown = show_camera(first)
    assert "abc" not in str(shown)
    assert shown["streams"]["main"]["credentials"] == MASK
    again = parse_camera("cam", shown, first)
    assert again.streams == first.streams
    assert first.streams["main"].full_url() == "rtsp://u:p%3A@10.0.0.9/x?token=abc"
    assert "u:p" not in repr(first)


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({}, "url"), ({"url": 7}, "url"), ({"url": "gopher://x/y"}, "url"),
        ({"url": "rtsp://"}, "url"), ({"url": "rtsp://x:99999/y"}, "url"),
        ({"url": "-i evil"}, "url"), ({"url": "rtsp://x/y\n-z"}, "url"),
        ({"url": "rtsp://x/y", "nonsense": 1}, "nonsense"),
        ({"url": "rtsp://x/y", "transport": "pigeon"}, "transport"),
        ({"url": "rtsp://x/y", "importance": "high"}, "importance"),
        ({"url": "rtsp://x/y", "stall_s": 0}, "stall_s"),
        ({"url": "http://x/y", "listen": True}, "listen"),
        ({"streams": {"ma in": {"url": "rtsp://x/y"}}}, "streams.ma in"),
        ({"streams": {"sub": 7}}, "streams.sub"),
        ({"streams": {"sub": {"url": "rtsp://x/y", "audio": True}}}, "streams.sub.audio"),
    ],
)  # fmt: skip
def test_a_bad_camera_document_is_refused_with_the_path_of_the_mistake(
    document: dict[str, Any], path: str
) -> None:
    with pytest.raises(BadDocument, match=path.replace(".", r"\.")):
        parse_camera("cam", document)


@pytest.mark.parametrize("name", ["", "a/b", "..", "-x", "a" * 64, "käm"])
def test_a_name_that_cannot_stand_in_a_key_is_refused(name: str) -> None:
    with pytest.raises(BadDocument, match="camera"):
        parse_camera(name, {"url": "rtsp://x/y"})


# -- clocks ------------------------------------------------------------------------------------


def place_all(ends_ms: list[int], length_s: int = 60) -> list[clocks.Placed]:
    """Place successive segments observed to end at the given times after T0."""
    state, placed = None, []
    for i, end in enumerate(ends_ms):
        seen = [((i + 1) * length_s * SECOND, T0 + end * MS)]
        one = clocks.place(state, i * length_s * 90000, (i + 1) * length_s * 90000, 90000, seen)
        state = one.clock
        placed.append(one)
    return placed


def test_segments_of_a_span_follow_one_another_without_overlap_or_gap() -> None:
    placed = place_all([60_000, 120_030, 179_990, 240_200])
    for before, after in itertools.pairwise(placed):
        assert after.start == before.end
        assert not after.stepped
        assert abs(after.end - after.start - 60 * SECOND) <= 30 * MS


def test_drift_is_followed_and_jitter_hardly_shows() -> None:
    drift = place_all([60_000 + i * 60_006 for i in range(60)])  # 100 ppm
    assert abs(drift[-1].end - (T0 + (60_000 + 59 * 60_006) * MS)) < 60 * MS
    jitter = place_all([60_000 + i * 60_000 + (150 if i % 2 else 0) for i in range(20)])
    assert all(abs(one.end - one.start - 60 * SECOND) <= 31 * MS for one in jitter)


def test_a_clock_set_back_opens_a_new_span_and_drops_nothing() -> None:
    placed = place_all([60_000, 120_000, 180_000 - 3_600_000])
    assert [one.stepped for one in placed] == [False, False, True]
    assert placed[2].end == T0 + 180_000 * MS - HOUR


def test_one_late_arrival_is_lateness_two_are_a_step() -> None:
    assert not any(one.stepped for one in place_all([60_000, 125_000, 180_000]))
    placed = place_all([60_000, 120_000 + 3_600_000, 180_000 + 3_600_000])
    assert [one.stepped for one in placed] == [False, False, True]


def test_the_cameras_clock_is_told_from_ours_by_its_step_and_exactness() -> None:
    media = [i * 2 * SECOND for i in range(12)]
    walls = [T0 + value for value in media]
    ours = [wall + 2 * SECOND + (i * 7 % 13) * MS for i, wall in enumerate(walls)]
    assert clocks.watch_camera(None, walls, ours, media)[1] is None
    calm = [wall + 2 * SECOND + 40 * MS for wall in walls]
    assert clocks.watch_camera(None, walls, calm, media)[1] is None
    camera = [wall + HOUR for wall in walls]
    assert clocks.watch_camera(None, walls, ours[:3] + camera[3:], media)[1] == HOUR
    assert clocks.watch_camera(None, walls, camera, media)[1] == HOUR
    assert clocks.watch_camera(None, walls, [-1] * 12, media) == (None, None)
    late = [*ours[:3], camera[3], *(one + 10 * MS for one in camera[4:7])]  # it is still being set
    told = clocks.watch_camera(None, walls[:7], late, media[:7])[1]
    assert told == HOUR + 10 * MS, "its step is not forgotten"


def test_the_cameras_clock_is_followed_from_file_to_file() -> None:
    media = [i * 2 * SECOND for i in range(12)]
    walls = [T0 + value for value in media]
    prfts = [walls[0] + 2 * SECOND, *(wall - HOUR for wall in walls[1:])]
    state, offsets = None, []
    for i in range(0, 12, 2):
        part = slice(i, i + 2)
        state, offset = clocks.watch_camera(state, walls[part], prfts[part], media[part])
        offsets.append(offset)
    assert offsets == [None, -HOUR, -HOUR, -HOUR, -HOUR, -HOUR]


def test_a_segment_maps_wall_time_to_media_time_and_back() -> None:
    one = segment(60, 60)
    for ticks in (one.media_start, one.media_start + 12345, one.media_end):
        assert one.ticks_at(one.instant_at(ticks)) - ticks in (0, 1)


# -- timelines ---------------------------------------------------------------------------------


def spans(*pairs: tuple[int, int], cause: str = "source") -> list[Span]:
    return [Span(T0 + a * SECOND, T0 + b * SECOND, gap_cause=cause) for a, b in pairs]


def ask(found: list[Span], gaps: list[Gap], start: int = 0, end: int = 100, since: int = 0) -> Any:
    asked = TimeRange(T0 + start * SECOND, T0 + end * SECOND)
    return timeline(found, gaps, asked, "node", T0 + since * SECOND)


def told(line: Any) -> list[tuple[int, int, str]]:
    return [((g.start - T0) // SECOND, (g.end - T0) // SECOND, g.cause) for g in line.gaps]


def test_every_dark_stretch_has_a_cause() -> None:
    line = ask(spans((10, 40), (60, 90), cause="stall"), [])
    assert told(line) == [(0, 10, "stall"), (40, 60, "stall"), (90, 100, "node")]


def test_recorded_gaps_win_over_spans_and_over_the_general_cause() -> None:
    purged = Gap(T0 + 20 * SECOND, T0 + 50 * SECOND, "purged")
    line = ask(spans((10, 40), (60, 100)), [purged])
    assert told(line) == [(0, 10, "source"), (20, 50, "purged"), (50, 60, "source")]
    assert [(span.end - T0) // SECOND for span in line.spans] == [20, 100]


def test_time_before_the_camera_was_known_is_off_schedule() -> None:
    assert told(ask(spans((50, 100)), [], since=30)) == [
        (0, 30, "off-schedule"),
        (30, 50, "source"),
    ]


@given(
    st.lists(st.tuples(st.integers(0, 200), st.integers(1, 60)), max_size=8),
    st.lists(st.tuples(st.integers(0, 200), st.integers(1, 60)), max_size=4),
)
def test_spans_and_gaps_cover_the_range_together(
    footage: list[tuple[int, int]], holes: list[tuple[int, int]]
) -> None:
    found = spans(*((start, start + length) for start, length in footage))
    gaps = [Gap(T0 + a * SECOND, T0 + (a + b) * SECOND, "purged") for a, b in holes]
    line = ask(found, gaps, end=250)
    marks = [0] * 250
    for span in line.spans:
        for second in range((span.start - T0) // SECOND, (span.end - T0) // SECOND):
            marks[second] |= 1
    for gap in line.gaps:
        for second in range((gap.start - T0) // SECOND, (gap.end - T0) // SECOND):
            marks[second] |= 2
    assert set(marks) <= {1, 2}


def test_of_a_span_that_is_recorded_only_what_comes_after_its_last_gap_still_grows() -> None:
    growing = Span(T0, T0 + 100 * SECOND, "n1.1", T0, open=True)
    gaps = [Gap(T0 + a * SECOND, T0 + b * SECOND, "no-event") for a, b in ((0, 20), (40, 60))]
    line = timeline([growing], gaps, growing.range, "source", T0)
    assert [one.open for one in line.spans] == [False, True]


@pytest.mark.parametrize(("end_s", "open_"), [(100, True), (99, True), (60, False)])
def test_a_range_that_ended_long_ago_is_not_being_recorded(end_s: int, open_: bool) -> None:
    """Though its span goes on: until 100 s after ``T0``, which is now."""
    growing = Span(T0, T0 + 100 * SECOND, "n1.1", T0, open=True)
    asked = TimeRange(T0, T0 + end_s * SECOND)
    (span,) = timeline([growing], [], asked, "source", T0).spans
    assert span.open is open_


def test_coverage_is_summed_per_utc_day() -> None:
    midnight = (T0 // DAY + 1) * DAY
    asked = TimeRange(midnight - HOUR, midnight + HOUR)
    line = timeline([Span(midnight - HOUR, midnight)], [], asked, "source", 0)
    first, second = coverage_by_day(line)
    assert (first.covered_ns, first.gaps_ns) == (HOUR, {})
    assert (second.covered_ns, second.gaps_ns) == (0, {"source": HOUR})
