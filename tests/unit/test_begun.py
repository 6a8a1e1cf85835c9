"""What was begun to be deleted, and is there still, goes only if it would go today."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from recorder.catalog.sql import SqlCatalog
from recorder.errors import StoreRefused, StoreUnavailable
from recorder.janitor import purge
from recorder.model.holds import Hold
from recorder.model.media import Copy, ObjectInfo
from recorder.model.places import PARENT
from recorder.model.timebase import MINUTE, TimeRange
from recorder.ports import SiteBeat
from recorder.store.identity import IDENTITY_KEY
from tests.support.make import STREAM, T0, segment
from tests.unit.test_janitor import ALL, Box

REFUSED = "refused"


@pytest.fixture
def box() -> Box:
    return Box()


def breaks_off(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Condemn all, and begin to delete it as the store goes away."""
    box.sweep("1m")
    box.clock.sleep(86_500)

    def away(_: Sequence[str]) -> dict[str, str]:
        raise StoreUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(box.store, "delete", away)
        with pytest.raises(StoreUnavailable):
            box.sweep("1m")
    box.clock.sleep(60)


def test_what_a_store_that_was_away_did_not_delete_is_judged_anew(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks_off(box, monkeypatch)
    done = box.sweep("30d")  # the mistake is put right meanwhile
    assert (done.spared, done.purged, box.stored, box.condemned) == (10, 0, 10, 0)


def test_what_is_gone_of_what_was_begun_is_finished(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks_off(box, monkeypatch)
    box.store.delete([one.key for one in box.segments[:4]])
    done = box.sweep("30d")
    assert (done.spared, done.purged, box.stored) == (6, 4, 6)
    assert [gap.cause for gap in box.catalog.footage.gaps(STREAM, ALL)] == ["purged"]


def test_an_object_that_its_store_will_not_describe_keeps_no_other(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.store.put(IDENTITY_KEY, b'{"store": "s"}', "", {})
    breaks_off(box, monkeypatch)
    right = box.store.head

    def head(key: str) -> ObjectInfo | None:
        if key == box.segments[3].key:
            raise StoreRefused("AccessDenied")
        return right(key)

    monkeypatch.setattr(box.store, "head", head)
    assert box.sweep("30d").spared == 10
    assert box.stored == 11, "its identity, too"


@pytest.mark.parametrize("held", [True, False])
def test_what_a_store_refuses_to_delete_may_be_held_or_spared_until_it_lets_it_go(
    box: Box, held: bool
) -> None:
    box.sweep("1m")
    one = box.segments[3]
    box.store.refused = {one.key}
    box.clock.sleep(86_500)
    assert box.sweep("1m").purged == 9
    if held:
        now = box.clock.now()
        who = (str(STREAM.camera_id),)
        box.catalog.holds.add(Hold("h", who, TimeRange(one.end - 1, one.end), "1", "r", "o", now))
        assert box.condemned == 0, "at once"
    else:
        assert box.sweep("30d").spared == 1
    box.store.refused = set()
    box.clock.sleep(3700)
    assert box.sweep("1m" if held else "30d").purged == 0
    assert (box.stored, box.condemned) == (1, 0)


def test_without_a_policy_nothing_goes_that_an_earlier_one_condemned(box: Box) -> None:
    box.sweep("1m")
    box.clock.sleep(86_500)
    done = box.janitor.carry_out(box.store, None, float("inf"), stores={})
    assert (done.purged, box.stored) == (0, 10)


class Forgetting:
    """Lets a minute pass for each object; the parent says after the first that it lost its."""

    def __init__(self, box: Box) -> None:
        self.box, self.asked = box, 0

    def __call__(self, many: int) -> bool:
        if not self.asked:
            above = [Copy(one, "../main") for one in self.box.segments]
            self.box.catalog.commits.forget(above, "lost")
        self.asked += many
        self.box.clock.sleep(301)
        return True


def test_a_purge_that_takes_long_is_judged_anew_while_it_goes_on(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purge, "BATCH", 2)
    rule: dict[str, Any] = {
        "keep": {"post": "1m", "centre": "30d"},
        "replicate": [{"to": "centre"}],
    }
    more: dict[str, Any] = {"levels": ["post", "centre"]}
    for one in box.segments:
        box.catalog.commits.add_segment(one, "../main", "", T0)
    box.catalog.sites.put(SiteBeat(PARENT, "hq", "", box.clock.now()))
    assert box.sweep("", rule, **more).condemned == 10
    box.clock.sleep(86_500)
    box.catalog.sites.put(SiteBeat(PARENT, "hq", "", box.clock.now()))
    box.janitor.pace = Forgetting(box)
    done = box.sweep("", rule, **more)
    assert (done.purged, done.spared, box.stored) == (2, 8, 8), "the rest is nowhere else"


def test_what_rests_since_its_store_refused_is_not_taken_to_be_gone() -> None:
    catalog = SqlCatalog("sqlite://")
    one = segment()
    catalog.commits.add_segment(one, "main", "", T0)
    catalog.deletion.condemn([Copy(one, "main")], T0, [])
    assert len(catalog.deletion.take_due("main", T0, T0 + 1, 9)) == 1
    assert len(catalog.deletion.begun("main")) == 1
    catalog.deletion.postpone([Copy(one, "main")], T0 + MINUTE)
    assert catalog.deletion.begun("main") == []
    assert catalog.deletion.take_due("main", T0, T0 + 2, 9) == [], "it rests"
    assert len(catalog.deletion.take_due("main", T0, T0 + MINUTE, 9)) == 1
    catalog.close()
