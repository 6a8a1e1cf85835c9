"""When a stream is recorded: timetables across DST, and what event mode ships."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.capture.loop import desired_streams
from recorder.errors import BadDocument
from recorder.model.camera_document import parse_camera, show_camera
from recorder.model.keys import StreamId
from recorder.model.schedule import parse_timetable, show_timetable
from recorder.model.timebase import DAY, HOUR, MINUTE, TimeRange, format_instant, parse_instant
from recorder.model.timeline import Gap, Timeline, coverage_by_day, excuse

BERLIN = {"zone": "Europe/Berlin", "weekly": {"daily": ["01:00-02:30", "22:00-06:00"]}}


def off(document: dict[str, Any], start: str, end: str) -> list[str]:
    asked = TimeRange(parse_instant(start), parse_instant(end))
    found = parse_timetable(document, "t").off(asked)
    return [f"{format_instant(r.start, 0)[11:16]}-{format_instant(r.end, 0)[11:16]}" for r in found]


def test_a_night_is_as_long_as_the_clock_makes_it() -> None:
    night = {"zone": "Europe/Berlin", "weekly": {"daily": ["22:00-06:00"]}}
    day = "2026-01-15T12:00:00Z", "2026-01-16T12:00:00Z"
    assert off(night, *day) == ["12:00-21:00", "05:00-12:00"]
    assert off(night, "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z") == [
        "12:00-21:00", "04:00-12:00",
    ]  # fmt: skip
    assert off(night, "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z") == [
        "12:00-20:00", "05:00-12:00",
    ]  # fmt: skip


def test_an_hour_that_is_skipped_is_not_there_and_one_that_comes_twice_counts_twice() -> None:
    early = {"zone": "Europe/Berlin", "weekly": {"daily": ["02:30-03:30"]}}
    assert off(early, "2026-03-29T00:00:00Z", "2026-03-29T03:00:00Z") == [
        "00:00-01:00", "01:30-03:00",
    ]  # fmt: skip
    twice = {"zone": "Europe/Berlin", "weekly": {"daily": ["02:15-02:45"]}}
    assert off(twice, "2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z") == [
        "00:00-00:15", "00:45-01:15", "01:45-02:00",
    ]  # fmt: skip


def test_a_date_has_its_own_ranges() -> None:
    office = {
        "zone": "UTC", "weekly": {"mon-fri": "07:00-19:00"},
        "except": {"2026-12-25": [], "2026-12-26": ["10:00-11:00"]},
    }  # fmt: skip
    assert off(office, "2026-12-24T18:00:00Z", "2026-12-26T12:00:00Z") == [
        "19:00-10:00", "11:00-12:00",
    ]  # fmt: skip


def test_what_passes_midnight_on_a_date_of_its_own_goes_on_in_the_next() -> None:
    nights = {
        "zone": "UTC", "weekly": {"mon-fri": "07:00-19:00"},
        "except": {"2026-12-31": "20:00-04:00", "2027-01-02": "22:00-02:00", "2027-01-03": []},
    }  # fmt: skip
    assert off(nights, "2026-12-31T12:00:00Z", "2027-01-03T12:00:00Z") == [
        "12:00-20:00", "04:00-07:00", "19:00-22:00", "02:00-12:00",
    ]  # fmt: skip
    again = show_timetable(parse_timetable(nights, "t"))
    assert show_timetable(parse_timetable(again, "t")) == again


@given(st.integers(0, 2 * 366 * 24 * 60), st.integers(1, 3 * 24 * 60))
def test_what_is_off_is_what_the_wall_clock_says(start: int, length: int) -> None:
    begin = parse_instant("2026-01-01T00:00:00Z") + start * MINUTE
    table = parse_timetable(BERLIN, "t")
    stretches = table.off(TimeRange(begin, begin + length * MINUTE))
    for at in range(begin, begin + length * MINUTE, max(MINUTE, length * MINUTE // 20)):
        inside = any(one.start <= at < one.end for one in stretches)
        assert inside != table.is_on(at)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"zone": "Mars/Olympus"}, "t.zone: 'Mars/Olympus' is not a time zone"),
        ({"zone": "../../etc/passwd"}, "t.zone"),
        ({"weekly": {"someday": "07:00-19:00"}}, "t.weekly.someday: is no day"),
        ({"weekly": {"mon": "7-19"}}, "t.weekly.mon: '7-19' is not a range"),
        ({"weekly": {"mon": "07:00-25:00"}}, "t.weekly.mon"),
        ({"weekly": {"mon": 7}}, "t.weekly.mon"),
        ({"weekly": None}, "t.weekly: must be an object"),
        ({"except": {"christmas": []}}, "t.except.christmas: is not a date"),
        ({"holidays": []}, "t.holidays: no such field"),
    ],
)
def test_a_bad_timetable_is_refused_by_path(change: dict[str, Any], said: str) -> None:
    with pytest.raises(BadDocument) as caught:
        parse_timetable({**BERLIN, **change}, "t")
    assert said in str(caught.value)


def test_a_camera_is_captured_when_its_mode_says_so_and_its_document_comes_back() -> None:
    body = {
        "streams": {
            "main": {"url": "file:/a", "record": "timetable", "timetable": BERLIN},
            "sub": {"url": "file:/b", "record": "event"},
            "dark": {"url": "file:/c", "record": "off"},
        }
    }
    camera = parse_camera("cam", body)
    noon, night = parse_instant("2026-01-15T12:00:00Z"), parse_instant("2026-01-15T23:00:00Z")
    assert set(desired_streams([camera], "s", noon)) == {StreamId("s", "cam", "sub")}
    by_night = desired_streams([camera], "s", night)
    assert set(by_night) == {StreamId("s", "cam", "sub"), StreamId("s", "cam", "main")}
    assert parse_camera("cam", show_camera(camera), camera) == camera
    table = camera.streams["main"].timetable
    assert table is not None
    assert parse_timetable(show_timetable(table), "t") == table
    with pytest.raises(BadDocument, match="timetable"):
        parse_camera("cam", {"url": "file:/a", "record": "timetable"})
    with pytest.raises(BadDocument, match="timetable"):
        parse_camera("cam", {"url": "file:/a", "timetable": BERLIN})


def test_dark_time_outside_the_timetable_is_no_fault() -> None:
    gaps = (Gap(0, 10 * HOUR, "node"), Gap(12 * HOUR, 13 * HOUR, "purged"))
    line = excuse(
        Timeline(TimeRange(0, DAY), (), gaps),
        [TimeRange(2 * HOUR, 3 * HOUR), TimeRange(9 * HOUR, 20 * HOUR)],
    )
    assert [(gap.start // HOUR, gap.end // HOUR, gap.cause) for gap in line.gaps] == [
        (0, 2, "node"), (2, 3, "off-schedule"), (3, 9, "node"), (9, 10, "off-schedule"),
        (12, 13, "purged"),
    ]  # fmt: skip
    (day,) = coverage_by_day(line)
    assert day.expected_ns == 22 * HOUR
    assert day.gaps_ns == {"node": 8 * HOUR, "purged": HOUR}


MOMENTS = ("00:00", "00:01", "06:00", "12:00", "22:00", "23:59")
RANGES = st.lists(
    st.builds("-".join, st.tuples(st.sampled_from(MOMENTS), st.sampled_from((*MOMENTS, "24:00")))),
    max_size=3,
)


@given(st.dictionaries(st.sampled_from(("mon", "sat", "sun", "daily", "fri-mon")), RANGES))
def test_a_timetable_is_shown_as_it_is_meant_however_its_nights_lie(weekly: Any) -> None:
    table = parse_timetable({"zone": "UTC", "weekly": weekly}, "t")
    shown = show_timetable(table)
    assert parse_timetable(shown, "t") == table
    assert show_timetable(parse_timetable(shown, "t")) == shown
