"""What a child says of itself that others reckon with, and may be anything."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from recorder.catalog.sql import SqlCatalog
from recorder.errors import BadDocument, NotAllowed
from recorder.model.events import parse_event
from recorder.model.timebase import DAY
from recorder.ports import StreamStatus
from recorder.sites import speaker
from recorder.sites.documents import documents_for_child, hear_child
from recorder.sites.shown import show_state
from recorder.sites.told import hear
from tests.unit.test_told import NOW, STREAM, beat, centre, child, message

__all__ = ["centre", "child"]


@pytest.mark.parametrize("odd", [5, None, "x", [1], {"a": 5}, {"a": None}], ids=str)
def test_whatever_is_said_of_a_cameras_habits_its_state_is_shown(odd: Any) -> None:
    shown = show_state(StreamStatus(STREAM, "n1", "recording", "", "", "", 1, 2, {
        "habits": odd, "sound": odd,
    }))  # fmt: skip
    assert shown["state"] == "recording"
    assert shown["habits"] == ({"a": None} if isinstance(odd, dict) else {})
    assert shown["sound"] == (odd if isinstance(odd, str) else None)


@pytest.mark.parametrize("name", ["turn", "turn_was", "set_aside"])
def test_what_is_noted_here_of_a_child_it_cannot_say(
    name: str, child: SqlCatalog, centre: SqlCatalog
) -> None:
    body = message(child)
    body["facts"][name] = body["sites"][0]["facts"][name] = "x"
    hear_child(centre, body, "here", NOW)
    below = {**message(child), "site": "below", "changes": [{"k": "wish"}], "statuses": [],
             "nodes": [], "sites": [], "holds": {}}  # fmt: skip
    later = NOW + 120 * 10**9  # when it has moved
    centre.sites.put(beat("post1", NOW))
    for one in (message(child), below):
        aside = hear_child(centre, one, "here", later)
        answer = documents_for_child(centre, "here", "centre", "main", one, aside, now=later)
        assert isinstance(answer["turn"], int)


@pytest.mark.parametrize(
    ("part", "odd"),
    [("sites", {"name": "county"}), ("statuses", {"stream": "county/cam07/main"}),
     ("changes", {"stream": "county/cam07/main"}), ("nodes", {"node": "county/n1",
                                                              "site": "county"})],
)  # fmt: skip
def test_a_child_says_nothing_of_the_site_above_its_parent_s_own(
    part: str, odd: dict[str, Any], child: SqlCatalog
) -> None:
    """Else it would be known as below, and what comes from there not be heard any more."""
    body = message(child)
    if part == "changes":
        body[part] = [one for one in body[part] if one["k"] == "segment"]
    body[part][0].update(odd)
    sites = [beat("post1"), beat("..", NOW, site="county")]
    told = hear(body, "here", sites, [], NOW)
    assert [one.why for one in told.aside] == ["county is above this site"]
    assert "county" not in [one.name for one in told.sites]
    with pytest.raises(NotAllowed, match="is above this site"):
        hear({**message(child), "site": "county"}, "here", sites, [], NOW)
    assert hear(body, "here", [beat("post1"), beat("..", NOW - 2 * DAY, site="county")], [], NOW)


def test_events_of_the_site_above_are_not_told_to_it(child: SqlCatalog) -> None:
    """It sets them aside, each time that all is told anew."""
    child.sites.put(beat("..", NOW, site="centre"))
    from_above = parse_event({"camera": "cam07", "kind": "alarm"}, None, "e9", "centre", NOW)
    child.events.take([(from_above, None)], NOW)
    child.outbox.begin_anew(NOW)
    told = [one["id"] for one in child.outbox.take(100, NOW)[1] if one["k"] == "event"]
    assert told == ["e1"]


def test_a_child_makes_up_no_more_sites_than_can_be_below_it(monkeypatch: Any, child: Any) -> None:
    """All of them are read for each message of each child."""
    monkeypatch.setattr(speaker, "MOST_BELOW", 3)
    body = message(child)
    known = [beat("post1"), beat("old", parent="post1"), beat("post2")]
    for names in (["old", "a", "b"], ["c", "old", "d"]):
        body["sites"] = [asdict(beat(name)) for name in names]
        told = hear(body, "here", known, [], NOW)
        assert [one.name for one in told.sites] == [*names[:2], "post1"]
        assert [one.why for one in told.aside] == ["more than 3 sites below one"]
    body["sites"] = body["nodes"] = [{}] * 10_001
    with pytest.raises(BadDocument, match="nodes must be a list, of 10000 at most"):
        hear(body, "here", known, [], NOW)
