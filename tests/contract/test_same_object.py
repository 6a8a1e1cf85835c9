"""What a catalog must do where two would be one object, whatever its database."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from recorder.catalog.sql import SqlCatalog
from recorder.model.media import Segment
from recorder.model.timebase import SECOND, TimeRange
from tests.support.make import STREAM, T0, segment
from tests.support.postgres import Postgres

ALL = TimeRange(0, T0 + 10**18)
OTHER = "cd" * 32


@pytest.fixture(params=[888, 0], ids=["began-later", "began-then"])
def one(request: pytest.FixtureRequest) -> Segment:
    """A segment as it was sealed, that began so long after the microsecond in its key."""
    found = segment(activity=b"\1\2", camera_offset_ns=5)
    return replace(found, start=found.start + request.param)


def rest(one: Segment) -> Segment:
    """What a rebuild makes of the first half of its object."""
    start = one.start - one.start % 1000
    return replace(
        one,
        start=start,
        span_start=start,
        end=start + 30 * SECOND,
        digest=OTHER,
        size_bytes=500,
        activity=b"",
        camera_offset_ns=None,
    )


def copies(catalog: SqlCatalog, one: Segment) -> dict[str, bool]:
    """Return the places of a segment, and whether what lies there is suspected."""
    found = catalog.footage.copies([one])[one.key]
    return {copy.place: copy.damaged_at is not None for copy in found}


def told(below: SqlCatalog, above: SqlCatalog) -> None:
    numbers, said = below.outbox.take(99, 10**6)
    anew = [message["what"] for message in said if message["k"] == "anew"]
    if "begin" in anew:
        above.inbox.begin_anew("post1", 9)
    above.inbox.apply("post1", json.loads(json.dumps([m for m in said if m["k"] != "anew"])), 9)
    if "end" in anew:
        above.inbox.end_anew("post1", 9)
    below.outbox.drop(numbers)


def hear(above: SqlCatalog, below: SqlCatalog) -> None:
    """Have a child hear of what it does not know, in two exchanges."""
    unknown: list[int] = []
    for _ in range(2):
        word = json.loads(json.dumps(above.notices.pending("post1", 9, set(unknown))))
        unknown = below.notices.apply(word, 12)
    assert unknown == []
    above.notices.acknowledge("post1", [message["seq"] for message in word])


class SameObjectContract:
    """Subclassed once per database; each provides ``catalog``."""

    def test_what_is_left_of_an_object_takes_no_place_of_what_it_was(
        self, catalog: SqlCatalog, one: Segment
    ) -> None:
        catalog.commits.add_segment(one, "main", "", 7)
        ((key, why),) = catalog.rebuilding.put([(rest(one), "")], "main", 8)
        assert key == one.key
        assert "not" in why
        assert catalog.footage.segments(STREAM, ALL) == [one]

    @pytest.mark.parametrize("how", ["sealed", "footer"])
    def test_what_was_made_of_a_rest_gives_way_to_who_says_what_it_was(
        self, catalog: SqlCatalog, one: Segment, how: str
    ) -> None:
        by: dict[str, Callable[[], object]] = {
            "sealed": lambda: catalog.commits.add_segments([one], "spool:n1", 9),
            "footer": lambda: catalog.rebuilding.put([(one, "")], "spool:n1", 9, ours=True),
        }
        assert catalog.rebuilding.put([(rest(one), "")], "main", 8) == []
        assert not by[how]()
        assert catalog.footage.segments(STREAM, ALL) == [one]
        assert copies(catalog, one) == {"main": True, "spool:n1": False}
        (span,) = catalog.footage.spans(STREAM, ALL)
        assert (span.start, span.end) == (one.start, one.end)
        assert catalog.footage.gaps(STREAM, ALL) == []

    def test_where_a_footer_says_what_lies_there_it_is_not_suspected(
        self, catalog: SqlCatalog, one: Segment
    ) -> None:
        catalog.rebuilding.put([(rest(one), "")], "main", 8)
        assert catalog.rebuilding.put([(one, "")], "main", 9, ours=True) == []
        assert copies(catalog, one) == {"main": False}

    def test_of_two_rests_that_differ_the_first_is_kept(
        self, catalog: SqlCatalog, one: Segment
    ) -> None:
        assert catalog.rebuilding.put([(rest(one), "")], "main", 8) == []
        less = replace(rest(one), digest="ef" * 32)
        assert [key for key, _ in catalog.rebuilding.put([(less, "")], "archive", 9)] == [one.key]
        assert catalog.footage.segments(STREAM, ALL) == [rest(one)]

    def test_a_parent_hears_that_a_rest_was_replaced(self, catalog: SqlCatalog) -> None:
        one, above = segment(activity=b"\1", camera_offset_ns=5), SqlCatalog("sqlite://")
        one = replace(one, start=one.start + 888)
        catalog.rebuilding.put([(rest(one), "")], "main", 8)
        told(catalog, above)
        assert above.footage.segments(STREAM, ALL) == [rest(one)]
        catalog.commits.add_segments([one], "spool:n1", 9)
        told(catalog, above)
        assert above.footage.segments(STREAM, ALL) == [one]
        assert copies(above, one) == {"post1/main": True, "post1/spool:n1": False}
        above.close()

    def test_what_a_parent_was_told_of_a_rest_gives_way_to_what_it_was(
        self, catalog: SqlCatalog, one: Segment
    ) -> None:
        below = SqlCatalog("sqlite://", parent=True)
        below.rebuilding.put([(rest(one), "")], "main", 8)
        told(below, catalog)
        below.commits.add_segments([one], "spool:n1", 9)
        told(below, catalog)
        assert catalog.footage.segments(STREAM, ALL) == [one]
        assert copies(catalog, one) == {"post1/main": True, "post1/spool:n1": False}
        below.close()

    def test_what_a_parent_made_of_its_own_cut_object_gives_way_to_who_has_the_whole(
        self, catalog: SqlCatalog, one: Segment
    ) -> None:
        below = SqlCatalog("sqlite://", parent=True)
        catalog.rebuilding.put([(rest(one), "")], "main", 8)
        below.commits.add_segments([one], "main", 9)
        for _ in range(2):
            told(below, catalog)
            assert catalog.footage.segments(STREAM, ALL) == [one]
            assert copies(catalog, one) == {"main": True, "post1/main": False}
            below.outbox.fill(10)
        below.close()

    @pytest.mark.parametrize("how", ["by its link", "by its footer"])
    def test_what_was_sealed_gives_way_to_nobody(
        self, catalog: SqlCatalog, one: Segment, how: str
    ) -> None:
        sealed = replace(one, activity=b"", camera_offset_ns=None)  # by an older release
        if how == "by its link":
            catalog.commits.add_segments([sealed], "main", 7)
        else:
            sealed = one
            catalog.rebuilding.put([(one, "")], "main", 7, ours=True)
        other = replace(one, digest=OTHER)
        above, said = SqlCatalog("sqlite://"), SqlCatalog("sqlite://", parent=True)
        said.commits.add_segment(other, "main", "", 7)
        told(said, above)
        above.commits.add_segment(other, "main", "", 7)
        above.inbox.end_anew("post1", 9)
        hear(above, catalog)
        refused = catalog.rebuilding.put([(other, "")], "main", 9, ours=True)
        assert [key for key, _ in refused] == [one.key]
        assert catalog.footage.segments(STREAM, ALL) == [sealed]
        assert copies(catalog, sealed) == {"main": False}
        catalog.commits.add_segment(other, "spool:n1", "", 9)
        assert catalog.footage.segments(STREAM, ALL) == [sealed], "nor to one that was sent here"
        above.close()
        said.close()

    def test_a_post_that_knows_a_rest_hears_from_above_what_it_was(
        self, catalog: SqlCatalog, one: Segment
    ) -> None:
        above, before = SqlCatalog("sqlite://"), SqlCatalog("sqlite://", parent=True)
        before.commits.add_segment(one, "main", "", 7)
        told(before, above)
        above.commits.add_segment(one, "main", "", 8)
        catalog.rebuilding.put([(rest(one), "")], "main", 8)
        above.inbox.end_anew("post1", 9)
        hear(above, catalog)
        assert catalog.footage.segments(STREAM, ALL) == [one]
        assert copies(catalog, one) == {"main": True, "../main": False}
        above.close()
        before.close()

    def test_a_parent_that_has_the_whole_takes_a_rest_below_for_a_damaged_copy(
        self, catalog: SqlCatalog, one: Segment
    ) -> None:
        below, again = (SqlCatalog("sqlite://", parent=True) for _ in range(2))
        below.commits.add_segment(one, "main", "", 7)
        told(below, catalog)
        catalog.commits.add_segment(one, "main", "", 8)
        again.rebuilding.put([(rest(one), "")], "main", 8)
        told(again, catalog)
        assert copies(catalog, one) == {"main": False, "post1/main": True}
        assert [message["start"] for message in catalog.notices.pending("post1", 9)] == [one.start]
        again.outbox.begin_anew(9)
        for _ in range(2):
            told(again, catalog)
            assert catalog.footage.segments(STREAM, ALL) == [one]
            assert copies(catalog, one) == {"main": False, "post1/main": True}
            hear(catalog, again)
            assert again.footage.segments(STREAM, ALL) == [one]
            assert copies(again, one) == {"main": True, "../main": False}
        below.close()
        again.close()

    def test_of_what_lies_below_alone_the_site_below_knows_better(
        self, catalog: SqlCatalog, one: Segment
    ) -> None:
        below, again = (SqlCatalog("sqlite://", parent=True) for _ in range(2))
        below.commits.add_segment(one, "main", "", 7)
        told(below, catalog)
        again.rebuilding.put([(rest(one), "")], "main", 8)
        told(again, catalog)
        assert catalog.footage.segments(STREAM, ALL) == [rest(one)]
        assert copies(catalog, rest(one)) == {"post1/main": False}
        below.close()
        again.close()


class TestSqlite(SameObjectContract):
    @pytest.fixture
    def catalog(self) -> Iterator[SqlCatalog]:
        one = SqlCatalog("sqlite://", parent=True, site="north")
        yield one
        one.close()


@pytest.mark.xdist_group("pg")
class TestPostgres(SameObjectContract):
    @pytest.fixture
    def catalog(self, postgres: Postgres) -> Iterator[SqlCatalog]:
        one = SqlCatalog(postgres.cataloged(), parent=True, site="north")
        yield one
        one.close()
