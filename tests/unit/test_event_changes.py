"""What of an event can be changed, and what it touches then."""

from __future__ import annotations

import json
from typing import Any

import pytest

from recorder.errors import BadDocument, StateError
from recorder.model.event_changes import (
    changed_event,
    check_own,
    event_document,
    read_event_document,
)
from recorder.model.events import Event, check_same, parse_event
from recorder.model.timebase import HOUR, MINUTE, SECOND, TimeRange, format_instant
from tests.support.make import T0

NOW = T0 + HOUR


def alarm(**more: Any) -> Event:
    body = {"camera": "gate", "kind": "alarm", "at": format_instant(T0, 9), **more}
    return parse_event(body, None, "e1", "north", T0)


def test_an_alarm_that_goes_on_keeps_its_roll() -> None:
    changed = changed_event(alarm(post="1m"), {"end": format_instant(T0 + 5 * MINUTE)}, NOW)
    assert changed.range == TimeRange(T0, T0 + 5 * MINUTE)
    assert changed.touched == TimeRange(T0 - 10 * SECOND, T0 + 6 * MINUTE)
    assert (changed.version, changed.noted, changed.received) == (2, NOW, T0)


def test_roll_and_kind_are_changed_where_they_are_named() -> None:
    changed = changed_event(alarm(), {"pre": "2m", "post": 0, "kind": "manual"}, NOW)
    assert changed.touched == TimeRange(T0 - 2 * MINUTE, T0)
    assert changed.kind == "manual"


def test_attributes_are_merged_and_null_takes_them_away() -> None:
    event = alarm(attributes={"door": "open", "zone": 3})
    changed = changed_event(event, {"attributes": {"zone": None, "seen": True}}, NOW)
    assert changed.attributes == {"door": "open", "seen": True}
    assert changed_event(event, {"attributes": None}, NOW).attributes == {}


@pytest.mark.parametrize(
    ("patch", "said"),
    [
        ({"cameras": ["yard"]}, "cameras: cannot be changed"),
        ({"end": format_instant(T0 - SECOND)}, "end: is before start"),
        ({"end": format_instant(T0 + 48 * HOUR)}, "more than a day in the future"),
        ({"pre": "2h"}, "pre: must be between 0 and 1h"),
        ({"kind": "a b"}, "kind"),
        ({"attributes": [1]}, "attributes: must be an object"),
        ({"attributes": {"x": float("nan")}}, "attributes"),
        ({"start": None}, "start"),
        ({"version": 7}, "version: cannot be changed"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(patch: dict[str, Any], said: str) -> None:
    with pytest.raises(BadDocument, match=said):
        changed_event(alarm(), patch, NOW)


def test_an_event_of_another_site_is_changed_there() -> None:
    check_own(alarm(), "north")
    with pytest.raises(StateError, match="of site north"):
        check_own(alarm(), "centre")


def test_an_event_travels_whole_and_those_of_an_earlier_release_do_too() -> None:
    event = changed_event(alarm(attributes={"a": [1]}), {"kind": "manual"}, NOW)
    document = json.loads(json.dumps(event_document(event)))
    assert read_event_document(document) == event
    for name in ("version", "removed", "noted"):
        del document[name]
    old = read_event_document(document)
    assert (old.version, old.removed, old.noted) == (1, False, event.received)


def test_an_event_sent_again_is_known_and_another_under_its_id_is_refused() -> None:
    def sent(**more: Any) -> None:
        body = {"camera": "gate", "kind": "alarm", "id": "17", **more}
        check_same(parse_event(body, None, "e1", "north", NOW), known, body)

    known = alarm(id="17")
    sent()  # when it was is said by the first
    sent(at=format_instant(T0, 9), attributes={"door": "open"})
    with pytest.raises(StateError, match="its source is gate, not yard"):
        sent(camera="yard")
    with pytest.raises(StateError, match=r"its start is \S+, not "):
        sent(at=format_instant(NOW, 9))
    known = changed_event(known, {"start": format_instant(T0 - SECOND, 9)}, NOW)
    sent(at=format_instant(T0, 9))  # it may have been so when it was sent first
