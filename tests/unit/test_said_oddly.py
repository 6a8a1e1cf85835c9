"""What a child says of itself that others reckon with, and may be anything."""

from __future__ import annotations

from typing import Any

import pytest

from recorder.catalog.sql import SqlCatalog
from recorder.ports import StreamStatus
from recorder.sites.documents import documents_for_child, hear_child
from recorder.sites.shown import show_state
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
