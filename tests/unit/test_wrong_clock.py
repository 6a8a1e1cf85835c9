"""Footage of a machine whose clock was wrong, in a year that might be right, is not old."""

from __future__ import annotations

import pytest

from recorder.janitor.proof import SERVICE
from recorder.model.media import Segment
from recorder.model.timebase import DAY, HOUR, MINUTE, SECOND, Instant
from tests.support.make import T0, segment
from tests.unit.test_janitor import Box
from tests.unit.test_leaps import YEAR, leap


@pytest.fixture
def box() -> Box:
    return Box()


def record_now(box: Box) -> Segment:
    """Record and commit a segment by the clock as it is, as capture does."""
    now = box.clock.now()
    one = segment((now - T0) // SECOND - 600, 600, writer="n1.2", points=b"")
    box.store.put(one.key, b"x" * 1000, "video/mp4", {})
    box.catalog.commits.add_segments([one], "spool:n1", now)
    box.catalog.commits.add_segment(one, "main", "", now)
    return one


def ages(box: Box, now: Instant) -> dict[str, int]:
    """Return how old what was recorded by ``record_now`` is, by writer, in days."""
    return {
        lane.writers[i]: lane.age(i, now) // DAY
        for lane in box.catalog.planning.copy_columns("main")
        for i in range(len(lane))
    }


def test_what_a_machine_without_its_clock_recorded_is_no_older_than_the_last_sweep(
    box: Box,
) -> None:
    """A battery that is empty: after a power cut it is the year in which the machine was built."""
    box.outside[SERVICE] = box.clock.now
    assert box.sweep("30d").stopped == ""
    leap(box.clock, -YEAR)
    box.outside.clear()
    box.restart()
    assert "behind the last sweep" in box.sweep("30d").stopped
    one = record_now(box)
    leap(box.clock, YEAR)
    box.outside[SERVICE] = box.clock.now
    done = box.sweep("30d")
    assert (done.stopped, done.condemned) == ("", 0)
    box.clock.sleep(31 * 86_400)
    assert box.sweep("30d").condemned == 11, "in time it goes like others"
    assert one.key


@pytest.mark.parametrize("restarted", [False, True])
def test_a_new_machine_that_began_in_a_wrong_year_loses_nothing_when_its_clock_is_set(
    box: Box, restarted: bool
) -> None:
    assert box.sweep("30d").stopped == "", "nobody vouches for it, and nothing contradicts it"
    record_now(box)
    box.clock.sleep(HOUR // SECOND)
    record_now(box)
    if restarted:
        box.restart()
    leap(box.clock, 2 * YEAR)
    box.outside[SERVICE] = box.clock.now
    assert box.sweep("30d").stopped == ""
    assert ages(box, box.clock.now())["n1.2"] == 0
    box.clock.sleep(86_400)
    assert ages(box, box.clock.now())["n1.2"] == 1


def test_a_machine_that_was_off_for_long_makes_nothing_young(box: Box) -> None:
    """Its clock was vouched for, or nobody does by now: how old its footage is, is known."""
    box.outside[SERVICE] = box.clock.now
    assert box.sweep("90d").stopped == ""
    record_now(box)
    box.restart()
    leap(box.clock, 40 * DAY)
    assert box.sweep("90d").stopped == ""
    assert ages(box, box.clock.now())["n1.2"] == 40
    box.outside.clear()
    box.clock.sleep(60)
    box.sweep("90d")
    box.restart()
    leap(box.clock, 10 * DAY)
    assert "no other clock" in box.sweep("90d").stopped
    box.clock.sleep(86_400)
    assert box.sweep("90d").stopped == ""
    assert ages(box, box.clock.now())["n1.2"] == 51


def test_many_small_steps_are_a_great_one(box: Box) -> None:
    assert box.sweep("30d").stopped == ""
    leap(box.clock, 4 * MINUTE)
    box.clock.sleep(60)
    assert box.sweep("30d").stopped == "", "so much a clock may be off"
    leap(box.clock, 4 * MINUTE)
    box.clock.sleep(60)
    assert "stepped" in box.sweep("30d").stopped
    assert box.janitor.doubt(vouched=True) == ""
    box.clock.sleep(60)
    assert box.sweep("30d").stopped == "", "somebody said that it is right"


def test_small_steps_days_apart_are_small(box: Box) -> None:
    for _ in range(4):
        assert box.sweep("30d").stopped == ""
        leap(box.clock, 4 * MINUTE)
        box.clock.sleep(86_400)


def test_what_a_clock_that_was_ahead_has_dated_grows_old_from_when_that_is_seen(
    box: Box, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the clock leaps while footage is taken in, that says for a year that it is new."""
    box.outside[SERVICE] = box.clock.now
    assert box.sweep("30d").stopped == ""
    one = segment(36_000, 60, writer="n1.2", points=b"")
    box.store.put(one.key, b"x" * 1000, "video/mp4", {})
    box.catalog.commits.add_segments([one], "spool:n1", one.end + YEAR)
    box.catalog.commits.add_segment(one, "main", "", one.end)
    box.clock.sleep(31 * 86_400)
    assert box.sweep("30d").condemned == 10, "the others"
    assert ages(box, box.clock.now())["n1.2"] == 0
    box.clock.sleep(31 * 86_400)
    assert box.sweep("30d").condemned == 1
    ahead = segment(31_536_000, 60, writer="n1.3", points=b"")  # recorded by that clock, too
    box.catalog.commits.add_segments([ahead], "main", ahead.end + YEAR)
    box.sweep("30d")
    said = [one for one in caplog.messages if "dated by a clock that was ahead" in one]
    assert len(said) == 1, "that says itself that it is of later, and stays"
