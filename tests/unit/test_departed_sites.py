"""A site below that never comes back is removed by word of a person, and by nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from recorder.catalog.sql import SqlCatalog
from recorder.errors import NameTaken, NotFound, StateError
from recorder.model.keys import StreamId
from recorder.model.timebase import DAY, HOUR, MINUTE, TimeRange
from recorder.ports import NodeBeat, Peer, SiteBeat, StreamStatus
from recorder.sites.departed import DepartedSite, remove_site
from recorder.sites.documents import hear_child
from recorder.sites.removed import forget_sites, removed_sites
from recorder.sites.tree import show_tree
from tests.support.make import T0
from tests.unit.test_told import (  # noqa: F401 - fixtures
    NOW,
    Parent,
    centre,
    child,
    linked,
    message,
    one_of,
)

LATER = NOW + HOUR
STREAM = StreamId("post1", "cam07", "main")
ALL = TimeRange(0, LATER)


def heard(above: SqlCatalog, below: SqlCatalog, **more: Any) -> None:
    hear_child(above, {**message(below), **more}, "here", NOW)


def test_a_site_that_lives_or_has_footage_alone_stays(
    child: SqlCatalog,  # noqa: F811
    centre: SqlCatalog,  # noqa: F811
) -> None:
    heard(centre, child)
    with pytest.raises(StateError, match="post1 was heard 1m ago: it lives"):
        remove_site(centre, "post1", NOW + MINUTE, lose=True)
    with pytest.raises(StateError, match="post1 has 1 segment that no other place has") as refused:
        remove_site(centre, "post1", LATER, lose=False)
    assert "--lose" in refused.value.hint
    with pytest.raises(StateError, match="site below is below post1"):
        remove_site(centre, "below", LATER, lose=True)
    for name in ("none", "..", "here"):
        with pytest.raises(NotFound):
            remove_site(centre, name, LATER, lose=True)
    assert len(centre.footage.segments(STREAM, ALL)) == 1
    assert {one.name for one in centre.sites.all()} == {"below", "post1"}


def test_a_removed_site_is_in_no_list_and_what_lay_there_alone_is_lost(
    child: SqlCatalog,  # noqa: F811
    centre: SqlCatalog,  # noqa: F811
) -> None:
    heard(centre, child)
    kept = one_of(STREAM, 600)
    centre.commits.add_segment(kept, "main", "", T0)
    centre.commits.add_segment(kept, "post1/main", "", T0)
    centre.peers.add(Peer("key", "child", "post1", T0))
    centre.sites.put(SiteBeat("post2", "post", "", NOW))
    done = remove_site(centre, "post1", LATER, lose=True)
    assert done == DepartedSite("post1", copies=2, lost=1)
    assert [one["site"] for one in show_tree(centre, LATER)] == ["post2"]
    assert (centre.nodes.all(), centre.statuses.all()) == ([], [])
    assert centre.footage.segments(STREAM, ALL) == [kept]
    assert "lost" in {one.cause for one in centre.footage.gaps(STREAM, ALL)}
    assert [one.ended for one in centre.peers.all()] == [LATER]


def test_one_that_comes_back_tells_all_anew_and_may_be_another(
    child: SqlCatalog,  # noqa: F811
    centre: SqlCatalog,  # noqa: F811
) -> None:
    heard(centre, child, catalog="c1", turn=7)
    with pytest.raises(NameTaken):
        heard(centre, child, catalog="c2")
    remove_site(centre, "post1", LATER, lose=True)
    assert centre.progress.of("turned away post1") == {}
    heard(centre, child, catalog="c2", turn=7)
    (site,) = [one for one in centre.sites.all() if one.name == "post1"]
    assert site.facts["turn_was"] == 0, "fewer than it has heard: it takes us for one put back"


def test_a_site_that_was_removed_below_is_no_more_above_either(
    child: SqlCatalog,  # noqa: F811
    centre: SqlCatalog,  # noqa: F811
) -> None:
    deep = StreamId("below", "gate", "main")
    hear_child(centre, message(child), "here", NOW)
    centre.nodes.beat(NodeBeat("below/n1", "below", NOW))
    centre.statuses.put([StreamStatus(deep, "n1", "recording", "", "", "", T0, NOW)])
    centre.sites.put(SiteBeat("other", "post", "", NOW))
    body = {**message(child), "sites": []}
    hear_child(centre, body, "here", NOW)
    assert "below" in {one.name for one in centre.sites.all()}, "nobody removed it: it may come"
    body["removed"] = ["below", "other", "post1", "none", 7]
    hear_child(centre, body, "here", LATER)
    assert sorted(one.name for one in centre.sites.all()) == ["other", "post1"]
    assert deep not in {one.stream for one in centre.statuses.all()}
    assert {one.node for one in centre.nodes.all()} == {"post1/n1"}
    told = removed_sites(centre.progress, centre.sites.all(), LATER)
    assert told == ["below"], "the site above is told, too"
    assert removed_sites(centre.progress, [SiteBeat("below", "", "", LATER)], LATER) == []
    assert removed_sites(centre.progress, [], LATER + 31 * DAY) == []
    forget_sites(centre, ["other"], LATER + 31 * DAY)
    assert removed_sites(centre.progress, [], LATER) == ["other"], "what is over is noted no more"


def test_what_was_removed_goes_up_by_the_link(
    child: SqlCatalog,  # noqa: F811
    centre: SqlCatalog,  # noqa: F811
) -> None:
    child.sites.put(SiteBeat("deep", "post", "", T0))
    link = linked(child, Parent(centre, '"odd"'))
    link.exchange()
    assert "deep" in {one.name for one in centre.sites.all()}
    forget_sites(child, ["deep"], NOW)
    link.exchange()
    assert "deep" not in {one.name for one in centre.sites.all()}


def test_one_that_is_removed_while_it_speaks_tells_all_anew(
    child: SqlCatalog,  # noqa: F811
    centre: SqlCatalog,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard(centre, child, catalog="c1", turn=7)
    hear = centre.inbox.hear_states

    def removed_meanwhile(*said: Any) -> None:
        hear(*said)
        remove_site(centre, "post1", LATER, lose=True)

    monkeypatch.setattr(centre.inbox, "hear_states", removed_meanwhile)
    heard(centre, child, catalog="c1", turn=8)
    (site,) = [one for one in centre.sites.all() if one.name == "post1"]
    assert site.facts["turn_was"] == 0, "what it said this moment was given up with the rest"
