"""Two holds of one id, one placed above and one here: neither is the other, nor ends with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from recorder.catalog.sql import SqlCatalog
from recorder.errors import NotAllowed
from recorder.janitor.holding import release
from recorder.model.holds import Hold, name_from_above
from recorder.model.media import Copy
from recorder.model.timebase import SECOND, TimeRange
from recorder.sites.link import Link
from tests.support.make import T0
from tests.unit.test_told import NOW, STREAM, Parent, linked, one_of

FIRST, SECOND_MINUTE = (TimeRange(T0 + s * SECOND, T0 + (s + 60) * SECOND) for s in (0, 60))
CAMERA = (str(STREAM.camera_id),)
OURS = Hold("case-17", CAMERA, FIRST, "17", "theft", "post", T0)
THEIRS = Hold("case-17", CAMERA, SECOND_MINUTE, "17", "fire", "centre", T0 + 1)
HERE = name_from_above(THEIRS)


class Two:
    """A centre and a post, each with a hold that is called alike, and footage of both."""

    def __init__(self) -> None:
        self.centre, self.post = SqlCatalog("sqlite://"), SqlCatalog("sqlite://", parent=True)
        self.segments = [one_of(STREAM, start) for start in (0, 60)]
        for one in self.segments:
            self.post.commits.add_segment(one, "main", "e", 7)
        self.post.holds.add(OURS)
        self.centre.holds.add(THEIRS)
        self.link = self.linked()

    def linked(self) -> Link:
        link = linked(self.post, Parent(self.centre, "never"))
        for _ in range(3):
            link.exchange()
        return link

    def held(self) -> list[bool]:
        """Tell of each segment whether it can be condemned at the post no more."""
        copies = [Copy(one, "main") for one in self.segments]
        marked = [self.post.deletion.condemn([one], NOW, []) == 1 for one in copies]
        self.post.deletion.spare(copies, NOW, [])
        return [not one for one in marked]


@pytest.fixture
def two() -> Iterator[Two]:
    found = Two()
    yield found
    found.centre.close()
    found.post.close()


def test_both_keep_what_they_name(two: Two) -> None:
    assert two.held() == [True, True]
    assert {one.hold_id for one in two.post.holds.all()} == {"case-17", HERE}
    two.linked()  # after a new start all holds are told again
    assert len(two.post.holds.all()) == 2


def test_that_which_is_released_above_ends_and_ours_does_not(two: Two) -> None:
    two.centre.holds.release("case-17", "boss", NOW)
    two.link.exchange()
    assert two.held() == [True, False]
    two.link.holds.forget()
    assert two.link.holds.to_tell(NOW) == {}, "ours is said for none above"


def test_one_that_was_released_above_before_it_came_releases_none_of_ours(two: Two) -> None:
    late = SqlCatalog("sqlite://", parent=True)
    late.commits.add_segment(two.segments[0], "main", "e", 7)
    late.holds.add(OURS)
    two.centre.holds.release("case-17", "boss", NOW)
    linked(late, Parent(two.centre, "never")).exchange()
    assert [one.hold_id for one in late.holds.live(NOW)] == ["case-17"]
    late.close()


def test_ours_may_be_released_here_and_theirs_only_above(two: Two) -> None:
    with pytest.raises(NotAllowed):
        release(two.post, HERE, "me", NOW)
    release(two.post, "case-17", "me", NOW)
    assert two.held() == [False, True]


def test_what_is_said_above_of_a_hold_is_of_that_hold(two: Two) -> None:
    said: Any = two.centre.holds.deliveries(["case-17"])["case-17"]["post1"]
    assert [one["segments"] for one in said["streams"]] == [1]
    two.post.commits.forget([Copy(two.segments[1], "main")], "purged")
    again = two.linked()
    said = two.centre.holds.deliveries(["case-17"])["case-17"]["post1"]
    assert not any(one["segments"] for one in said["streams"]), "ours is not taken for it"
    assert again.holds.to_tell(NOW) == {}
