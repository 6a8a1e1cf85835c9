"""The nodes of sites below: those that a child names, and no others."""

from __future__ import annotations

from recorder.catalog.sql import SqlCatalog
from recorder.ports import NodeBeat
from recorder.sites.documents import hear_child
from tests.unit.test_told import NOW, centre, child, message  # noqa: F401 - fixtures


def test_a_node_that_its_site_removed_is_not_shown_above_any_more(
    child: SqlCatalog,  # noqa: F811
    centre: SqlCatalog,  # noqa: F811
) -> None:
    below = {"node": "below/b1", "site": "below", "at": NOW, "facts": {}}
    odd = {"node": "n9", "site": "post1", "at": "yesterday", "facts": {}}
    for known in ("here1", "post1/n9", "post2/n1"):  # ours; one set aside; another child's
        centre.nodes.beat(NodeBeat(known, "/".join(known.split("/")[:-1]) or "here", NOW))
    body = message(child)
    body["nodes"] += [below, odd]
    assert hear_child(centre, body, "here", NOW)
    every = ["below/b1", "here1", "post1/n1", "post1/n9", "post2/n1"]
    assert [one.node for one in centre.nodes.all()] == every
    body["nodes"] = [odd]
    hear_child(centre, body, "here", NOW)
    assert [one.node for one in centre.nodes.all()] == ["here1", "post1/n9", "post2/n1"]
