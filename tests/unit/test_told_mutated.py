"""Messages of the feed with anything in them: nothing of others changes, nothing ends in an error
that was not foreseen."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import inspect

from recorder.catalog.sql import SqlCatalog
from recorder.errors import RecorderError, StateError
from recorder.model.camera_document import parse_camera
from recorder.model.events import parse_event
from recorder.model.holds import Hold
from recorder.model.keys import StreamId
from recorder.model.timebase import SECOND, TimeRange
from recorder.sites.documents import documents_for_child, hear_child
from tests.support.make import T0
from tests.support.mutated import mutate
from tests.unit.test_told import NOW, Parent, beat, child, linked, message, one_of

__all__ = ["child"]


@pytest.fixture
def centre() -> Iterator[SqlCatalog]:
    """A catalog with footage, a camera and an event of its own, and footage of another child."""
    one = SqlCatalog("sqlite://")
    for known in (beat("post1"), beat("sub"), beat("post2", parent="sub")):
        one.sites.put(known)
    one.cameras.put(parse_camera("cam07", {"url": "rtsp://x/y", "group": "key"}), 1, None)
    one.commits.add_segment(one_of(StreamId("here", "cam07", "main")), "main", "e", 7)
    one.inbox.apply("sub", of_another_child(), NOW)
    one.events.add(parse_event({"camera": "cam07", "kind": "alarm"}, None, "own", "here", T0), b"i")
    yield one
    one.close()


def of_another_child() -> list[dict[str, Any]]:
    other = SqlCatalog("sqlite://", parent=True)
    other.commits.add_segment(one_of(StreamId("post2", "cam07", "main"), 60), "main", "e", 7)
    said: list[dict[str, Any]] = json.loads(json.dumps(other.outbox.take(9, NOW)[1]))
    other.close()
    return said


def all_rows(catalog: SqlCatalog) -> set[str]:
    found = set()
    with catalog.database.engine.connect() as db:
        for table in inspect(db).get_table_names():
            for row in db.exec_driver_sql(f'SELECT * FROM "{table}"').mappings():
                found.add(f"{table} {sorted(row.items())}")
    return found


def rows_of(catalog: SqlCatalog) -> set[str]:
    """Return all rows that do not name the child who speaks."""
    return {row for row in all_rows(catalog) if "'post1'" not in row}


@pytest.mark.parametrize("seed", range(4))
def test_whatever_a_child_says_it_changes_nothing_of_others_and_ends_in_no_error_of_ours(
    seed: int, child: SqlCatalog, centre: SqlCatalog
) -> None:
    rng, before, whole = random.Random(seed), rows_of(centre), message(child)
    for _ in range(60):
        body = copy.deepcopy(whole)
        for _ in range(rng.choice((1, 1, 2, 4))):
            mutate(body, rng)
        try:
            aside = hear_child(centre, body, "here", NOW)
            documents_for_child(centre, "here", "centre", "main", body, aside, now=NOW)
        except RecorderError:
            continue
    assert before <= rows_of(centre)


@pytest.mark.parametrize(
    "change",
    [
        {"k": "gone", "stream": "post2/cam07/main", "start": T0 + 60 * SECOND, "writer": "n1.1"},
        {"k": "camera", "name": "cam07", "group": "key", "stream": "post2/cam07/main"},
    ],
)
def test_who_does_not_speak_of_a_stream_does_not_take_it_from_who_does(
    change: dict[str, Any], child: SqlCatalog, centre: SqlCatalog
) -> None:
    before = rows_of(centre)
    hear_child(centre, {**message(child), "changes": [change]}, "here", NOW)
    assert before <= rows_of(centre)


def test_a_word_too_much_in_a_change_keeps_no_other_from_being_heard(
    child: SqlCatalog, centre: SqlCatalog
) -> None:
    body = message(child)
    next(one for one in body["changes"] if one["k"] == "camera")["stream"] = "x"
    hear_child(centre, body, "here", NOW)
    assert centre.events.image("e1") is not None


def test_of_what_is_gone_no_stream_is_made(child: SqlCatalog, centre: SqlCatalog) -> None:
    change = {"k": "gone", "stream": "far/away/main", "start": T0, "writer": "n1.1"}
    hear_child(centre, {**message(child), "changes": [change]}, "here", NOW)
    assert not any("'far'" in row for row in all_rows(centre))


def test_a_hold_from_above_that_is_not_understood_keeps_nothing_back_and_is_told_again(
    child: SqlCatalog, centre: SqlCatalog, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("h1", "h2"):
        centre.holds.add(Hold(name, ("cam07",), TimeRange(0, NOW), "c", "r", "o", 1))
    event = parse_event({"camera": "cam07", "kind": "alarm"}, None, "e9", "here", NOW)
    centre.events.add(replace(event, cameras=("post1/cam07",)), None)
    parent = Parent(centre, "nothing is odd")
    whole, told = parent.exchange, list[list[str]]()

    def odd(body: dict[str, Any]) -> dict[str, Any]:
        answer = whole(body)
        told.append([one["hold_id"] for one in answer.get("holds", ())])
        for one in answer.get("holds", ()):
            if one["hold_id"] == "h1":
                del one["range"]
        return answer

    link = linked(child, parent)
    parent.exchange = odd  # type: ignore[method-assign]
    for _ in range(3):
        link.exchange()
    assert [one.hold_id for one in child.holds.all()] == ["h2"]
    assert [one.event_id for one in child.events.touching(event.touched)] == ["e9"]
    assert told[-1] == ["h1", "h2"]
    assert len([one for one in caplog.records if "not understood" in one.message]) == 1


def test_states_of_a_message_that_another_process_overtook_are_not_taken_in(
    child: SqlCatalog, centre: SqlCatalog
) -> None:
    """It hung between its changes and its states."""
    said = {**message(child), "changes": [], "numbered": {"by": "p", "number": 5}}
    hear_child(centre, said, "here", NOW)
    (state,) = said["statuses"]
    late = {**said, "statuses": [{**state, "state": "failing"}]}
    late["numbered"] = {"by": "p", "number": 4}
    with pytest.raises(StateError, match="newer"):
        hear_child(centre, late, "here", NOW)
    assert [one.state for one in centre.statuses.all()] == ["recording"]
