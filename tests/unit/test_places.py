"""Where a copy lies: one reading of what the catalog and the wire say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, MetaData, Table, Text, create_engine, select

from recorder.model.places import (
    ELSEWHERE_LIKE,
    PARENT,
    SPOOLS_LIKE,
    Place,
    beginning,
    parse_place,
    seen_through,
    spool_of,
)

WORDS = st.text("ab.:/", max_size=12) | st.sampled_from(
    ["main", "spool:n1", "post1/main", "sub1/post1/spool:n1", "../main", "../../main"]
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("main", "own own_store"),
        ("spool:n1", "own own_spool"),
        ("post1/main", "below"),
        ("post1/spool:n1", "below"),
        ("sub1/post1/main", "below"),
        ("../main", "above"),
        ("../../main", "above"),
    ],
)
def test_a_place_is_of_one_kind(text: str, said: str) -> None:
    place = parse_place(text)
    kinds = ("own", "own_store", "own_spool", "below", "above")
    assert " ".join(kind for kind in kinds if getattr(place, kind)) == said
    assert place.spool == ("spool:" in text)


@given(WORDS)
def test_a_place_is_written_as_it_was_read(text: str) -> None:
    place = parse_place(text)
    assert str(place) == text
    assert parse_place(str(place.through("post1"))) == place.through("post1")


def test_a_place_is_the_same_wherever_it_is_read() -> None:
    assert parse_place("spool:n1") == Place("n1", spool=True) == parse_place(spool_of("n1"))
    assert len({parse_place("a/main"), Place("main", way=("a",)), parse_place("main")}) == 2


def test_each_site_sees_a_place_through_the_next() -> None:
    assert seen_through("sub1", seen_through("post1", "spool:n1")) == "sub1/post1/spool:n1"
    assert seen_through(PARENT, seen_through(PARENT, "main")) == "../../main"
    place = parse_place("sub1/post1/main")
    assert (place.next_site, place.site, place.name) == ("sub1", "post1", "main")
    assert (parse_place("main").next_site, parse_place("main").site) == ("", "")


def test_the_nearest_comes_first_and_a_store_before_a_spool() -> None:
    wanted = ["main", "spool:n1", "post1/main", "../main", "post1/spool:n1", "../../main"]
    found = sorted(wanted, key=lambda one: parse_place(one).distance)
    assert found == wanted
    found = sorted(reversed(wanted), key=lambda one: parse_place(one).distance)
    assert found[:2] == ["main", "spool:n1"]
    assert found[-1] == "../../main"


def test_patterns_find_what_a_place_says_of_itself() -> None:
    table = Table("copy", MetaData(), Column("place", Text))
    engine, column = create_engine("sqlite://"), table.c.place
    texts = ["main", "spool:n1", "post1/main", "post10/main", "post1/spool:n1", "../main", "x"]

    with engine.begin() as db:
        table.create(db)
        db.execute(table.insert(), [{"place": one} for one in texts])

        def found(where: object) -> set[str]:
            return set(db.execute(select(column).where(where)).scalars())  # type: ignore[arg-type]

        places = {one: parse_place(one) for one in texts}
        stores = column.not_like(ELSEWHERE_LIKE), column.not_like(SPOOLS_LIKE)
        assert found(stores[0] & stores[1]) == {t for t, p in places.items() if p.own_store}
        above = column.startswith(beginning(PARENT), autoescape=True)
        assert found(above) == {t for t, p in places.items() if p.above}
        child = column.startswith(beginning("post1"), autoescape=True)
        assert found(child) == {t for t, p in places.items() if p.next_site == "post1"}
    engine.dispose()
