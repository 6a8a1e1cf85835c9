"""A word of the parent that is not understood keeps no other from being heard."""

from __future__ import annotations

from typing import Any

import pytest

from recorder.catalog.sql import SqlCatalog
from recorder.model.places import PARENT
from recorder.ports import SiteBeat
from tests.unit.test_told import NOW, STREAM, Parent, linked, one_of

RIGHT: dict[str, Any] = {"seq": 7, "stream": str(STREAM), "writer": "n1.1", "places": []}


@pytest.mark.parametrize(
    "odd",
    [
        {"stream": "post1/cam07"},
        {"stream": 5},
        {"stream": "post1/cam\ud800/main"},
        {"start": "soon"},
        {"start": 2**70},
        {"writer": None},
        {"places": "main"},
        {"places": ["main\x00"]},
        {"places": [["main"]]},
        None,
        "word",
    ],
)
def test_a_word_that_is_not_understood_keeps_no_other_from_being_heard(odd: Any) -> None:
    child, centre = SqlCatalog("sqlite://", parent=True), SqlCatalog("sqlite://")
    one = one_of(STREAM)
    for place in ("main", "../main"):
        child.commits.add_segment(one, place, "", NOW)
    child.sites.put(SiteBeat(PARENT, "centre", "", NOW))
    parent = Parent(centre, "never")
    right = {**RIGHT, "start": one.start, "lost": True}
    first = {**right, **odd, "seq": 3} if isinstance(odd, dict) else odd
    answered = parent.exchange

    def exchange(body: dict[str, Any]) -> dict[str, Any]:
        return {**answered(body), "word": [first, right]}

    parent.exchange = exchange  # type: ignore[method-assign]
    link = linked(child, parent)
    link.exchange()
    assert [copy.place for copy in child.footage.copies([one])[one.key]] == ["main"]
    said: list[dict[str, Any]] = []
    parent.exchange = lambda body: said.append(body) or answered(body)  # type: ignore
    link.exchange()
    assert said[0]["heard"] == ([3, 7] if isinstance(odd, dict) else [7])
    child.close()
    centre.close()
