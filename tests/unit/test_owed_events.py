"""Events that a store or a site below has not yet: none is passed over, whatever clocks do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from recorder.app import App
from recorder.catalog.sql import SqlCatalog
from recorder.config import Settings
from recorder.janitor.keeping_events import EventKeeper
from recorder.janitor.owing import ANEW_NS, forget_silent, note_asked
from recorder.jobs.retention import keep_documents
from recorder.model.event_changes import changed_event
from recorder.model.events import Event, parse_event
from recorder.model.timebase import DAY, HOUR, MINUTE, SECOND, format_instant
from recorder.ports import SiteBeat
from recorder.sites import owed
from recorder.sites.owed import TAKEN, events_owed
from recorder.store.memory import MemoryStore
from tests.unit.test_told import NOW, Parent, linked


def alarm(name: str, noted: int = NOW, camera: str = "post1/gate") -> Event:
    body = {"camera": "gate", "kind": "alarm", "id": name, "at": format_instant(noted, 9)}
    event = parse_event(body, None, "x", "here", noted)
    return replace(event, cameras=(camera,))


def later(**patch: Any) -> partial[Event]:
    return partial(changed_event, patch=patch, now=NOW + HOUR)


@pytest.fixture
def centre() -> Iterator[SqlCatalog]:
    catalog = SqlCatalog("sqlite://", site="here")
    catalog.sites.put(SiteBeat("post1", "post", "", NOW, {}))
    yield catalog
    catalog.close()


@pytest.fixture
def child() -> Iterator[SqlCatalog]:
    catalog = SqlCatalog("sqlite://", parent=True)
    yield catalog
    catalog.close()


def known(catalog: SqlCatalog) -> set[str]:
    return {one.event_id for one in catalog.events.noted(-1, 999)}


def ids(events: list[Event]) -> list[str]:
    return [one.event_id for one in events]


def test_a_clock_that_was_ahead_for_days_and_is_right_again_passes_nothing_over(
    centre: SqlCatalog,
) -> None:
    store, keeper = MemoryStore("main"), EventKeeper(centre, "here")
    centre.events.add(alarm("ahead", NOW + 40 * DAY), None)
    keeper.keep(store, NOW + 40 * DAY)
    centre.events.add(alarm("while-away", NOW - HOUR), None)
    centre.events.add(alarm("right-again", NOW), None)
    assert keeper.keep(store, NOW + HOUR) == 2
    assert keeper.keep(store, NOW + HOUR) == 0


def test_what_is_changed_while_it_is_written_is_owed_again(centre: SqlCatalog) -> None:
    centre.events.add(alarm("e1"), None)
    (event,) = centre.owed_events.due("store main", 9)
    centre.events.change("e1", later(kind="manual"))
    centre.owed_events.settle("store main", [("e1", event.version)])
    (again,) = centre.owed_events.due("store main", 9)
    assert again.version == event.version + 1
    centre.owed_events.settle("store main", [("e1", again.version), ("unknown", 1)])
    assert centre.owed_events.due("store main", 9) == []
    centre.events.remove("e1", NOW + HOUR)
    assert [one.removed for one in centre.owed_events.due("store main", 9)] == [True]


def test_who_asks_later_or_begins_anew_is_owed_all_and_others_what_they_were(
    centre: SqlCatalog,
) -> None:
    for number in range(3):
        centre.events.add(alarm(f"e{number}", NOW + number * MINUTE), None)
    owing = centre.owed_events
    assert ids(owing.due("a", 9)) == ["e0", "e1", "e2"]
    assert ids(owing.due("b", 9, since=NOW)) == ["e1", "e2"], "of an earlier release"
    owing.settle("a", [("e0", 1), ("e1", 1), ("e2", 1)])
    owing.begin("b")
    assert ids(owing.due("b", 2)) == ["e0", "e1"]
    assert owing.due("a", 9) == []
    centre.events.take([(alarm("e3", NOW - DAY), None)])
    assert (ids(owing.due("a", 9)), ids(owing.due("b", 9))[0]) == (["e3"], "e3")


def test_a_child_gets_all_of_many_events_of_one_moment(
    centre: SqlCatalog, child: SqlCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owed, "BATCH", 3)
    names = [f"e{number}" for number in range(11)]
    centre.events.take([(alarm(name), None) for name in names], NOW)
    link = linked(child, Parent(centre, "nothing is odd", "c"))
    for _ in range(5):
        link.exchange()
    assert known(child) == set(names)
    centre.events.add(alarm("late", NOW - DAY), None)  # of a transaction that began long ago
    link.exchange()
    assert "late" in known(child)
    link.exchange()
    assert events_owed(centre, "post1", {"post1"}, NOW) == []


def test_what_touches_no_camera_of_a_child_keeps_nothing_from_it(
    centre: SqlCatalog, child: SqlCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owed, "BATCH", 3)
    for number in range(20):
        centre.events.add(alarm(f"a{number:02}", NOW + number, "post2/yard"), None)
    centre.events.add(alarm("z", NOW + MINUTE), None)
    linked(child, Parent(centre, "nothing is odd", "c")).exchange()
    assert known(child) == {"z"}


def test_what_a_child_did_not_say_it_has_is_told_again(
    centre: SqlCatalog, child: SqlCatalog
) -> None:
    centre.events.add(alarm("e1"), None)
    parent = Parent(centre, "nothing is odd", "c")
    link = linked(child, parent)
    link.exchange()
    answer = parent.exchange({**link._message([]), TAKEN: []})  # it died before it said so
    assert [one["event_id"] for one in answer["events"]] == ["e1"]
    link.exchange()
    assert parent.exchange(link._message([]))["events"] == []


def test_a_child_that_begins_anew_is_told_all_again(centre: SqlCatalog, child: SqlCatalog) -> None:
    centre.events.add(alarm("e1"), None)
    link = linked(child, Parent(centre, "nothing is odd", "c"))
    for _ in range(3):
        link.exchange()
    fresh = SqlCatalog("sqlite://", parent=True)
    parent = Parent(centre, "nothing is odd", "c")
    parent.now += ANEW_NS
    link = linked(fresh, parent)
    for _ in range(2):
        link.exchange()
    assert known(fresh) == {"e1"}
    fresh.close()


def test_a_child_of_an_earlier_release_goes_by_time(centre: SqlCatalog, child: SqlCatalog) -> None:
    for number in range(3):
        centre.events.add(alarm(f"e{number}", NOW + number * MINUTE), None)
    parent = Parent(centre, "nothing is odd", "c")
    parent.now = NOW + HOUR
    body = linked(child, parent)._message([])
    del body[TAKEN]
    answer = parent.exchange({**body, "events_heard": NOW + 2 * MINUTE})
    assert [one["event_id"] for one in answer["events"]] == ["e2"]


@pytest.mark.parametrize("odd", [[["e1"]], ["e1"], [[1, "e1"]], [["e1", None]], {"e1": 1}, 7])
def test_an_odd_word_of_what_was_taken_settles_nothing(centre: SqlCatalog, odd: object) -> None:
    centre.events.add(alarm("e1"), None)
    centre.owed_events.due("child post1", 9)
    owed.hear_taken(centre, "post1", {TAKEN: odd}, NOW)
    assert ids(centre.owed_events.due("child post1", 9)) == ["e1"]


def test_who_asks_each_second_to_be_owed_all_is_owed_it_once_in_a_while(
    centre: SqlCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        centre.events.add(alarm(f"e{number}", NOW + number), None)
    begun: list[str] = []
    begin = centre.owed_events.begin

    def counted(target: str, since: int = -1) -> None:
        begun.append(target)
        begin(target, since)

    monkeypatch.setattr(centre.owed_events, "begin", counted)

    def said(taken: object, second: int) -> None:
        owed.hear_taken(centre, "post1", {TAKEN: taken}, NOW + second * SECOND)

    for second in range(0, 300, 2):
        said(None, second)
        said([["e0", 1]], second + 1)
    assert len(begun) == 1
    assert ids(centre.owed_events.due("child post1", 9)) == ["e1", "e2"]
    said([], 300)
    assert ids(centre.owed_events.due("child post1", 9)) == ["e0", "e1", "e2"], "what it asked for"
    said([["e0", 1]], 700)
    assert ids(centre.owed_events.due("child post1", 9)) == ["e1", "e2"], "once"
    assert len(begun) == 2


def test_who_does_not_come_back_is_owed_nothing_until_it_asks_again(centre: SqlCatalog) -> None:
    store, keeper = MemoryStore("main"), EventKeeper(centre, "here")
    keeper.keep(store, NOW)
    centre.owed_events.begin("store gone")
    assert forget_silent(centre, NOW) == [], "of an earlier release: from now on"
    for day in range(32):
        centre.events.add(alarm(f"e{day}", NOW + day * DAY), None)
        keeper.keep(store, NOW + day * DAY)
        events_owed(centre, "post1", {"post1"}, NOW + day * DAY)
    assert forget_silent(centre, NOW + 31 * DAY) == ["store gone"]
    centre.events.add(alarm("late", NOW + 32 * DAY), None)
    assert centre.owed_events.targets() == ["child post1", "store main"]
    assert len(centre.owed_events.due("store gone", 99)) == 33, "all, when it comes back"


def test_the_job_that_keeps_documents_lets_go_of_who_is_silent(tmp_path: Path) -> None:
    app = App(Settings(data=tmp_path, site="here"))
    for target in ("store gone", "store slow"):
        app.catalog.owed_events.begin(target)
        note_asked(app.catalog, target, app.clock.now() - (40 if "gone" in target else 20) * DAY)
    keep_documents(app)
    assert set(app.catalog.owed_events.targets()) == {"store slow", "store main"}
    app.close()
