"""What a catalog must do for events that are changed and removed, whatever its database."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from sqlalchemy import insert, update

from recorder.catalog import schema
from recorder.catalog.sql import SqlCatalog
from recorder.errors import NotFound, StaleVersion
from recorder.model.event_changes import changed_event
from recorder.model.events import Event, parse_event, parse_point
from recorder.model.keys import CameraId
from recorder.model.timebase import HOUR, MINUTE, SECOND, TimeRange, format_instant
from recorder.model.versions import Expected
from tests.support.make import T0

GATE = CameraId("north", "gate")
ALL = TimeRange(0, T0 + 100 * HOUR)


def alarm(name: str = "e1", site: str = "north", at: int = T0) -> Event:
    body = {"camera": "gate", "kind": "alarm", "id": name, "at": format_instant(at, 9)}
    event = parse_event(body, None, "x", site, at)
    return replace(event, cameras=(f"{site}/gate",))


def later(**patch: Any) -> partial[Event]:
    return partial(changed_event, patch=patch, now=T0 + HOUR)


def told(catalog: SqlCatalog) -> list[dict[str, Any]]:
    numbers, said = catalog.outbox.take(100, 10**19 // 4)
    catalog.outbox.drop(numbers)
    found: list[dict[str, Any]] = json.loads(json.dumps(said))
    return [one for one in found if one["k"] == "event"]


class EventContract:
    """Subclassed with ``catalog`` by :mod:`tests.contract.test_catalogs`."""

    def test_events_touch_the_cameras_of_their_point_and_count_once(
        self, catalog: SqlCatalog
    ) -> None:
        point = catalog.points.put(parse_point("door", {"cameras": ["cam07", "cam08"]}))
        assert (point.version, catalog.points.put(point).version) == (1, 2)
        event = parse_event(
            {"point": "door", "at": "2026-01-05T14:00:00Z", "id": "e1"}, point, "x", "north", T0
        )
        assert catalog.events.add(event, b"jpeg")
        assert not catalog.events.add(event, None)
        known = replace(event, has_image=True, noted=event.received)
        assert catalog.events.touching(event.touched) == [known]
        assert catalog.events.touching(event.touched, [CameraId("north", "cam08")]) == [known]
        assert catalog.events.touching(event.touched, [CameraId("north", "cam09")]) == []
        assert catalog.events.image("e1") == b"jpeg"
        cam07 = CameraId("north", "cam07")
        assert catalog.events.windows(event.touched, cam07) == [(cam07, event.touched, "alarm")]
        late = TimeRange(event.touched.end, event.touched.end + 1)
        assert catalog.events.windows(late) == []
        assert catalog.points.delete("door")
        assert catalog.points.all() == []

    def test_an_event_that_is_changed_touches_what_it_says_then_and_is_told_again(
        self, catalog: SqlCatalog
    ) -> None:
        catalog.events.add(alarm(), b"jpeg")
        told(catalog)
        end = T0 + 10 * MINUTE
        changed = catalog.events.change("e1", later(end=format_instant(end), attributes={"a": 1}))
        assert (changed.version, changed.range.end, changed.attributes) == (2, end, {"a": 1})
        touched = TimeRange(T0 - 10 * SECOND, end + 30 * SECOND)
        assert catalog.events.windows(ALL) == [(GATE, touched, "alarm")]
        assert catalog.events.get("e1") == changed
        assert catalog.events.image("e1") == b"jpeg", "what is not named stays"
        assert list(catalog.agreeing.differences()) == []
        with catalog.database.write() as db:
            db.execute(update(schema.event).values(kind="other"))
            of_none = {"site": "north", "camera": "gate", "event_id": "e0", "kind": "alarm"}
            db.execute(insert(schema.touch).values(**of_none, start_ns=T0, end_ns=T0 + 1))
        assert [what for what, _ in catalog.agreeing.differences()] == ["event e1", "event e0"]
        (said,) = told(catalog)
        assert (said["version"], said["range"][1], said["removed"]) == (2, end, False)

    def test_an_event_that_is_removed_touches_nothing_and_never_comes_back(
        self, catalog: SqlCatalog
    ) -> None:
        catalog.events.add(alarm(), b"jpeg")
        told(catalog)
        assert catalog.events.remove("e1", T0 + HOUR)
        assert not catalog.events.remove("e1", T0 + HOUR)
        assert catalog.events.windows(ALL) == []
        assert catalog.events.touching(ALL) == catalog.events.page(ALL, (), None, None, 9) == []
        assert (catalog.events.get("e1"), catalog.events.image("e1")) == (None, None)
        assert not catalog.events.add(alarm(), None), "a second word of it is not news"
        assert catalog.events.take([(alarm(), None)]) == 0
        assert catalog.events.windows(ALL) == []
        assert list(catalog.agreeing.differences()) == []
        (said,) = told(catalog)
        assert (said["removed"], said["image"]) == (True, None)
        with pytest.raises(NotFound):
            catalog.events.change("e1", later(kind="manual"))

    def test_a_change_meant_for_another_version_changes_nothing(self, catalog: SqlCatalog) -> None:
        catalog.events.add(alarm(), None)
        catalog.events.change("e1", later(kind="manual"), Expected('"1"'))
        for change in (
            lambda: catalog.events.change("e1", later(kind="motion"), Expected('"1"')),
            lambda: catalog.events.remove("e1", T0, Expected('"1"')),
        ):
            with pytest.raises(StaleVersion):
                change()
        found = catalog.events.get("e1")
        assert found is not None
        assert (found.kind, found.version) == ("manual", 2)

    def test_a_parent_follows_changes_in_whatever_order_it_hears_of_them(
        self, catalog: SqlCatalog
    ) -> None:
        child = SqlCatalog("sqlite://", parent=True, site="post1")
        child.events.add(alarm(site="post1"), b"jpeg")
        first = told(child)
        child.events.change("e1", later(end=format_instant(T0 + MINUTE)))
        second = told(child)
        child.events.remove("e1", T0 + 2 * HOUR)
        third = told(child)
        gate = CameraId("post1", "gate")
        touched = TimeRange(T0 - 10 * SECOND, T0 + 90 * SECOND)
        catalog.inbox.apply("post1", second, 9)
        assert [one["version"] for one in told(catalog)] == [2]
        catalog.inbox.apply("post1", first, 9)
        assert catalog.events.windows(ALL) == [(gate, touched, "alarm")]
        assert catalog.events.image("e1") == b"jpeg"
        catalog.inbox.apply("post1", third, 9)
        assert [one["version"] for one in told(catalog)] == [3]
        catalog.inbox.apply("post1", second, 9)
        assert catalog.events.windows(ALL) == []
        assert told(catalog) == [], "what is no news is told to nobody"
        child.close()

    def test_nobody_changes_an_event_of_another_site(self, catalog: SqlCatalog) -> None:
        catalog.events.add(alarm(), None)
        other = replace(alarm(site="post1"), version=9, removed=True)
        assert catalog.events.take([(other, None)]) == 1, "its own, under another name"
        said = [{**one, "site": "post1", "version": 9} for one in told(catalog)]
        catalog.inbox.apply("post1", said, 9)
        found = catalog.events.get("e1")
        assert found is not None
        assert (found.site, found.version) == ("north", 1)

    def test_events_are_found_by_when_they_were_noted_and_those_of_some_sites_left_out(
        self, catalog: SqlCatalog
    ) -> None:
        for i in range(4):
            catalog.events.add(alarm(f"e{i}", at=T0 + i), None)
        catalog.events.remove("e0", T0 + HOUR)
        catalog.events.take([(alarm("p1", "post1"), None)], T0 + 2)
        found = [one.event_id for one in catalog.events.noted(T0 + 1, 99)]
        assert found == ["e2", "p1", "e3", "e0"]
        found = [one.event_id for one in catalog.events.noted(T0, 3, {"post1"})]
        assert found == ["e1", "e2", "e3"]
        (gone,) = catalog.events.noted(T0 + MINUTE, 9)
        assert (gone.event_id, gone.removed, gone.touched) == ("e0", True, gone.range)

    def test_each_who_asks_is_owed_every_version_until_it_has_it(self, catalog: SqlCatalog) -> None:
        owing = catalog.owed_events
        catalog.events.add(alarm("e1"), None)
        assert [one.event_id for one in owing.due("a", 9)] == ["e1"]
        catalog.events.add(alarm("e2", at=T0 - HOUR), None)
        assert [one.event_id for one in owing.due("a", 9)] == ["e2", "e1"]
        owing.settle("a", [("e1", 1), ("e2", 1)])
        catalog.events.change("e1", later(kind="manual"))
        owing.settle("a", [("e1", 1)])
        assert [(one.event_id, one.version) for one in owing.due("a", 9)] == [("e1", 2)]
        owing.begin("a")
        assert len(owing.due("a", 9)) == len(owing.due("b", 9)) == 2
