"""A child speaks of nothing above the site that hears it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from recorder.catalog.sql import SqlCatalog
from recorder.errors import NotAllowed
from recorder.model.timebase import DAY
from recorder.sites.told import hear
from tests.unit.test_told import KNOWN, NOW, beat, change, child, message

__all__ = ["child"]
ABOVE = replace(beat(".."), facts={"site": "top"})
SITES = [ABOVE, *KNOWN[1:]]


def test_what_a_child_says_of_its_parents_parent_is_set_aside(child: SqlCatalog) -> None:
    body = message(child)
    change("segment", stream="top/cam07/main")(body)
    told = hear(body, "here", SITES, [], NOW)
    assert ["top is above this site" in one.why for one in told.aside] == [True]
    assert len(told.changes) == len(body["changes"]) - 1, "the rest is taken in"


def test_a_child_by_the_name_of_the_parents_parent_is_refused(child: SqlCatalog) -> None:
    body = {**message(child), "site": "top"}
    with pytest.raises(NotAllowed, match="top is above this site"):
        hear(body, "here", SITES, [], NOW)


def test_a_site_that_is_not_above_for_a_day_may_be_below(child: SqlCatalog) -> None:
    body = message(child)
    change("segment", stream="top/cam07/main")(body)
    sites = [replace(ABOVE, at=NOW - DAY - 1), *KNOWN[1:]]
    assert hear(body, "here", sites, [], NOW).aside == []
