"""A node that never comes back is removed, and what only its spool had is lost, and said so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from recorder.catalog.sql import SqlCatalog
from recorder.errors import NotFound, StateError
from recorder.janitor.departed import AT_ONCE, Departed, remove_node
from recorder.model.media import Copy, Segment
from recorder.model.places import spool_of
from recorder.model.timebase import HOUR, SECOND, Instant, TimeRange
from recorder.ports import AuditEntry, NodeBeat
from recorder.sites.nodes import drain, draining, remove
from tests.support.make import STREAM, T0, segment

NOW = T0 + 100 * HOUR
ALL = TimeRange(0, NOW)
SPOOL = spool_of("n1")


@pytest.fixture
def catalog() -> Iterator[SqlCatalog]:
    """n1 has three segments: one stored, too, one let go in the store, one nowhere else."""
    one = SqlCatalog("sqlite://")
    heard(one, 1000)
    for number, places in enumerate(((SPOOL, "main"), (SPOOL, "main"), (SPOOL,))):
        for place in places:
            one.commits.add_segment(segment(60 * number), place, "", T0)
    condemn(one, segment(60), "main")
    yield one
    one.close()


def heard(catalog: SqlCatalog, before_s: float, node: str = "n1", **facts: Any) -> None:
    catalog.nodes.beat(NodeBeat(node, "north", NOW - round(before_s * SECOND), facts))


def condemn(catalog: SqlCatalog, one: Segment, place: str, at: Instant = T0) -> None:
    (copy,) = [copy for copy in catalog.footage.copies([one])[one.key] if copy.place == place]
    assert catalog.deletion.condemn([copy], at, [])


def test_while_its_spool_alone_has_footage_a_node_is_not_removed_unasked(
    catalog: SqlCatalog,
) -> None:
    with pytest.raises(StateError, match="n1 has 2 segments that no other place has") as refused:
        remove_node(catalog, "n1", NOW, lose=False)
    assert "--lose" in refused.value.hint
    assert "14:04:07Z to 2026-01-05T14:06:07Z" in str(refused.value)
    assert [one.node for one in catalog.nodes.all()] == ["n1"]
    assert len(catalog.footage.segments(STREAM, ALL)) == 3


@pytest.mark.parametrize("how", ["damaged in the store", "in doubt above", "at a parent of before"])
def test_a_copy_that_nobody_believes_in_is_no_other(catalog: SqlCatalog, how: str) -> None:
    one = segment(0)
    (stored,) = [copy for copy in catalog.footage.copies([one])[one.key] if copy.place == "main"]
    if how == "damaged in the store":
        catalog.integrity.mark_damaged([stored], T0)
    else:
        place, at = ("../main", 0) if how == "in doubt above" else ("..sub0/main", T0)
        catalog.commits.add_segment(one, place, "", at)
        catalog.commits.forget([stored], "lost")
    with pytest.raises(StateError, match="n1 has 3 segments that no other place has"):
        remove_node(catalog, "n1", NOW, lose=False)


def test_a_node_that_was_lost_leaves_gaps_where_it_alone_had_footage(catalog: SqlCatalog) -> None:
    assert remove_node(catalog, "n1", NOW, lose=True) == Departed("n1", copies=3, lost=2)
    assert catalog.nodes.all() == []
    assert [one.start for one in catalog.footage.segments(STREAM, ALL)] == [T0, T0 + 60 * SECOND]
    (gap,) = catalog.footage.gaps(STREAM, ALL)
    assert (gap.start, gap.cause) == (T0 + 120 * SECOND, "lost")
    logged = catalog.audit.about(STREAM.camera_id, ALL)
    assert {(one.action, one.rule, one.place) for one in logged} == {("lost", "node remove", SPOOL)}
    assert len(logged) == 3


def test_what_policy_had_let_go_is_not_called_lost(catalog: SqlCatalog) -> None:
    condemn(catalog, segment(120), SPOOL)
    assert remove_node(catalog, "n1", NOW, lose=True).lost == 1
    assert [one.cause for one in catalog.footage.gaps(STREAM, ALL)] == ["purged"]


def test_a_node_whose_footage_is_stored_goes_without_a_word_more(catalog: SqlCatalog) -> None:
    for number in (1, 2):
        catalog.commits.add_segment(segment(60 * number), "archive", "", T0)
    assert remove_node(catalog, "n1", NOW, lose=False) == Departed("n1", copies=3, lost=0)
    assert catalog.footage.gaps(STREAM, ALL) == []


def test_the_log_has_it_before_it_is_dropped(
    catalog: SqlCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    write, forget = catalog.audit.write, catalog.commits.forget

    def logs(entries: Sequence[AuditEntry]) -> None:
        done.append(f"log {len(entries)}")
        write(entries)

    def drops(copies: Sequence[Copy], cause: str) -> None:
        done.append(f"drop {len(copies)}")
        forget(copies, cause)

    monkeypatch.setattr(catalog.audit, "write", logs)
    monkeypatch.setattr(catalog.commits, "forget", drops)
    monkeypatch.setattr(catalog.nodes, "forget", lambda names: done.append("forget"))
    for number in range(3, AT_ONCE + 3):
        catalog.commits.add_segment(segment(60 * number), SPOOL, "", T0)
    remove_node(catalog, "n1", NOW, lose=True)
    assert done == ["log 200", "drop 0", "drop 200", "log 3", "drop 0", "drop 3", "forget"]


@pytest.mark.parametrize(
    ("before_s", "facts", "refused"),
    [(14, {}, True), (16, {}, False), (-61, {}, False), (1, {"state": "stopped"}, False)],
)
def test_a_node_that_lives_is_not_removed(
    catalog: SqlCatalog, before_s: float, facts: dict[str, Any], refused: bool
) -> None:
    heard(catalog, before_s, **facts)
    if not refused:
        assert remove_node(catalog, "n1", NOW, lose=True).copies == 3
        return
    with pytest.raises(StateError, match="it lives"):
        remove_node(catalog, "n1", NOW, lose=True)
    assert len(catalog.footage.segments(STREAM, ALL)) == 3


def test_a_node_of_another_site_or_none_is_not_known(catalog: SqlCatalog) -> None:
    catalog.commits.add_segment(segment(900), "post1/spool:n1", "", T0)
    heard(catalog, 1000, node="post1/n1")
    for name in ("n3", "", "post1/n1"):
        with pytest.raises(NotFound, match="no node"):
            remove_node(catalog, name, NOW, lose=True)


def test_a_node_that_only_its_footage_knows_can_be_removed(catalog: SqlCatalog) -> None:
    catalog.nodes.forget(["n1"])
    assert remove_node(catalog, "n1", NOW, lose=True).copies == 3


def test_one_that_was_drained_is_not_once_it_is_no_more(catalog: SqlCatalog) -> None:
    heard(catalog, 1000, node="n2")
    for name in ("n1", "n2"):
        drain(catalog, name, "ann", NOW, wanted=True)
    remove(catalog, "n1", "ann", NOW, lose=True)
    assert draining(catalog.documents) == ["n2"]
