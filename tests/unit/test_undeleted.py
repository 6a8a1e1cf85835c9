"""What a store refuses to delete takes room: nothing is believed to come of it."""

from __future__ import annotations

import pytest

from policies.facts import Capacity
from recorder.janitor import purge
from recorder.model.timebase import MINUTE
from tests.support.plans import ALL, going, lane, plan
from tests.unit.test_janitor import Box

FLOOR = {"stores": {"any": {"floor": "40%"}}}


@pytest.fixture
def box() -> Box:
    """Hold ten hours of footage, of a thousand bytes each, in a store that lacks fifty bytes."""
    one = Box()
    one.grace_ns = MINUTE
    one.restart()
    one.store.room = (3950, 10_000)
    return one


def test_room_is_made_of_what_a_store_lets_go_not_of_what_it_refuses() -> None:
    one = lane(50, 40, 20, 10, size=100)
    one.condemned, one.refused = {0, 1}, {0}
    document = {"rules": [ALL], "stores": {"any": {"floor": 0.5}}}
    made = plan(document, one, capacity=Capacity(250, 1000))
    assert going(made) == [20.0, 10.0], "a hundred bytes come, and 250 lack"
    assert len(made.condemned) == 2, "marked all the same"
    few = "2 segments go before their guaranteed minimum"
    assert made.warnings == (few, "the store refuses to delete 100 B")
    worse = plan(document, one, capacity=Capacity(50, 1000))
    why = "all of its footage goes; what the store refuses to delete fills the disk"
    assert worse.warnings[0] == f"still 150 B below the floor: {why}"


def test_where_a_store_refuses_the_oldest_the_next_makes_room(box: Box) -> None:
    assert box.sweep("30d", **FLOOR).condemned == 1
    box.store.refused = {box.segments[0].key}
    box.clock.sleep(120)
    assert box.sweep("30d", **FLOOR).purged == 0
    assert box.sweep("30d", **FLOOR).condemned == 1, "or the store fills, and nothing new is taken"
    box.clock.sleep(120)
    assert box.sweep("30d", **FLOOR).purged == 1
    box.store.room = (4950, 10_000)
    done = box.sweep("30d", **FLOOR)
    assert (done.condemned, done.spared, box.stored) == (0, 1, 9)


def test_what_goes_after_all_is_counted_before_more_of_it_goes(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purge, "BATCH", 1)
    box.store.refused = {one.key for one in box.segments}
    for _ in range(12):
        box.sweep("30d", **FLOOR)
        box.clock.sleep(120)
    assert box.condemned > 3
    box.store.refused = set()
    box.clock.sleep(3700)
    assert box.sweep("30d", **FLOOR).purged == 1, "room came that nobody counted on"
    box.store.room = (4950, 10_000)
    done = box.sweep("30d", **FLOOR)
    assert (done.purged, box.stored, box.condemned) == (0, 9, 0)
