"""What a site tells its parent once more: all of it anew, or what could not be taken in yet."""

from __future__ import annotations

import json
from typing import cast

import pytest

from recorder.catalog.outbox import PUT_OFF
from recorder.catalog.sql import SqlCatalog
from recorder.errors import SiteUnreachable
from recorder.model.keys import StreamId
from recorder.model.timebase import DAY, SECOND
from recorder.sites.parent import STEADY_S
from recorder.sites.told import hear
from tests.support.clock import FakeClock
from tests.unit.test_told import (
    ALL,
    KNOWN,
    NOW,
    STREAM,
    Parent,
    centre,
    child,
    linked,
    message,
    one_of,
)

__all__ = ["centre", "child"]


def test_what_lies_in_the_future_of_the_parents_clock_is_told_again_until_that_is_right(
    child: SqlCatalog, centre: SqlCatalog
) -> None:
    parent = Parent(centre, "nothing is odd")
    link = linked(child, parent)
    parent.now = NOW - 400 * DAY
    while link.exchange():
        pass
    assert centre.footage.segments(STREAM, ALL) == []
    assert "future" in link.refused["why"]
    assert child.outbox.depth()[0] > 0, "it is not forgotten"
    parent.now = NOW
    assert link.exchange() == 0, "it rests"
    cast(FakeClock, link.clock).sleep(PUT_OFF / SECOND)
    parent.now += PUT_OFF
    while link.exchange():
        pass
    assert centre.footage.segments(STREAM, ALL) == child.footage.segments(STREAM, ALL)
    assert centre.footage.gaps(STREAM, ALL) == child.footage.gaps(STREAM, ALL)
    assert centre.events.image("e1") == child.events.image("e1")
    assert child.outbox.depth()[0] == 0


def test_what_went_while_a_parent_had_lost_sight_of_a_site_is_forgotten_there(
    child: SqlCatalog, centre: SqlCatalog
) -> None:
    link = linked(child, Parent(centre, "nothing is odd", "c1"))
    while link.exchange():
        pass
    before = centre.footage.segments(STREAM, ALL)
    assert before
    stale = one_of(STREAM, 120)
    centre.commits.add_segment(stale, "post1/main", "", NOW)
    centre.commits.add_segment(before[0], "main", "", NOW)
    centre.commits.add_segment(one_of(STREAM, 180), "post1/main", "", NOW)
    centre.commits.add_segment(one_of(STREAM, 180), "main", "", NOW)
    link = linked(child, Parent(centre, "nothing is odd", "c2"))
    for _ in range(4):
        link.exchange()
    left = centre.footage.segments(STREAM, ALL)
    assert [one.key for one in left] == [before[0].key, one_of(STREAM, 180).key]
    places = centre.footage.copies(left)
    assert [[copy.place for copy in places[one.key]] for one in left] == [
        ["main", "post1/main"], ["main"],
    ]  # fmt: skip


def test_telling_anew_ends_only_when_all_of_it_was_heard(child: SqlCatalog) -> None:
    child.outbox.begin_anew(NOW)
    child.outbox.begin_anew(NOW)
    child.commits.add_segment(one_of(STREAM, 240), "main", "", NOW)
    kinds = []
    while True:
        numbers, said = child.outbox.take(1, NOW)
        if not numbers:
            break
        kinds += [one.get("what", one["k"]) for one in said]
        child.outbox.drop(numbers)
    begin, end = kinds.index("begin"), kinds.index("end")
    assert kinds.count("begin") == kinds.count("end") == 1, "what was begun twice is told once"
    assert set(kinds[begin + 1 : end]) == {"camera", "segment", "gap", "event"}
    assert kinds[end + 1 :] == ["segment"], "what came since is no part of it"


def test_what_was_put_off_by_a_clock_that_was_ahead_does_not_wait_for_that_time(
    child: SqlCatalog,
) -> None:
    numbers, said = child.outbox.take(100, NOW)
    child.outbox.drop(numbers, said, NOW)
    assert child.outbox.take(100, NOW) == ([], [])
    assert sorted(map(json.dumps, child.outbox.take(100, NOW + PUT_OFF)[1])) == sorted(
        map(json.dumps, said)
    )
    assert child.outbox.take(100, NOW - DAY)[1], "the clock that put it off is set back"


def test_a_child_whose_clock_went_back_is_heard(child: SqlCatalog, centre: SqlCatalog) -> None:
    link = linked(child, Parent(centre, "nothing is odd"))
    cast(FakeClock, link.clock).at = 1000
    while link.exchange():
        pass
    assert centre.footage.segments(STREAM, ALL) == child.footage.segments(STREAM, ALL)
    (beat,) = (one for one in centre.sites.all() if one.name == "post1")
    assert beat.facts["lag_s"] == 0
    body = message(child)
    body["facts"]["lag_s"] = -3e9
    assert hear(body, "here", KNOWN, [], NOW).child == "post1", "of an older release"


def test_what_a_child_is_not_heard_of_any_more_is_not_forgotten_when_it_tells_all_anew(
    child: SqlCatalog, centre: SqlCatalog
) -> None:
    moved = one_of(StreamId("post2", "yard", "main"))
    centre.commits.add_segment(moved, "post1/main", "", NOW)
    centre.commits.add_segment(moved, "post3/main", "", NOW)
    with centre.database.write() as db:
        db.exec_driver_sql("UPDATE stream SET via = 'post3' WHERE site = 'post2'")
    centre.inbox.begin_anew("post1", 1)
    assert centre.inbox.end_anew("post1", NOW) == 0
    places = [copy.place for copy in centre.footage.copies([moved])[moved.key]]
    assert places == ["post1/main", "post3/main"]


def test_what_could_not_be_taken_in_yet_is_not_forgotten_with_the_rest(
    child: SqlCatalog, centre: SqlCatalog
) -> None:
    link = linked(child, Parent(centre, "nothing is odd", "c1"))
    while link.exchange():
        pass
    known = centre.footage.segments(STREAM, ALL)
    behind = Parent(centre, "nothing is odd", "c2")
    behind.now = NOW - 400 * DAY
    link = linked(child, behind)
    for _ in range(4):
        link.exchange()
    assert centre.footage.segments(STREAM, ALL) == known


def test_two_parents_behind_one_address_are_not_told_all_anew_in_turn(
    child: SqlCatalog, centre: SqlCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, other = Parent(centre, "odd odd", "c1"), SqlCatalog("sqlite://")
    second = Parent(other, "odd odd", "c2")
    link, anew = linked(child, first), list[int]()
    begin_anew = child.outbox.begin_anew

    def begun(*said: object) -> int:
        anew.append(1)
        return begin_anew(*said)  # type: ignore[arg-type]

    monkeypatch.setattr(child.outbox, "begin_anew", begun)
    for number in range(20):
        answers = (first, second)[number % 2]
        link.parent = answers  # type: ignore[assignment]
        if number > 1 and answers is first:
            child.commits.add_segment(one_of(STREAM, 600 + 60 * number), "main", "", NOW)
            with pytest.raises(SiteUnreachable, match=r"two catalogs in turn: c2 .*, and c1"):
                link.exchange()
        else:
            link.exchange()
        cast(FakeClock, link.clock).sleep(1)
    assert len(anew) == 1
    assert other.footage.segments(STREAM, ALL) == child.footage.segments(STREAM, ALL), (
        "what the first heard meanwhile is told to the one that counts"
    )
    cast(FakeClock, link.clock).sleep(STEADY_S)
    link.parent = first  # type: ignore[assignment]
    link.exchange()
    assert len(anew) == 2, "in time it is the parent again"
    other.close()
