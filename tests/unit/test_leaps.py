"""A clock that leaps while something is under way makes nothing old, and ends no hold."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from policies.read import parse_policy
from recorder.app import App
from recorder.catalog.sql import SqlCatalog
from recorder.config import Settings, StorePart
from recorder.event_mode import EventMode
from recorder.janitor import apply
from recorder.janitor.proof import FRESH_S, RESTS_S, SERVICE, ClockProof
from recorder.model.holds import Hold
from recorder.model.places import PARENT
from recorder.model.timebase import DAY, HOUR, MINUTE, Instant, TimeRange
from recorder.ports import SiteBeat
from tests.support.clock import FakeClock
from tests.support.make import STREAM, T0, segment
from tests.unit.test_janitor import Box
from tests.unit.test_keeping import Box as Keeping

YEAR = 365 * DAY


def leap(clock: FakeClock, by: int) -> None:
    """Set the clock; what never steps does not."""
    clock.at += by
    clock.begin += by


@pytest.mark.parametrize("by", [YEAR, -YEAR])
def test_a_clock_that_leaps_within_a_sweep_makes_nothing_old_and_ends_no_grace(by: int) -> None:
    box = Box()
    assert box.sweep("5h").condemned == 5
    assert box.janitor.doubt(vouched=False) == ""
    leap(box.clock, by)  # while another store was swept
    box.janitor.doubt = lambda **_: ""  # type: ignore[method-assign]
    done = box.sweep("5h")
    assert (done.condemned, done.spared, done.purged, box.stored) == (0, 0, 0, 10)


def test_what_was_condemned_by_a_clock_that_was_ahead_goes_after_a_grace_from_now() -> None:
    """Else a disk stays full until that time has come, and new footage finds no room."""
    box = Box()
    leap(box.clock, 30 * DAY)
    box.janitor.proof.believe()
    assert box.sweep("5h").condemned == 10
    leap(box.clock, -30 * DAY)
    box.janitor.proof.believe()
    done = box.sweep("5h")
    assert (done.spared, box.condemned) == (5, 5), "what is not so old by the right clock stays"
    box.clock.sleep(86_400)
    assert box.sweep("5h").purged == 5


def test_footage_of_a_clock_that_was_ahead_does_not_count_as_what_comes_in() -> None:
    """The grace was cut to nothing by it, and footage within its minimum was let go."""
    box = Box()
    for hour in range(10, 8 * 24):
        box.record(3600 * hour)
    box.clock.at = box.segments[0].start + 8 * DAY
    leap(box.clock, 30 * DAY)
    for hour in range(38 * 24, 39 * 24):
        box.record(3600 * hour)
    box.clock.sleep(86_400)
    leap(box.clock, -30 * DAY)
    box.janitor.proof.believe()
    box.store.room = (60_000, 60_000 + 9 * 24 * 1000)
    capacity = box.janitor.meter.capacity(box.store, box.clock.now(), box.grace_ns)
    assert capacity.grace_ns == DAY
    keep: Any = {"min": "20d", "max": "30d"}
    assert box.sweep(keep).condemned == 0
    box.clock.sleep(60)
    assert box.sweep(keep).purged == 0


def test_a_clock_that_leaps_while_others_are_asked_is_not_believed_from_there() -> None:
    clock, catalog = FakeClock(T0), SqlCatalog("sqlite://")

    def slow() -> Instant:
        right = clock.now()
        leap(clock, YEAR)
        return right

    outside: dict[str, Any] = {"the database": slow}
    proof = ClockProof(clock, catalog.progress, catalog.planning, outside)
    assert (proof.doubt(), proof.believed()) == ("", T0)
    outside.clear()
    assert "stepped" in proof.doubt()
    assert proof.present() == T0, "by what never steps"
    clock.sleep(FRESH_S)
    assert proof.present() is None
    catalog.close()


def test_a_clock_that_leaps_along_proves_nothing() -> None:
    box = Box()
    box.outside["store main"] = box.clock.now  # in a container of this machine, say
    assert box.sweep("30d").stopped == ""
    leap(box.clock, YEAR)
    assert "stepped" in box.sweep("30d").stopped
    assert (box.condemned, box.stored) == (0, 10)
    box.outside["the database"] = box.clock.now  # nobody knows how that went
    assert box.sweep("400d").stopped == "", "another one, that was not there before, agrees"


def test_the_time_service_may_step_the_clock() -> None:
    box = Box()
    box.outside[SERVICE] = box.clock.now
    assert box.sweep("400d").stopped == ""
    leap(box.clock, HOUR)  # the machine was suspended
    assert box.sweep("400d").stopped == ""
    box.outside.clear()
    box.clock.sleep(60)
    assert box.sweep("400d").stopped == "", "it has not stepped since"


def test_a_clock_of_this_machine_can_contradict_it_and_never_prove_it() -> None:
    clock, catalog = FakeClock(T0), SqlCatalog("sqlite://")
    outside = {"store main": clock.now}

    def prove(own: bool) -> str:
        return ClockProof(clock, catalog.progress, catalog.planning, outside, lambda _: own).doubt()

    assert prove(own=False) == ""
    leap(clock, 2 * DAY)  # while no recorder ran
    assert "no other clock says" in prove(own=True)
    assert prove(own=False) == ""
    outside["store main"] = lambda: clock.now() - DAY
    assert "ahead of store main" in prove(own=True)
    catalog.close()


@pytest.mark.parametrize(
    ("endpoint", "own"),
    [("http://127.0.0.1:9000", True), ("http://localhost", True), ("http://[::1]:9000", True),
     ("http://198.51.100.7:9000", False), ("http://nowhere.invalid", False)],
)  # fmt: skip
def test_a_store_at_an_address_of_this_machine_goes_by_its_clock(
    tmp_path: Path, endpoint: str, own: bool
) -> None:
    part = StorePart(name="main", kind="s3", endpoint=endpoint, bucket="bucket")
    app = App(Settings(site="north", node="n1", data=tmp_path, stores=(part,)))
    assert app.upkeep.is_own_clock("store main") is own
    assert not app.upkeep.is_own_clock(SERVICE)
    assert set(app.upkeep.other_clocks) == {SERVICE, "the database", "store main"}
    app.close()


def test_a_clock_in_doubt_is_asked_about_once_a_minute_not_for_each_file() -> None:
    clock, catalog, asked = FakeClock(T0), SqlCatalog("sqlite://"), list[float]()

    def hangs() -> Instant:
        asked.append(clock.monotonic())
        clock.sleep(30)
        return T0 + YEAR

    proof = ClockProof(clock, catalog.progress, catalog.planning, {"store main": hangs})
    for _ in range(100):
        assert proof.present() is None
    assert len(asked) == 1
    clock.sleep(RESTS_S)
    assert proof.present() is None
    assert len(asked) == 2
    catalog.close()


def test_a_site_that_heard_its_parent_by_a_clock_that_was_ahead_counts_it_as_silent() -> None:
    box = Box()
    box.catalog.sites.put(SiteBeat(PARENT, "centre", "", T0 + YEAR))
    policy = parse_policy({"rules": [{"name": "all", "keep": {"any": "5h"}}]})
    facts = apply.facts_of(box.catalog, box.store, policy, "post", box.clock.now())
    assert facts.parent_silent_ns is not None
    assert facts.parent_silent_ns > 300 * DAY


def test_footage_that_waits_for_an_event_is_not_dropped_by_a_leap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, catalog = FakeClock(T0 + 2 * MINUTE), SqlCatalog("sqlite://", site="north")
    one = segment(0, 60)
    catalog.commits.add_segments([one], "spool:n1", T0)
    proof = ClockProof(clock, catalog.progress, catalog.planning, {})
    settings = SimpleNamespace(site=STREAM.site, event_wait_ns=5 * MINUTE)
    janitor = SimpleNamespace(janitor=SimpleNamespace(proof=proof))
    app: Any = SimpleNamespace(clock=clock, catalog=catalog, settings=settings, upkeep=janitor)
    mode = EventMode(app)
    mode.modes = {(STREAM.camera, STREAM.stream): "event"}
    assert mode.verdict(one.key) == "wait"
    leap(clock, YEAR)
    assert mode.verdict(one.key) == "wait"
    clock.sleep(FRESH_S)
    assert mode.verdict(one.key) == "wait", "nobody vouches for the clock"
    leap(clock, -YEAR)
    clock.sleep(RESTS_S)
    assert mode.verdict(one.key) == "drop"
    until = clock.now() + HOUR
    held = (str(STREAM.camera_id),)
    catalog.holds.add(Hold("h", held, TimeRange(T0, T0 + HOUR), "1", "r", "o", T0, until))
    leap(clock, YEAR)
    assert mode.verdict(one.key) == "ship", "a hold does not end by a leap"
    catalog.close()


def test_what_is_missing_is_not_called_lost_by_a_leap(tmp_path: Path) -> None:
    box = Keeping(tmp_path)
    main = box.stores["main"]
    one = box.segments[0]
    for store in box.stores.values():
        store.delete([one.key])
    box.scrubber.run(main, 90 * DAY, float("inf"))
    leap(box.clock, YEAR)
    box.clock.sleep(3600)
    assert box.scrubber.run(main, 2 * YEAR, float("inf")).lost == 0
    leap(box.clock, -2 * YEAR)
    box.clock.sleep(3600 * 6)
    assert box.scrubber.run(main, 2 * YEAR, float("inf")).lost == 0
    leap(box.clock, YEAR)
    box.clock.sleep(3600)
    assert box.scrubber.run(main, 2 * YEAR, float("inf")).lost == 1


def test_what_was_read_by_a_clock_that_was_ahead_is_read_again(tmp_path: Path) -> None:
    box = Keeping(tmp_path)
    main, one = box.stores["main"], box.segments[0]
    body = b"".join(main.read(one.key, 0, one.size_bytes))
    leap(box.clock, 30 * DAY)
    for store in box.stores.values():
        store.delete([one.key])
    assert box.scrubber.run(main, DAY, float("inf")).damaged == 1
    leap(box.clock, -30 * DAY)
    main.put(one.key, body, "video/mp4", {})
    box.clock.sleep(3600)
    again = box.scrubber.run(main, DAY, float("inf"))
    assert again.began < T0 + DAY, "a pass anew"
    assert box.catalog.integrity.damaged("main") == 0
