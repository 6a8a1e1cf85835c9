"""What a site believes of copies above: when it moves, and when either end is put back."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import delete, insert, select

from policies.explain import Kept, explain
from policies.read import parse_policy
from recorder.catalog import schema
from recorder.catalog.sql import SqlCatalog
from recorder.doctor.site import _names
from recorder.errors import StoreUnavailable
from recorder.model.media import Segment
from recorder.model.places import parse_place
from recorder.reading.copies import Copies
from recorder.sites.link import Link
from recorder.sites.parent import forget_parent
from recorder.sites.tree import show_site
from recorder.sites.turns import next_turn, put_back
from tests.unit.test_told import ALL, NOW, STREAM, Parent, linked, one_of

COPIED, ABOVE = one_of(STREAM, 0), one_of(STREAM, 240)


@pytest.fixture
def child() -> Iterator[SqlCatalog]:
    """A post: one segment is here and above, one only above."""
    catalog = SqlCatalog("sqlite://", parent=True)
    for segment, places in ((COPIED, ("main", "../main")), (ABOVE, ("../main", "../../main"))):
        for place in places:
            catalog.commits.add_segment(segment, place, "e", NOW)
    yield catalog
    catalog.close()


@pytest.fixture
def centre() -> Iterator[SqlCatalog]:
    catalog = SqlCatalog("sqlite://", site="here")
    yield catalog
    catalog.close()


class At(Parent):
    """A parent by a name of its own."""

    def __init__(self, catalog: SqlCatalog, site: str, catalog_id: str) -> None:
        super().__init__(catalog, "nothing is odd", catalog_id)
        self.site = site

    def exchange(self, body: dict[str, Any]) -> dict[str, Any]:
        return {**super().exchange(body), "site": self.site}


def spoken(child: SqlCatalog, parent: Parent) -> Link:
    link = linked(child, parent)
    for _ in range(4):
        link.exchange()
    return link


def places(catalog: SqlCatalog, segment: Segment) -> list[tuple[str, bool]]:
    """Return where a segment lies, and whether that is sure."""
    return sorted(
        (one.place, bool(one.verified_at)) for one in catalog.footage.copies([segment])[segment.key]
    )


def copied(catalog: SqlCatalog) -> int:
    """Return how much of what is here the planner takes as copied above."""
    lanes = catalog.planning.copy_columns("main", above=True)
    return sum(len(lane.copied) for lane in lanes)


def state(catalog: SqlCatalog) -> dict[str, list[Any]]:
    """Take what a copy of a catalog's file would hold."""
    with catalog.database.read() as db:
        return {
            table.name: [dict(row) for row in db.execute(select(table)).mappings()]
            for table in schema.metadata.sorted_tables
        }


def put_in(catalog: SqlCatalog, rows: dict[str, list[Any]]) -> None:
    """Put an older state in a catalog's place, its identity with it."""
    with catalog.database.write() as db:
        for table in reversed(schema.metadata.sorted_tables):
            db.execute(delete(table))
        for table in schema.metadata.sorted_tables:
            if rows[table.name]:
                db.execute(insert(table), rows[table.name])


def test_what_only_the_old_parent_has_is_not_believed_of_the_new_one(
    child: SqlCatalog, centre: SqlCatalog
) -> None:
    spoken(child, At(centre, "suba", "a"))
    assert copied(child) == 1
    other = SqlCatalog("sqlite://", site="here")
    spoken(child, At(other, "subb", "b"))
    assert places(child, COPIED) == [("main", True)], "it is sent again"
    assert copied(child) == 0
    assert places(child, ABOVE) == [("..suba/../main", True), ("..suba/main", True)]
    assert places(other, ABOVE) == [], "the new one is told nothing of it"
    child.commits.add_segment(ABOVE, "main", "e", NOW)  # taken back here, as by a rebuild
    link = spoken(child, At(other, "subb", "b"))
    assert places(other, ABOVE) == [("post1/main", True)]
    assert (link.refused, copied(child)) == ({}, 0)
    other.close()


def test_what_was_left_at_an_old_parent_is_read_and_explained_as_lying_there() -> None:
    place = parse_place("..suba/main")
    assert (place.former, place.above, place.below, place.own) == ("suba", False, False, False)
    files = cast(Any, type("", (), {"path_of": lambda *_: None})())
    copies = Copies(cast(Any, None), files, {}, "post1", remote=lambda _: None)
    with pytest.raises(StoreUnavailable, match="at site suba, which was above this one once"):
        next(copies.read(ABOVE, 0, 10, ["..suba/main"]))
    policy = parse_policy({"levels": ["post"], "rules": [{"name": "all", "keep": {"any": "30d"}}]})
    kept = [Kept(place, "level not known"), Kept(parse_place("../main"), "centre", doubted=True)]
    said = explain(policy, STREAM, "", ABOVE.range, (), kept, (), NOW)
    assert said[-2].startswith("a copy was left at suba, which is no longer above this site")
    assert said[-1].startswith("at ../main (centre) it may lie: that site has not told so")


def test_a_site_that_comes_back_to_its_old_parent_is_told_what_that_still_has(
    child: SqlCatalog, centre: SqlCatalog
) -> None:
    spoken(child, At(centre, "suba", "a"))
    centre.commits.add_segment(ABOVE, "main", "e", NOW)
    other = SqlCatalog("sqlite://", site="here")
    spoken(child, At(other, "subb", "b"))
    parent = At(centre, "suba", "a")
    link = linked(child, parent)
    link.exchange()
    assert places(child, ABOVE) == [("../../main", False), ("../main", False)], "not told yet"
    for _ in range(3):
        link.exchange()
    assert ("../main", True) in places(child, ABOVE)
    other.close()


def test_a_parent_put_back_to_an_older_state_is_believed_nothing_until_it_tells_anew(
    child: SqlCatalog, centre: SqlCatalog
) -> None:
    parent = At(centre, "here", "same")
    link = spoken(child, parent)
    before = state(centre)
    centre.commits.add_segment(COPIED, "main", "e", NOW)
    link.exchange()
    link.exchange()
    put_in(centre, before)
    assert copied(child) == 1, "it cannot know yet"
    link.exchange()
    assert copied(child) == 0
    assert places(child, COPIED) == [("main", True)]
    assert places(child, ABOVE) == [("../../main", False), ("../main", False)]
    for _ in range(4):
        link.exchange()
    assert centre.footage.segments(STREAM, ALL), "it is told all that it lost"
    assert copied(child) == 0, "it has no copy"
    centre.commits.add_segment(COPIED, "main", "e", NOW)
    child.commits.add_segment(COPIED, "../main", "e", NOW)
    for _ in range(3):
        link.exchange()
    assert copied(child) == 1, "what came since is believed"


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_parent_put_back_is_doubted_though_its_first_answers_are_lost(
    child: SqlCatalog, centre: SqlCatalog, lost: int
) -> None:
    parent = At(centre, "here", "same")
    link = spoken(child, parent)
    before = state(centre)
    link.exchange()
    put_in(centre, before)
    for _ in range(lost):
        parent.exchange(link._message([]))  # counted there, and not heard here
    link.exchange()
    assert copied(child) == 0
    child.commits.add_segment(COPIED, "../main", "e", NOW)
    for _ in range(3):
        link.exchange()
    assert copied(child) == 1, "once doubted, what it says counts"


def test_a_site_put_back_to_an_older_state_doubts_itself_and_hears_what_lies_above(
    child: SqlCatalog, centre: SqlCatalog
) -> None:
    parent = At(centre, "here", "same")
    link = spoken(child, parent)
    before = state(child)
    centre.commits.add_segment(COPIED, "main", "e", NOW)
    for _ in range(3):
        link.exchange()
    put_in(child, before)
    link.exchange()
    assert places(child, COPIED) == [("main", True)], "it doubts what it believed"
    for _ in range(3):
        link.exchange()
    assert places(child, COPIED) == [("../main", True), ("main", True)], "the parent has it"


def test_both_put_back_contradict_each_other_whichever_is_the_older(
    child: SqlCatalog, centre: SqlCatalog
) -> None:
    parent = At(centre, "here", "same")
    link = spoken(child, parent)
    old = state(centre), state(child)
    for _ in range(5):
        link.exchange()
    young = state(centre), state(child)
    for _ in range(5):
        link.exchange()
    for above, below in ((old[0], young[1]), (young[0], old[1])):
        put_in(centre, above)
        put_in(child, below)
        assert copied(child) == 1
        link.exchange()
        assert copied(child) == 0


def test_doubt_of_what_lies_further_above_comes_down_with_no_footage_forgotten() -> None:
    middle = SqlCatalog("sqlite://", parent=True, site="mid")
    post = SqlCatalog("sqlite://", parent=True)
    for segment, here in ((COPIED, ("main", "../../main")), (ABOVE, ("../../main",))):
        middle.commits.add_segment(segment, "../main", "e", NOW)
        for place in here:
            post.commits.add_segment(segment, place, "e", NOW)
    link = spoken(post, At(middle, "mid", "m"))
    assert copied(post) == 1
    middle.outbox.begin_anew(NOW)
    for _ in range(3):
        link.exchange()
    assert places(post, COPIED) == [("main", True)]
    assert places(post, ABOVE) == [("../../main", False)], "known, and in doubt"
    assert places(middle, COPIED) == [("../main", False), ("post1/main", True)]
    middle.commits.add_segment(COPIED, "main", "e", NOW)
    assert copied(middle) == 0, "nothing goes because of what is in doubt"
    for one in (middle, post):
        one.close()


def test_an_answer_that_is_lost_is_no_sign_of_an_older_end(
    child: SqlCatalog, centre: SqlCatalog
) -> None:
    parent = At(centre, "here", "same")
    link = spoken(child, parent)
    for _ in range(3):
        parent.exchange(link._message([]))  # what it answers does not arrive
    link.exchange()
    assert copied(child) == 1
    (beat,) = (one for one in centre.sites.all() if one.name == "post1")
    assert "turn" in beat.facts
    assert "turn" not in show_site(beat, NOW)["facts"]
    heard, own = 0, 0
    for lost in (False, True, True, False, True, False):
        assert not put_back(heard, own)
        own = next_turn(heard, own)
        heard = heard if lost else own


def test_a_parent_that_keeps_its_footage_in_our_own_store_has_no_second_copy(
    child: SqlCatalog, centre: SqlCatalog
) -> None:
    for catalog in (child, centre):
        catalog.identities.register("main", "one and the same")
    link = linked(child, At(centre, "here", "c"))
    link.exchange()
    assert copied(child) == 0, "its copies above are the same objects"
    assert "one place keeps no second copy" in link.one_store
    assert link.carry([cast(Any, None)], 1e18) == 0
    (beat,) = (one for one in child.sites.all() if one.name == "..")
    assert beat.facts["one_store"] == link.one_store
    app = cast(Any, SimpleNamespace(catalog=child, clock=link.clock))
    assert [one.detail for one in _names(app)] == [f"nothing is sent up: {link.one_store}"]
    centre.identities.register("main", "another", replace=True)
    link.exchange()
    assert link.one_store == ""


def test_a_site_that_had_no_parent_for_a_while_tells_what_it_did_meanwhile(
    child: SqlCatalog, centre: SqlCatalog
) -> None:
    parent = At(centre, "here", "c")
    spoken(child, parent)
    forget_parent(child.progress, NOW)
    alone = one_of(STREAM, 600)
    child.changes._upward = False
    child.commits.add_segment(alone, "main", "e", NOW)
    child.changes._upward = True
    spoken(child, parent)
    assert places(centre, alone) == [("post1/main", True)]
    assert copied(child) == 0


@pytest.mark.parametrize("odd", ["x", [1], -1, 1 << 70, True, None])
def test_a_parent_that_counts_with_what_is_no_number_is_heard_all_the_same(
    odd: object, child: SqlCatalog, centre: SqlCatalog
) -> None:
    class Odd(Parent):
        def exchange(self, body: dict[str, Any]) -> dict[str, Any]:
            return {**super().exchange(body), "turn": odd, "turn_was": odd}

    link = spoken(child, Odd(centre, "nothing is odd", "a"))
    assert (link.parent_name, copied(child)) == ("here", 1)
