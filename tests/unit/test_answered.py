"""What a parent answers may be anything: the rest of it is heard, and what is told is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from recorder.catalog.sql import SqlCatalog
from recorder.errors import SiteUnreachable
from recorder.model.events import parse_event
from recorder.model.holds import Hold
from recorder.model.timebase import SECOND, TimeRange
from recorder.ports import SiteBeat
from tests.support.make import T0
from tests.unit.test_told import ALL, NOW, Parent, beat, child, linked

__all__ = ["child"]

HOLD = Hold("h1", ("post1/cam07",), TimeRange(T0, NOW), "c", "r", "ann", 1)
POLICY = {"rules": [{"name": "all", "keep": {"any": "30d"}}]}


@pytest.fixture
def centre() -> Iterator[SqlCatalog]:
    """A catalog with one of each that a child hears of."""
    one = SqlCatalog("sqlite://")
    one.sites.put(beat("post1"))
    one.holds.add(HOLD)
    event = parse_event({"camera": "cam07", "kind": "alarm"}, None, "e9", "here", NOW)
    one.events.add(replace(event, cameras=("post1/cam07",)), None)
    one.documents.put("policy", POLICY, "ann", NOW)
    one.child_cameras.put("post1", "gate", {"streams": {"main": {"url": "rtsp://a/b"}}}, "a", NOW)
    yield one
    one.close()


class OddParent(Parent):
    """A parent some of whose answers are odd, each time."""

    def __init__(self, catalog: SqlCatalog, odd: dict[str, Any]) -> None:
        super().__init__(catalog, "nothing is refused", "c1")
        self.says = odd

    def exchange(self, body: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(json.dumps(super().exchange(body)))
        for name, value in self.says.items():
            answer[name] = [*value, *answer[name]] if isinstance(answer.get(name), list) and (
                isinstance(value, list)) else value  # fmt: skip
        return answer


def heard(child: SqlCatalog) -> dict[str, bool]:
    return {
        "holds": any(one.hold_id == "h1" for one in child.holds.all()),
        "events": any(one.event_id == "e9" for one in child.events.touching(TimeRange(0, 2 * NOW))),
        "policy": child.documents.newest("policy") is not None,
        "cameras": any(one.name == "gate" for one in child.cameras.all()),
    }


CAMERA = {"site": "post1", "name": "yard", "body": None, "author": "a", "at": 1}
ODD: list[dict[str, Any]] = [
    {"again": "x"}, {"again": ["x", -1, 10**40]}, {"holds": [5]}, {"events": [None]},
    {"word": 5}, {"word": ["x"]}, {"cameras": [5]}, {"cameras": [{**CAMERA, "at": "x"}]},
    {"cameras": [{**CAMERA, "name": []}]}, {"cameras": [{**CAMERA, "author": None}]},
    {"set_aside": [{}]}, {"set_aside": 5}, {"set_aside_count": "x"}, {"keys": ["x", 5]},
    {"keys": 5}, {"audit": {"signature": "x"}}, {"audit": {"old": "x"}}, {"audit": 5},
    {"level": []}, {"store": "\ud800"}, {"store_id": {}}, {"catalog": 5}, {"holds_digest": None},
    {"turn": "x"}, {"turn_was": []}, {"policy": 5}, {"holds": 5}, {"events": 5},
    {"cameras": 5},
]  # fmt: skip


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_one_odd_thing_in_an_answer_keeps_no_other_from_being_heard_nor_told(
    odd: dict[str, Any], child: SqlCatalog, centre: SqlCatalog
) -> None:
    link = linked(child, OddParent(centre, odd))
    for _ in range(3):
        link.exchange()
    assert child.outbox.depth()[0] == 0
    instead = {name for name, value in odd.items() if not isinstance(value, list)}
    assert [name for name, was in heard(child).items() if not was and name not in instead] == []


@pytest.mark.parametrize("site", ["", "..", "a/b", 5, None])
def test_an_answer_that_names_no_site_is_none(
    site: object, child: SqlCatalog, centre: SqlCatalog
) -> None:
    waiting = None
    link = linked(child, OddParent(centre, {"site": site}))
    for _ in range(2):
        with pytest.raises(SiteUnreachable):
            link.exchange()
        waiting = waiting or child.outbox.depth()[0]
    assert child.outbox.depth()[0] == waiting != 0
    assert not any(heard(child).values())


def test_a_parent_takes_back_no_event_of_a_site_that_is_heard_from_below(
    child: SqlCatalog, centre: SqlCatalog
) -> None:
    """What that event touches would go as if nothing had been there."""
    event = replace(
        parse_event({"camera": "gate", "kind": "alarm"}, None, "e5", "post9", T0), noted=T0
    )
    child.sites.put(SiteBeat("post9", "post", "", NOW, {}))
    child.events.take([(event, None)], T0)
    word = {
        "event_id": "e5", "site": "post9", "kind": "alarm", "source": "gate", "cameras": ["gate"],
        "range": [T0, T0], "touched": [T0, T0 + SECOND], "received": T0, "attributes": {},
        "version": 9, "removed": True,
    }  # fmt: skip
    link = linked(child, OddParent(centre, {"events": [word]}))
    for _ in range(2):
        link.exchange()
    assert "e5" in [one.event_id for one in child.events.touching(ALL)]
