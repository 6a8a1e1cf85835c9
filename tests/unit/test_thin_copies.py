"""An original goes because its clean points are there: nothing goes by those that are not."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from recorder.errors import StoreUnavailable
from recorder.janitor.carry_out import Done
from recorder.model.media import THIN, Segment
from recorder.store.memory import MemoryStore
from tests.support.make import segment
from tests.unit.test_janitor import Box

THINNED: Mapping[str, Any] = MappingProxyType({"thin": [{"after": "5h", "at": "post"}]})


@pytest.fixture
def box() -> Box:
    """Let the clean points of the first two segments be there."""
    made = Box()
    for i in range(2):
        one = segment(3600 * i, 3600, writer="n1.1" + THIN, points=b"")
        made.store.put(one.key, b"x" * 1000, "video/mp4", {})
        made.catalog.commits.add_segment(one, "main", "", one.end)
    return made


def sweep(box: Box) -> Done:
    return box.sweep("30d", THINNED, levels=["post"])


def thin_of(box: Box, original: Segment) -> list[Any]:
    copies = box.catalog.planning.copies_at("main", None, 99)
    return [one for one in copies if one.segment.is_thin and one.segment.start == original.start]


def is_there(box: Box, one: Segment) -> bool:
    return box.store.head(one.key) is not None


def test_an_original_stays_while_its_clean_points_are_known_to_be_damaged(box: Box) -> None:
    first, second = box.segments[:2]
    assert sweep(box).condemned == 2
    box.catalog.integrity.mark_damaged(thin_of(box, first), box.clock.now())
    done = sweep(box)
    assert (done.spared, done.condemned) == (1, 0)
    assert done.plan is not None
    assert first.start in [one.start for one in done.plan.thins], "they are made again"
    box.clock.sleep(86_400 + 1)
    sweep(box)
    assert (is_there(box, first), is_there(box, second)) == (True, False)


def test_clean_points_that_were_taken_away_within_the_grace_keep_the_original(box: Box) -> None:
    first, second = box.segments[:2]
    assert sweep(box).condemned == 2
    MemoryStore.delete(box.store, [thin_of(box, first)[0].segment.key])
    box.clock.sleep(86_400 + 1)
    assert sweep(box).purged == 1
    assert (is_there(box, first), is_there(box, second)) == (True, False)
    assert [one.action for one in box.catalog.audit.newest(99)].count("missing") == 1
    assert sweep(box).spared == 1


def test_a_store_that_fails_as_clean_points_are_looked_for_keeps_the_originals(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep(box)
    box.clock.sleep(86_400 + 1)
    head, thin = box.store.head, {thin_of(box, one)[0].segment.key for one in box.segments[:2]}

    def away(key: str) -> Any:
        if key in thin:
            raise StoreUnavailable("away")
        return head(key)

    monkeypatch.setattr(box.store, "head", away)
    assert sweep(box).purged == 0
    monkeypatch.undo()
    assert sweep(box).purged == 2


def test_an_original_whose_clean_points_go_too_goes_with_them(box: Box) -> None:
    assert box.sweep("3h", levels=["post"]).condemned > 2
    box.clock.sleep(86_400 + 1)
    box.sweep("3h", levels=["post"])
    assert not any(is_there(box, one) for one in box.segments[:2])
