"""The parent's word on copies above, at a site whose catalog was lost."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from recorder.catalog.sql import SqlCatalog
from recorder.catalog.told import COLUMNS
from recorder.model.keys import StreamId, segment_key
from recorder.model.media import Copy
from recorder.model.timebase import DAY, SECOND
from tests.support.make import T0, segment
from tests.unit.test_beliefs import At, places, spoken
from tests.unit.test_told import ALL, NOW, STREAM, linked, one_of

ABOVE, HERE = one_of(STREAM, 0), one_of(STREAM, 60)


@pytest.fixture
def centre() -> Iterator[SqlCatalog]:
    """A centre that has what a post let go."""
    catalog, post = SqlCatalog("sqlite://", site="here"), SqlCatalog("sqlite://", parent=True)
    for one in (ABOVE, HERE):
        post.commits.add_segment(one, "main", "e", NOW)
    link = spoken(post, At(catalog, "here", "c"))
    catalog.commits.add_segment(ABOVE, "main", "e", NOW)
    post.commits.add_segment(ABOVE, "../main", "e", NOW)
    post.commits.forget([Copy(ABOVE, "main")], "purged")
    link.exchange()
    assert places(catalog, ABOVE) == [("main", True)]
    yield catalog
    catalog.close()
    post.close()


@pytest.fixture
def post() -> Iterator[SqlCatalog]:
    """The post's catalog, lost and rebuilt of what its store has."""
    catalog = SqlCatalog("sqlite://", parent=True)
    catalog.commits.add_segment(HERE, "main", "e", NOW)
    yield catalog
    catalog.close()


class Old(At):
    """A parent of a release that was never told what is not known."""

    def exchange(self, body: dict[str, Any]) -> dict[str, Any]:
        body.pop("unknown")
        return super().exchange(body)


class Odd(At):
    """A parent whose word is changed on its way."""

    change: dict[str, Any]
    """What the segments that it says have otherwise; ``stream``: what is said to be theirs."""

    def exchange(self, body: dict[str, Any]) -> dict[str, Any]:
        answer = super().exchange(body)
        for one in answer["word"]:
            if "segment" in one:
                self._alter(one)
        return answer

    def _alter(self, word: dict[str, Any]) -> None:
        for name, value in self.change.items():
            if name in COLUMNS:
                word["segment"]["row"][COLUMNS.index(name)] = value
            else:
                (word if name == "stream" else word["segment"])[name] = value


def test_a_post_whose_catalog_was_lost_knows_again_what_only_the_centre_has(
    post: SqlCatalog, centre: SqlCatalog
) -> None:
    link = spoken(post, At(centre, "here", "c"))
    assert post.footage.segments(STREAM, ALL) == [ABOVE, HERE]
    assert places(post, ABOVE) == [("../main", True)]
    assert post.footage.gaps(STREAM, ALL) == []
    link.exchange()
    assert centre.notices.pending("post1", 9) == [], "it is told once"


def test_a_post_whose_clock_is_behind_knows_it_too(post: SqlCatalog, centre: SqlCatalog) -> None:
    link = linked(post, At(centre, "here", "c"))
    link.clock.at = NOW - 400 * DAY  # type: ignore[attr-defined]
    for _ in range(4):
        link.exchange()
    assert ABOVE in post.footage.segments(STREAM, ALL)


def test_a_parent_that_cannot_say_it_is_asked_once_and_holds_nothing_up(
    post: SqlCatalog, centre: SqlCatalog
) -> None:
    spoken(post, Old(centre, "here", "c"))
    assert post.footage.segments(STREAM, ALL) == [HERE]
    assert centre.notices.pending("post1", 9) == []


def test_what_goes_above_while_it_is_asked_for_holds_nothing_up(
    post: SqlCatalog, centre: SqlCatalog
) -> None:
    link = linked(post, At(centre, "here", "c"))
    for _ in range(9):
        if (message := link._message(()))["unknown"]:
            break
        link.exchange()
    assert message["unknown"]
    assert message["unknown"] != message["heard"]
    centre.commits.forget([Copy(ABOVE, "main")], "purged")
    for _ in range(4):
        link.exchange()
    assert centre.notices.pending("post1", 9) == []
    assert post.footage.segments(STREAM, ALL) == [HERE]


def test_what_a_rebuild_finds_above_is_known_below_again(
    post: SqlCatalog, centre: SqlCatalog
) -> None:
    """An old backup of the catalog above did not know of it, and said so."""
    link = spoken(post, At(centre, "here", "c"))
    centre.commits.forget([Copy(ABOVE, "main")], "lost")
    for _ in range(2):
        link.exchange()
    assert post.footage.segments(STREAM, ALL) == [HERE]
    for found in range(2):
        assert centre.rebuilding.put([(ABOVE, "e")], "main", NOW) == []
        assert len(centre.notices.pending("post1", 9)) == (not found), "what was known is no news"
        for _ in range(3):
            link.exchange()
    assert places(post, ABOVE) == [("../main", True)]
    assert post.footage.gaps(STREAM, ALL) == []


@pytest.mark.parametrize(
    "change",
    [
        {"row": "none"},
        {"end_ns": NOW + 2 * DAY},
        {"start_ns": ABOVE.start + 1},
        {"writer": "n9.1"},
        {"digest": "***"},
        {"timescale": 0},
        {"config": ["d", "avc1", 1 << 40, 0]},
        {"config": []},
        {"committed": -1},
        {"stream": "here/cam07/main"},
    ],
)
def test_a_segment_that_is_not_what_it_is_said_to_be_is_not_taken_and_holds_nothing_up(
    change: dict[str, Any],
    post: SqlCatalog,
    centre: SqlCatalog,
    caplog: pytest.LogCaptureFixture,
) -> None:
    parent = Odd(centre, "here", "c")
    parent.change = change
    caplog.set_level(logging.ERROR)
    spoken(post, parent)
    assert post.footage.segments(STREAM, ALL) == [HERE]
    assert centre.notices.pending("post1", 9) == []
    assert "word on copies above not understood" in caplog.text


def test_what_a_site_between_hears_again_it_says_below(centre: SqlCatalog) -> None:
    stream = StreamId("low", "cam07", "main")
    above, here = (
        segment(at, stream=stream, key=segment_key(str(stream), T0 + at * SECOND, "n1.1", at // 60))
        for at in (0, 60)
    )
    sub, low = SqlCatalog("sqlite://", parent=True), SqlCatalog("sqlite://", parent=True)
    low.commits.add_segment(here, "main", "e", NOW)
    sub.inbox.apply("low", json.loads(json.dumps(low.outbox.take(9, NOW)[1])), NOW)
    low.commits.add_segment(above, "main", "e", NOW)
    centre.inbox.apply("post1", json.loads(json.dumps(low.outbox.take(9, NOW)[1])), NOW)
    centre.commits.add_segment(above, "main", "e", NOW)
    spoken(sub, At(centre, "here", "c"))
    assert places(sub, above) == [("../main", True)]
    assert [one["start"] for one in sub.notices.pending("low", 9)] == [above.start]
    low.close()
    sub.close()
