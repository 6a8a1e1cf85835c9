"""Several nodes of a site and one parent: one speaks at a time, and a late answer is none."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from recorder.catalog.sql import SqlCatalog
from recorder.errors import SiteUnreachable, StateError
from recorder.jobs.speaking import LOOK_S, SPEAKS_NS, Speaking
from recorder.model.media import Copy
from recorder.model.timebase import SECOND
from recorder.sites.documents import hear_child
from tests.support.clock import FakeClock
from tests.support.make import T0
from tests.unit.test_beliefs import ABOVE, COPIED, At, copied, places, spoken
from tests.unit.test_told import NOW, linked


class Said:
    """A link that counts what it is asked to do."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *_: self.asked.append(name)


@pytest.fixture
def catalog() -> Iterator[SqlCatalog]:
    one = SqlCatalog("sqlite://", site="post1", parent=True)
    yield one
    one.close()


def node(catalog: SqlCatalog, clock: FakeClock, name: str, *, shared: bool = True) -> Speaking:
    settings = SimpleNamespace(node=name, shared=shared, ship_store="main")
    app: Any = SimpleNamespace(
        catalog=catalog, clock=clock, site_clock=clock, settings=settings, admit=lambda _: ""
    )
    return Speaking(app, Said())  # type: ignore[arg-type]


def asked(one: Speaking) -> list[str]:
    link: Any = one.link
    found, link.asked = link.asked, []
    return list(found)


def test_of_two_nodes_one_speaks_and_sends_and_the_other_when_it_is_gone(
    catalog: SqlCatalog,
) -> None:
    clock = FakeClock(T0)
    first, second = (node(catalog, clock, name) for name in ("n1", "n2"))
    for _ in range(60):
        first.catch_up()
        second.catch_up()
        second.carry()
        clock.sleep(1)
    assert (asked(first).count("catch_up"), asked(second)) == (60, [])
    clock.sleep(SPEAKS_NS / SECOND)
    second.catch_up()
    second.carry()
    assert asked(second) == ["say_all", "catch_up", "plan", "carry"], "what the first said is old"
    first.catch_up()
    assert asked(first) == [], "it was away for long, and comes back"
    second.app.catalog.leases.release("n2")
    clock.sleep(LOOK_S)
    first.catch_up()
    assert asked(first) == ["say_all", "catch_up"]


def test_the_only_node_of_a_site_asks_nobody(catalog: SqlCatalog) -> None:
    one = node(catalog, FakeClock(T0), "n1", shared=False)
    one.catch_up()
    assert (asked(one), catalog.leases.all()) == (["catch_up"], [])


def test_an_answer_that_comes_after_another_nodes_is_not_a_parent_put_back() -> None:
    child, centre = SqlCatalog("sqlite://", parent=True), SqlCatalog("sqlite://", site="here")
    for segment, known in ((COPIED, ("main", "../main")), (ABOVE, ("../main", "../../main"))):
        for place in known:
            child.commits.add_segment(segment, place, "e", NOW)
    other = spoken(child, At(centre, "sub", "a"))
    before = places(child, ABOVE), copied(child)

    class Late(At):
        def exchange(self, body: dict[str, Any]) -> dict[str, Any]:
            answer = super().exchange(body)
            for _ in range(3):
                other.exchange()
            return answer

    late = linked(child, Late(centre, "sub", "a"))
    for _ in range(3):
        late.exchange()
    other.exchange()
    assert (places(child, ABOVE), copied(child)) == before, "what lies above is believed still"
    for one in (child, centre):
        one.close()


def test_a_word_that_its_sender_gave_up_undoes_nothing_of_what_it_said_since() -> None:
    """As a centre of two processes takes it in: one of them hung, and was asked no more."""
    child, centre = SqlCatalog("sqlite://", parent=True), SqlCatalog("sqlite://", site="here")
    child.commits.add_segment(COPIED, "main", "e", NOW)
    kept: list[dict[str, Any]] = []

    class Hung(At):
        def exchange(self, body: dict[str, Any]) -> dict[str, Any]:
            if not kept:
                kept.append(body)
                raise SiteUnreachable("no answer")
            return super().exchange(body)

    link = linked(child, Hung(centre, "sub", "a"))
    with pytest.raises(SiteUnreachable):
        link.exchange()
    link.exchange()
    assert centre.footage.segments(COPIED.stream, COPIED.range), "it is told"
    assert kept[0]["changes"], "it told of what it has"
    child.commits.forget([Copy(COPIED, "main")], "purged")
    link.exchange()
    with pytest.raises(StateError, match="newer"):
        hear_child(centre, json.loads(json.dumps(kept[0])), "here", NOW)
    assert centre.footage.segments(COPIED.stream, COPIED.range) == [], "it is gone"
    for one in (child, centre):
        one.close()
