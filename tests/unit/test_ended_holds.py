"""Holds that ended long ago are told no more, and who still believes in one hears that it ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from recorder.catalog.sql import SqlCatalog
from recorder.errors import BadDocument, NotAllowed
from recorder.janitor.holding import release
from recorder.model.holds import Hold
from recorder.model.timebase import DAY, HOUR, SECOND, TimeRange
from recorder.sites import said
from recorder.sites.link import Link
from recorder.sites.said import HOLDS_TOLD_S
from tests.support.clock import FakeClock
from tests.support.make import T0
from tests.unit.test_told import NOW, STREAM, Parent, linked, one_of

HOLD = Hold("case-17", (str(STREAM.camera_id),), TimeRange(T0, T0 + HOUR), "", "", "boss", T0)


class Heard(Parent):
    """A parent whose answers are kept."""

    def exchange(self, body: dict[str, Any]) -> dict[str, Any]:
        self.answer = super().exchange(body)
        return self.answer

    @property
    def told(self) -> list[str]:
        return [one["hold_id"] for one in self.answer["holds"]]


class Two:
    """A centre that placed a hold, and a post that has footage of it."""

    def __init__(self, stack: ExitStack) -> None:
        self.centre, self.post = SqlCatalog("sqlite://"), SqlCatalog("sqlite://", parent=True)
        for one in (self.centre, self.post):
            stack.callback(one.close)
        self.post.commits.add_segment(one_of(STREAM, 0), "main", "e", 7)
        self.centre.holds.add(HOLD)
        self.link = self.linked()

    def linked(self) -> Link:
        self.parent = Heard(self.centre, "never")
        return linked(self.post, self.parent)

    def pass_(self, seconds: float) -> None:
        """Let time pass for both."""
        clock = self.link.clock
        assert isinstance(clock, FakeClock)
        clock.sleep(seconds)
        self.parent.now = clock.now()

    @property
    def live(self) -> list[str]:
        return [one.hold_id for one in self.post.holds.live(self.link.clock.now())]


@pytest.fixture
def two() -> Iterator[Two]:
    with ExitStack() as stack:
        yield Two(stack)


def test_what_a_site_is_told_does_not_grow_with_what_was_ever_held(two: Two) -> None:
    for number in range(20):
        two.centre.holds.add(replace(HOLD, hold_id=f"old-{number}", released=T0 - 1))
        two.centre.holds.add(replace(HOLD, hold_id=f"over-{number}", expires=T0 - 1))
    two.centre.holds.add(replace(HOLD, hold_id="just", released=NOW - HOUR + SECOND))
    two.link.exchange()
    assert two.parent.told == ["case-17", "just"]
    two.link.exchange()
    assert two.parent.told == []
    two.pass_(10)
    two.link.exchange()  # what ended is told no more
    two.link.exchange()
    assert (two.parent.told, two.live) == ([], ["case-17"])


def test_a_site_that_was_away_when_a_hold_ended_hears_of_it_when_it_speaks_of_it(two: Two) -> None:
    two.link.exchange()
    assert two.live == ["case-17"]
    two.centre.holds.release("case-17", "boss", two.link.clock.now())
    two.pass_(40 * DAY / SECOND)
    for _ in range(3):
        two.link.exchange()
    assert two.live == []
    assert two.post.holds.named(["case-17"])[0].released_by == "boss"
    two.pass_(HOLDS_TOLD_S)
    two.link.exchange()
    two.link.exchange()
    assert two.parent.told == [], "it is not told for ever"


def test_what_cannot_be_an_id_is_asked_of_no_catalog(two: Two) -> None:
    for odd in ("\ud800", "a\x00"):
        body = {**two.link._message(()), "holds": {odd: {"post1": {}}, "case-17": {}}}
        two.parent.exchange(body)
        assert two.parent.told == ["case-17"]


def test_a_child_that_speaks_of_more_holds_than_anybody_has_is_refused(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(said, "MOST_SPOKEN_OF", 2)
    body = {**two.link._message(()), "holds": {"a": {}, "b": {}}}
    two.parent.exchange(body)
    with pytest.raises(BadDocument, match="holds must be 2 at most"):
        two.parent.exchange({**body, "holds": {"a": {}, "b": {}, "c": {}}})


def test_a_hold_that_expired_by_a_clock_above_that_is_ahead_is_still_one_from_above(
    two: Two,
) -> None:
    two.centre.holds.add(replace(HOLD, hold_id="month", expires=NOW + 30 * DAY))
    two.link.exchange()
    two.parent.now = NOW + 400 * DAY
    two.centre.holds.add(replace(HOLD, hold_id="new"))
    link = two.linked()  # a new start: all that is told is told again
    two.parent.now = NOW + 400 * DAY
    link.exchange()
    assert two.parent.told == ["case-17", "month", "new"], "the site spoke of it"
    link.exchange()
    assert two.parent.told == ["case-17", "new"]
    assert set(two.live) == {"case-17", "month", "new"}
    for name in two.live:
        with pytest.raises(NotAllowed):
            release(two.post, name, "me", NOW)


def test_what_a_hold_of_years_keeps_takes_a_twentieth_of_the_time_to_look_for(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    two.link.exchange()
    two.pass_(20)
    looked = list[float]()
    begin = two.link.clock.monotonic()

    def slow(*_: object) -> tuple[int, int]:
        looked.append(two.link.clock.monotonic() - begin)
        two.pass_(3)
        return 0, 0

    monkeypatch.setattr(two.post.footage, "amount", slow)
    monkeypatch.setattr(two.post.footage, "segments", None)
    for _ in range(150):
        two.link.holds.to_tell(two.link.clock.now())
        two.pass_(1)
    assert looked == [0, 60, 120]


def test_nothing_is_remembered_of_holds_that_ended(two: Two) -> None:
    two.link.exchange()
    assert set(two.link.from_parent.known_holds) == {"case-17"}
    two.centre.holds.release("case-17", "boss", two.link.clock.now())
    two.pass_(2)
    for _ in range(2):
        two.link.exchange()
    assert two.link.holds._footage_of == {}
    two.centre.holds.add(replace(HOLD, hold_id="new"))
    two.pass_(2 * HOUR / SECOND)
    two.link.exchange()
    assert set(two.link.from_parent.known_holds) == {"new"}


def test_what_a_store_keeps_of_holds_is_read_again_when_one_was_written(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    two.centre.kept.take()
    other = two.centre.documents.put
    other("note", {"a": 1}, "ann", NOW)
    monkeypatch.setattr("recorder.catalog.kept.read_holds", nothing_read)
    assert two.centre.kept.take()["documents"] != []
    monkeypatch.undo()
    two.centre.holds.release("case-17", "boss", NOW)
    held: Any = two.centre.kept.take()["holds"]
    assert [one["released_by"] for one in held] == ["boss"]


def nothing_read(*_: object) -> list[Hold]:
    raise AssertionError("holds were read again")
