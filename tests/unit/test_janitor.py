"""The janitor destroys nothing by a clock in doubt, in no other order, and waits for no object."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pytest

from policies.read import parse_policy
from recorder.catalog.sql import SqlCatalog
from recorder.errors import SpoolFull, StoreRefused, StoreUnavailable
from recorder.janitor.carry_out import Done, Janitor, Workers
from recorder.janitor.meter import Meter
from recorder.janitor.proof import ClockProof
from recorder.model.copies import CopyColumns
from recorder.model.events import Event
from recorder.model.media import Segment
from recorder.model.timebase import DAY, HOUR, MINUTE, SECOND, Instant, TimeRange
from recorder.store.memory import MemoryStore
from tests.support.clock import FakeClock
from tests.support.make import STREAM, T0, segment

ALL = TimeRange(0, T0 + 10**18)


class StrictStore(MemoryStore):
    """Looks, when an object is to go, whether all was done that comes before; refuses some."""

    def __init__(self, catalog: SqlCatalog) -> None:
        super().__init__("main")
        self.catalog = catalog
        self.refused: set[str] = set()
        self.room: tuple[int, int] | None = None

    def delete(self, keys: Sequence[str]) -> dict[str, str]:
        said = {
            entry.key for entry in self.catalog.audit.newest(10**6) if entry.action == "condemn"
        }
        assert set(keys) <= said, "deleted before it was in the audit log"
        rows = {copy.segment.key for copy in self.catalog.planning.copies_at("main", None, 999)}
        assert set(keys) <= rows, "the row went before the object"
        super().delete([key for key in keys if key not in self.refused])
        return {key: "AccessDenied" for key in keys if key in self.refused}

    def free_bytes(self) -> tuple[int, int] | None:
        return self.room


class Idle:
    def carry_out(self, *_: Any) -> int:
        return 0


class Failing:
    """What makes thin segments, or moves whole ones, where there is no room for them."""

    def __init__(self, problem: Exception) -> None:
        self.problem, self.asked = problem, 0

    def carry_out(self, *_: Any) -> int:
        self.asked += 1
        raise self.problem


class Box:
    """A store with ten hours of footage, a clock, and a janitor; ``restart`` makes a new one."""

    def __init__(self) -> None:
        self.catalog, self.clock = (
            SqlCatalog("sqlite://", site=STREAM.site),
            FakeClock(T0 + 10 * HOUR + 2 * MINUTE),
        )
        self.store, self.paced = StrictStore(self.catalog), list[int]()
        self.outside: dict[str, Callable[[], Instant | None]] = {}
        self.segments = [self.record(3600 * i) for i in range(10)]
        self.grace_ns = DAY
        self.workers, self.others = Workers(Idle(), Idle()), dict[str, MemoryStore]()
        self.restart()

    def record(self, start_s: float, length_s: float = 3600) -> Segment:
        one = segment(start_s, length_s, points=b"")
        self.store.put(one.key, b"x" * 1000, "video/mp4", {})
        self.catalog.commits.add_segment(one, "main", "", one.end)
        return one

    def restart(self) -> None:
        catalog = self.catalog
        proof = ClockProof(
            self.clock, catalog.progress, catalog.planning, self.outside,
            date_anew=catalog.commits.date_anew,
        )  # fmt: skip
        self.janitor = Janitor(
            catalog, self.clock, proof, Meter(catalog.planning),
            lambda: self.workers, list, self.paced.append,
            level="post", grace_ns=self.grace_ns,
        )  # fmt: skip

    def sweep(self, keep: str, rule: Mapping[str, Any] = MappingProxyType({}), **more: Any) -> Done:
        why = self.janitor.doubt(vouched=False)
        if why:
            return Done(stopped=why)
        rules = [{"name": "all", "keep": {"any": keep}, **rule}]
        document = {"rules": rules, "blast_radius": "100%"}
        return self.janitor.carry_out(
            self.store, parse_policy({**document, **more}), float("inf"), stores=self.others
        )

    @property
    def condemned(self) -> int:
        return len(self.catalog.planning.copies_at("main", None, 99, condemned=True))

    @property
    def stored(self) -> int:
        return len(list(self.store.list()))


@pytest.fixture
def box() -> Box:
    return Box()


def test_what_a_mistaken_policy_condemned_is_taken_back_by_the_next_sweep(box: Box) -> None:
    assert box.sweep("1m").condemned == 10
    box.clock.sleep(120)
    done = box.sweep("30d")
    assert (done.spared, done.condemned, box.condemned) == (10, 0, 0)
    box.clock.sleep(86_400 * 1.5)
    assert (box.sweep("30d").purged, box.stored) == (0, 10)
    actions = [entry.action for entry in box.catalog.audit.newest(99)]
    assert (actions.count("condemn"), actions.count("spare")) == (10, 10)


@pytest.mark.parametrize(
    "problem", [StoreRefused("QuotaExceeded"), SpoolFull("no room"), OSError("read only")]
)
def test_what_is_due_goes_though_nothing_can_be_made_thin_or_moved(
    box: Box, problem: Exception
) -> None:
    thinner, mover = Failing(problem), Failing(problem)
    box.workers, box.others = Workers(thinner, mover), {"archive": MemoryStore("archive")}
    rule = {"move": {"after": "1h", "to": "archive"}}
    assert box.sweep("5h", rule, stores={"archive": {"floor": "5%"}}).condemned == 5
    box.clock.sleep(86_400)
    box.sweep("5h", rule, stores={"archive": {"floor": "5%"}})
    assert (thinner.asked, mover.asked, box.stored) == (2, 1, 5)


def test_a_plan_counts_what_is_condemned_already(box: Box) -> None:
    box.sweep("5h")
    plan = box.sweep("5h").plan
    assert plan is not None
    assert (len(plan.condemned), len(plan.actions), plan.kept) == (5, 0, 5)


def test_a_clock_that_leaps_a_year_deletes_nothing_and_is_said(box: Box) -> None:
    box.grace_ns = 0
    box.restart()
    assert box.sweep("30d").stopped == ""
    box.clock.at += 365 * DAY
    box.clock.begin += 365 * DAY  # what never steps does not
    done = box.sweep("30d")
    assert "stepped" in done.stopped
    assert "365d ahead of" in done.stopped
    assert (box.condemned, box.stored) == (0, 10)
    box.restart()
    assert "the last sweep was" in box.sweep("30d").stopped, "nor after a new start"
    box.clock.at -= 365 * DAY
    box.clock.begin -= 365 * DAY
    assert box.sweep("30d").stopped == "", "it is right again"


def test_a_first_sweep_with_a_clock_ahead_or_behind_deletes_nothing(box: Box) -> None:
    box.clock.at += 365 * DAY
    assert "the newest footage" in box.sweep("30d").stopped
    box.clock.at -= 3 * 365 * DAY
    assert "behind the newest footage" in box.sweep("30d").stopped
    assert box.condemned == 0


def test_other_clocks_prove_it_or_contradict_it(box: Box) -> None:
    box.clock.at += 365 * DAY
    box.outside["store main"] = lambda: None
    assert "no other clock" in box.sweep("500d").stopped
    box.outside["store main"] = lambda: box.clock.now() - 365 * DAY
    assert box.sweep("500d").stopped.startswith("the clock is 365d ahead of store main")
    box.outside["store main"] = lambda: box.clock.now() + SECOND
    assert box.sweep("500d").stopped == ""

    def away() -> Instant:
        raise StoreUnavailable("away")

    box.outside["store main"] = away
    assert box.sweep("500d").stopped == "", "believed a moment ago"


def test_a_clock_nobody_can_vouch_for_is_believed_after_a_steady_day(box: Box) -> None:
    box.clock.at += 3 * DAY
    for _ in range(23):
        assert box.sweep("30d").stopped
        box.clock.sleep(3600)
    box.clock.at += 30 * MINUTE  # it steps: the day begins anew
    box.clock.begin += 30 * MINUTE
    assert box.sweep("30d").stopped
    box.clock.sleep(7200)
    assert box.sweep("30d").stopped
    box.clock.sleep(86_400)
    assert box.sweep("30d").stopped == ""


def test_a_person_may_vouch_for_the_clock(box: Box) -> None:
    box.clock.at += 3 * DAY
    assert box.janitor.doubt(vouched=False)
    assert not box.janitor.doubt(vouched=True)
    assert not box.janitor.doubt(vouched=False)


def test_a_person_is_believed_against_another_clock_too(box: Box) -> None:
    box.outside["store main"] = lambda: box.clock.now() - 9 * DAY
    assert "ahead of store main" in box.janitor.doubt(vouched=False)
    assert not box.janitor.doubt(vouched=True)


def test_a_store_that_says_once_it_is_tiny_does_not_end_the_grace(box: Box) -> None:
    box.sweep("5h")
    box.store.room = (0, 10)
    box.clock.sleep(120)
    assert box.sweep("5h").purged == 0
    assert box.stored == 10


class Alarming:
    """Makes nothing thin, and takes so long for it that an alarm comes meanwhile."""

    def __init__(self, box: Box) -> None:
        self.box = box

    def carry_out(self, *_: Any) -> int:
        one, now = self.box.segments[1], self.box.clock.now()
        event = Event("e", "north", "alarm", "x", ("cam07",), one.range, one.range, now)
        self.box.catalog.events.add(event, None)
        return 0


def test_what_is_alarmed_between_the_judgement_and_the_deletion_is_judged_again(box: Box) -> None:
    alarms = {"name": "alarms", "match": {"event": "alarm"}, "keep": {"any": "90d"}}
    rules: Any = [alarms, {"name": "all", "keep": {"any": "5h"}}]
    assert box.sweep("5h", rules=rules).condemned == 5
    box.clock.sleep(86_401)
    box.workers = Workers(Alarming(box), Idle())
    assert box.sweep("5h", rules=rules).purged == 4
    box.workers = Workers(Idle(), Idle())
    box.clock.sleep(60)
    assert box.sweep("5h", rules=rules).spared == 1
    assert box.store.head(box.segments[1].key) is not None


def test_deleting_stops_when_all_is_to_end_and_goes_on_at_the_next_start(box: Box) -> None:
    box.sweep("1m")
    box.clock.sleep(86_500)
    box.janitor.pace = lambda _: False
    assert (box.sweep("1m").purged, box.stored) == (0, 10)
    box.restart()
    assert box.sweep("1m").purged == 10


def test_footage_of_a_recorder_without_a_clock_does_not_grow_old(box: Box) -> None:
    old = segment(0, 3600, start=HOUR, end=2 * HOUR, span_start=HOUR, points=b"")
    box.catalog.commits.add_segment(old, "main", "", HOUR)
    late = segment(3600 * -2000, 3600, writer="n1.2", points=b"")
    box.catalog.commits.add_segments([late], "main", T0 + 9 * HOUR)
    done = box.sweep("40d")
    assert done.condemned == 0
    assert done.plan is not None
    assert "1 segment says to be of before 2020" in done.plan.warnings[0]
    box.clock.sleep(86_400 * 41)
    assert box.sweep("40d").condemned == 11, (
        "committed 41 days ago: its time is up like the others'"
    )


def test_an_object_that_cannot_be_deleted_keeps_no_other_and_is_tried_again(box: Box) -> None:
    box.sweep("1m")
    box.store.refused = {box.segments[3].key}
    box.clock.sleep(86_500)
    assert box.sweep("1m").purged == 9
    assert [info.key for info in box.store.list()] == [box.segments[3].key]
    assert box.catalog.counts()["copy"] == 1, "and no row is left of those that went"
    assert box.sweep("1m").purged == 0
    box.store.refused = set()
    box.clock.sleep(3700)
    assert box.sweep("1m").purged == 1


def test_deleting_waits_for_its_turn_and_for_the_grace(box: Box) -> None:
    box.sweep("1m")
    box.clock.sleep(86_300)
    assert (box.sweep("1m").purged, box.paced) == (0, [])
    box.clock.sleep(200)
    assert (box.sweep("1m").purged, box.paced) == (10, [10])
    assert [gap.cause for gap in box.catalog.footage.gaps(STREAM, ALL)] == ["purged"]


def test_a_disk_that_fills_within_the_grace_is_emptied_in_time_for_what_comes(box: Box) -> None:
    """Six minutes a segment, thirty of which fill the disk; the grace is a day."""
    room, shed, readable = 30_000, 0, list[int]()
    for i in range(100, 180):
        if 1000 * (box.stored + 1) > room:
            shed += 1
        else:
            box.record(360 * i, 360)
        box.clock.sleep(360)
        box.store.room = (room - 1000 * box.stored, room)
        box.sweep("30d", stores={"any": {"floor": "5%"}})
        readable.append(box.stored - box.condemned)
    assert shed == 0, "new footage finds room, though the grace is longer than the disk"
    assert min(readable[30:]) >= 19, "and most of it can be read"


def test_planning_takes_a_tenth_of_the_time_at_most(box: Box) -> None:
    read = box.catalog.planning.copy_columns

    def slowly(*arguments: Any, **more: Any) -> list[CopyColumns]:
        box.clock.sleep(20)
        return read(*arguments, **more)

    box.catalog.planning.copy_columns = slowly  # type: ignore[method-assign]
    box.sweep("30d")
    assert box.janitor.rests_until - box.clock.monotonic() == pytest.approx(180)


def test_small_plans_cannot_drain_a_store_within_the_hour(box: Box) -> None:
    box.grace_ns = 0
    box.restart()
    for hours in range(9, 0, -1):
        done = box.sweep(f"{hours}h", blast_radius="25%")
        box.clock.sleep(60)
    assert "blast_radius" in done.stopped
    assert box.stored == 7, "a quarter"


def test_a_store_that_says_once_it_has_no_room_loses_nothing_when_it_is_right_again(
    box: Box,
) -> None:
    box.store.room = (0, 20_000)
    assert box.sweep("30d", stores={"any": {"floor": "5%"}}).condemned > 0
    box.store.room = (15_000, 20_000)
    box.clock.sleep(60)
    box.sweep("30d", stores={"any": {"floor": "5%"}})
    assert box.condemned == 0


def test_a_plan_that_waits_for_a_word_is_said_once_not_each_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    box = Box()
    for _ in range(5):
        assert box.sweep("5h", blast_radius="1%").stopped
        box.clock.sleep(60)
    assert [one.message for one in caplog.records].count("plan needs a word") == 1
