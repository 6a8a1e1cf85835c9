"""What a post recorded with a wrong clock is not old above, either."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest

from recorder.catalog.sql import SqlCatalog
from recorder.errors import RequestError
from recorder.model.media import Segment
from recorder.model.timebase import DAY, HOUR, MINUTE, SECOND, Instant
from recorder.sites.changes import check_change
from recorder.sites.documents import hear_child
from recorder.sites.speaker import AT, Speaker
from recorder.sites.told import hear
from tests.support.make import T0
from tests.unit.test_told import STREAM, beat, message, one_of

YEAR = 365 * DAY
NOW = T0 + YEAR


@pytest.fixture
def centre() -> Iterator[SqlCatalog]:
    one = SqlCatalog("sqlite://", site="here")
    yield one
    one.close()


def told(child: SqlCatalog, at: Instant | None = None) -> dict[str, Any]:
    body = message(child)
    body.update(statuses=[], sites=[], nodes=[], holds={})
    return body if at is None else {**body, AT: at}


def age(catalog: SqlCatalog, one: Segment) -> int:
    catalog.commits.add_segment(one, "main", "", NOW)  # it has come up
    (lane,) = catalog.planning.copy_columns("main")
    return lane.age(lane.starts.index(one.start), NOW)


@pytest.fixture
def child() -> Iterator[SqlCatalog]:
    one = SqlCatalog("sqlite://", parent=True, site=STREAM.site)
    yield one
    one.close()


@pytest.mark.parametrize("first", [False, True], ids=["told first", "sent first"])
def test_when_a_post_committed_it_is_told_where_its_own_time_is_wrong(
    centre: SqlCatalog, child: SqlCatalog, first: bool
) -> None:
    old, late = one_of(STREAM), one_of(STREAM, 60)
    child.commits.add_segments([old], "main", NOW - HOUR)
    child.commits.add_segments([late], "main", late.end)
    if first:  # what travels may be here before it is told of
        centre.commits.add_segments([old, late], "spool:c1", NOW)
    body = told(child)
    assert [one.get("committed") for one in body["changes"]] == [NOW - HOUR, None]
    hear_child(centre, body, "here", NOW)
    assert age(centre, old) == HOUR
    assert age(centre, late) > YEAR - HOUR, "as it says: nobody knows better"


def test_what_a_post_dates_anew_is_told_anew(centre: SqlCatalog, child: SqlCatalog) -> None:
    one = one_of(STREAM)
    child.commits.add_segments([one], "main", one.end)
    hear_child(centre, told(child), "here", NOW)
    child.outbox.drop(child.outbox.take(9, NOW)[0], [], NOW)
    assert child.commits.date_anew(T0, NOW - MINUTE) == 1
    hear_child(centre, told(child), "here", NOW)
    assert age(centre, one) == MINUTE
    child.outbox.drop(child.outbox.take(9, NOW)[0], [], NOW)
    child.commits.date_now([one.id], NOW - 2 * MINUTE)
    assert len(told(child)["changes"]) == 1


def test_what_comes_from_a_clock_that_is_behind_now_is_of_now(
    centre: SqlCatalog, child: SqlCatalog
) -> None:
    fresh, before = one_of(STREAM, 50 * 86_400), one_of(STREAM)
    for one in (before, fresh):
        child.commits.add_segments([one], "main", one.end)
    hear_child(centre, told(child, fresh.end + MINUTE), "here", NOW)
    assert age(centre, fresh) == 0
    assert age(centre, before) > YEAR - HOUR, "its clock may have been right then"


def test_a_post_whose_clock_is_right_tells_late_what_is_old(
    centre: SqlCatalog, child: SqlCatalog
) -> None:
    one = one_of(STREAM)
    child.commits.add_segments([one], "main", one.end)
    hear_child(centre, told(child, NOW - MINUTE), "here", NOW)
    assert age(centre, one) == NOW - one.end


@pytest.mark.parametrize("odd", [-1, "soon", 2**70, 1.5])
def test_an_odd_time_is_set_aside(child: SqlCatalog, odd: Any) -> None:
    one = one_of(STREAM)
    child.commits.add_segments([one], "main", one.end)
    change = json.loads(json.dumps(told(child)["changes"][0]))
    speaker = Speaker("post1", "here", {}, {}, NOW)
    with pytest.raises(RequestError, match="committed"):
        check_change({**change, "committed": odd}, speaker)
    for told_at, taken in ((NOW - 1, NOW - 1), (NOW, NOW), (NOW + 2 * DAY, NOW)):
        change = {**change, "committed": told_at}
        assert check_change(change, speaker)["committed"] == taken, "a clock ahead is no lie"


@pytest.mark.parametrize("off", [-10 * MINUTE, -YEAR, 10 * MINUTE, YEAR])
def test_a_site_below_one_whose_clock_is_wrong_is_heard_as_long_ago_as_that_says(
    off: int, child: SqlCatalog, centre: SqlCatalog
) -> None:
    """Else another child may take its name, and what it sends is of nobody."""
    for ago, heard in ((5 * SECOND, True), (5 * MINUTE, False)):
        theirs = NOW + off
        sites = [asdict(beat("below", theirs - ago))]
        body = {**told(child, theirs), "sites": sites, "changes": []}
        assert hear_child(centre, body, "here", NOW) == []
        (known,) = [one for one in centre.sites.all() if one.name == "below"]
        assert known.at == NOW - ago
        another = {**body, "site": "post9", "at": NOW, "sites": [asdict(beat("below", NOW))]}
        said = hear(another, "here", centre.sites.all(), [], NOW)
        assert bool(said.aside) == heard
