"""Events are kept in the stores, and taken back from there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest

from recorder.catalog.sql import SqlCatalog
from recorder.errors import StoreUnavailable
from recorder.janitor import keeping_events
from recorder.janitor.keeping_events import EventKeeper
from recorder.model.event_changes import changed_event
from recorder.model.events import Event, parse_event
from recorder.model.timebase import DAY, HOUR, MINUTE, SECOND, TimeRange, format_instant
from recorder.store.kept import EVENTS, is_reserved
from recorder.store.memory import MemoryStore
from tests.support.make import T0

ALL = TimeRange(0, T0 + 1000 * DAY)


def alarm(number: int, at: int | None = None) -> Event:
    when = T0 + number * SECOND if at is None else at
    body = {"camera": "gate", "kind": "alarm", "id": f"e{number}", "at": format_instant(when, 9)}
    return parse_event(body, None, "x", "north", when)


class Site:
    def __init__(self) -> None:
        self.catalog = SqlCatalog("sqlite://", site="north")
        self.store = MemoryStore("main")
        self.keeper = EventKeeper(self.catalog, "north")

    def lose(self) -> None:
        """Begin with a new catalog and a new process."""
        self.catalog.close()
        self.catalog = SqlCatalog("sqlite://", site="north")
        self.keeper = EventKeeper(self.catalog, "north")

    def written(self) -> list[str]:
        return [one.key for one in self.store.list(EVENTS)]


@pytest.fixture
def site() -> Iterator[Site]:
    one = Site()
    yield one
    one.catalog.close()


def test_what_events_touch_is_known_again_after_the_catalog_was_lost(site: Site) -> None:
    for i in range(3):
        site.catalog.events.add(alarm(i), b"\xff\xd8" if i == 1 else None)
    site.keeper.keep(site.store, T0 + MINUTE)
    change = partial(changed_event, patch={"end": format_instant(T0 + HOUR)}, now=T0 + HOUR)
    site.catalog.events.change("e0", change)
    site.catalog.events.remove("e2", T0 + HOUR)
    site.keeper.keep(site.store, T0 + 2 * HOUR)
    windows = site.catalog.events.windows(ALL)
    site.lose()
    done = site.keeper.take_back([site.store])
    assert done.damaged == []
    assert site.catalog.events.windows(ALL) == windows
    assert len(windows) == 2
    assert site.catalog.events.image("e1") == b"\xff\xd8"
    assert site.keeper.keep(site.store, T0 + DAY) == 0, "what came from there is not written again"
    assert site.keeper.take_back([site.store]).events == 0


def test_an_event_of_a_site_that_is_below_another_by_now_is_known_again(site: Site) -> None:
    below = replace(alarm(0), site="post1")
    site.keeper.keep(site.store, T0)
    assert site.catalog.events.take([(below, None)], T0) == 1
    site.keeper.keep(site.store, T0 + MINUTE)
    site.lose()
    assert site.keeper.take_back([site.store]).events == 1, "nobody tells it any more"
    (found,) = site.catalog.events.touching(ALL)
    assert (found.site, found.event_id) == ("post1", "e0")


def test_each_event_is_written_once_and_nothing_is_where_nothing_happened(site: Site) -> None:
    site.catalog.events.add(alarm(0), None)
    assert [site.keeper.keep(site.store, T0 + i * SECOND) for i in (1, 2, 100)] == [1, 0, 0]
    site.catalog.events.add(replace(alarm(1), received=T0 - 30 * SECOND), None)
    assert site.keeper.keep(site.store, T0 + 101 * SECOND) == 1, "committed later than another"
    assert len(site.written()) == 2
    assert all(is_reserved(key) for key in site.written())


def test_many_events_are_written_by_parts(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping_events, "AT_ONCE", 2)
    monkeypatch.setattr(keeping_events, "MOST_OBJECTS", 2)
    for i in range(7):
        site.catalog.events.add(alarm(i), None)
    passes = [site.keeper.keep(site.store, T0 + MINUTE + i * SECOND) for i in range(9)]
    assert sum(passes) == 7
    assert max(passes) <= 4
    site.lose()
    assert site.keeper.take_back([site.store]).events == 7


def test_a_store_that_was_away_gets_all_of_it_and_another_waits_for_none(site: Site) -> None:
    other = MemoryStore("other")
    site.catalog.events.add(alarm(0), None)
    site.keeper.keep(other, T0 + SECOND)
    put, site.store.put = site.store.put, refuse  # type: ignore[method-assign,assignment]
    with pytest.raises(StoreUnavailable):
        site.keeper.keep(site.store, T0 + SECOND)
    site.store.put = put  # type: ignore[method-assign]
    site.catalog.events.add(alarm(500), None)
    assert site.keeper.keep(site.store, T0 + HOUR) == 2
    assert site.keeper.keep(other, T0 + HOUR) == 1


def refuse(*_: object) -> str:
    raise StoreUnavailable("away")


def test_an_event_of_a_clock_that_was_ahead_hides_none_that_comes_after(site: Site) -> None:
    site.catalog.events.add(alarm(0, T0 + 400 * DAY), None)
    site.keeper.keep(site.store, T0)
    site.catalog.events.add(alarm(1), None)
    assert [site.keeper.keep(site.store, T0 + i * SECOND) for i in (5, 6)] == [1, 0]
    site.lose()
    assert site.keeper.take_back([site.store]).events == 2


def test_an_object_that_is_damaged_is_named_and_the_others_are_taken(site: Site) -> None:
    for i in (0, 200, 400):
        site.catalog.events.add(alarm(i), None)
        site.keeper.keep(site.store, T0 + (i + 1) * SECOND)
    keys = site.written()
    (size,) = [one.size for one in site.store.list(keys[0])]
    body = b"".join(site.store.read(keys[0], 0, size))
    site.store.put(keys[0], body.replace(b"alarm", b"charm"), "", {})
    site.store.put(f"{EVENTS}north/2026-01-01/{'0' * 64}.jsonl", b"{", "", {})
    site.lose()
    done = site.keeper.take_back([site.store])
    assert done.events == 2
    assert [one.partition(": ")[2] for one in done.damaged] == ["is not what was written"] * 2


def test_events_that_came_in_one_message_are_all_written_however_many(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping_events, "AT_ONCE", 4)
    site.catalog.events.add(alarm(0), None)
    site.catalog.events.take([(alarm(i), None) for i in range(1, 12)], T0 + HOUR)
    assert site.keeper.keep(site.store, T0 + HOUR) == 12
    site.lose()
    assert site.keeper.take_back([site.store]).events == 12


def test_after_a_backup_was_restored_what_was_removed_since_stays_so_unless_it_was_changed(
    site: Site,
) -> None:
    def back_up_and_restore() -> None:
        site.lose()
        for i in range(2):
            site.catalog.events.add(alarm(i), None)

    for i in range(2):
        site.catalog.events.add(alarm(i), None)
    site.keeper.keep(site.store, T0 + MINUTE)
    for i in range(2):
        site.catalog.events.remove(f"e{i}", T0 + HOUR)
    site.keeper.keep(site.store, T0 + HOUR)
    back_up_and_restore()
    change = partial(changed_event, patch={"kind": "break-in"}, now=T0 + DAY)
    site.catalog.events.change("e1", change)
    site.keeper.keep(site.store, T0 + DAY)
    for _ in range(2):
        site.keeper.take_back([site.store])
        assert site.catalog.events.get("e0") is None, "removed before it was forgotten"
        found = site.catalog.events.get("e1")
        assert found is not None, "somebody has said since that there is one"
        assert found.kind == "break-in"
        site.lose()
