"""Quotas of each site, group or camera by itself, and ages of thinning level by level."""

from __future__ import annotations

import pytest

from policies.facts import Capacity
from policies.match import thin_at
from policies.reach import shortest_ns
from policies.read import parse_policy
from recorder.errors import BadDocument
from recorder.model.keys import CameraId
from recorder.model.timebase import DAY, HOUR, TimeRange
from tests.support.plans import ALL, NOW, lane, plan

EARLY = {"at": "post", "after": "2d"}


def test_a_quota_is_of_each_site_group_or_camera_by_itself_where_it_says_so() -> None:
    quota = {"name": "share", "max": "200 B", "min": "100 B"}
    one, two = lane(9, 8, 7, camera="a"), lane(6, 5, 4, camera="b")
    together = ["a", "a", "a", "b"]
    for per, gone in (("camera", ["a", "b"]), ("site", together), ("all", together)):
        document = {"rules": [ALL], "quotas": [{**quota, "per": per}]}
        made = plan(document, one, two)
        assert [action.stream.camera for action in made.actions] == gone, per
        assert {action.rule for action in made.actions} == {"quota.share"}
    each = {"rules": [ALL], "quotas": [{**quota, "per": "camera"}]}
    said = plan(each, one, two).actions[0].reason
    assert said.startswith("quota share of s/a is over its 200 B")
    with pytest.raises(BadDocument, match=r"quotas\.0\.per"):
        parse_policy({"rules": [ALL], "quotas": [{**quota, "per": "store"}]})


def test_what_a_quota_guarantees_each_camera_stands_under_pressure() -> None:
    document = {
        "rules": [{"name": "all", "keep": {"any": {"max": "30d"}}}],
        "quotas": [{"name": "share", "per": "camera", "min": "200 B"}],
        "stores": {"any": {"floor": 0.5}},
    }
    lanes = lane(20, 19, 18, camera="a"), lane(9, 8, 7, camera="b")
    made = plan(document, *lanes, capacity=Capacity(300, 1000))
    assert [one.stream.camera for one in made.actions] == ["a", "b"], "one of each, not two of one"


def test_each_level_thins_at_its_own_age_and_a_store_by_its_name_before_its_level() -> None:
    thin = [
        {"at": "post", "after": "5d"},
        {"at": "main", "after": "10d"},
        {"at": "centre", "after": "20d"},
    ]
    keep = {"main": "30d", "any": "30d"}
    rules = [{"name": "all", "keep": keep, "thin": thin}]
    policy = parse_policy({"rules": rules, "stores": {"main": {"floor": "5%"}}})
    found = {
        (store, level): thin_at(policy.rules, store, level, touched=False)[0] // DAY
        for store, level in (("main", "post"), ("other", "post"), ("other", "centre"))
    }
    assert found == {("main", "post"): 10, ("other", "post"): 5, ("other", "centre"): 20}
    one = lane(25, 15, 7, 3)
    assert len(plan({"rules": [{**ALL, "thin": thin[:1]}]}, one).thins) == 3


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ({"at": "post", "after": "3d"}, "rules.0.thin.1.at: 'post' is thinned twice"),
        ({"at": "centre", "after": "99d"}, "rules.0.thin.1.after: the footage is gone by then"),
        ({"at": "attic", "after": "3d"}, "rules.0.thin.1.at: 'attic' is no level"),
    ],
)
def test_a_list_of_ages_is_refused_by_the_path_of_the_one_that_is_wrong(
    second: dict[str, str], said: str
) -> None:
    with pytest.raises(BadDocument) as caught:
        parse_policy({"rules": [{**ALL, "thin": [EARLY, second]}]})
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("holds", "may", "left"),
    [
        ({}, "all", "all of its footage goes; other files fill the disk"),
        ({CameraId("s", "cam"): [TimeRange(0, NOW)]}, "all", "all that is left is held"),
        ({}, "copied", "all that is left is held, or not copied yet"),
    ],
)
def test_a_disk_that_stays_too_full_says_what_is_in_the_way(
    holds: dict[CameraId, list[TimeRange]], may: str, left: str
) -> None:
    document = {
        "rules": [ALL],
        "stores": {"any": {"floor": "50%"}},
        "off_link": {"after": "1h", "may": may},
    }
    full = Capacity(free_bytes=0, total_bytes=1000)
    made = plan(document, lane(9), capacity=full, holds=holds, parent_silent_ns=2 * HOUR)
    (said,) = (one for one in made.warnings if one.startswith("still "))
    assert said.endswith(f"below the floor: {left}")


@pytest.mark.parametrize(
    ("more", "days"),
    [
        ({}, 90),
        ({"move": {"after": "7d", "to": "archive"}}, 7),
        ({"thin": {"after": "3d", "at": "post"}}, 3),
        ({"keep": {"post": "90d"}}, 0),  # at other levels it goes at once
    ],
)
def test_a_plan_sees_what_is_as_old_as_the_first_thing_that_may_happen_to_it(
    more: dict[str, object], days: int
) -> None:
    rule = {"name": "all", "keep": {"any": "90d"}, **more}
    document = {"rules": [rule], "levels": ["post", "centre"], "stores": {"archive": {"floor": 0}}}
    assert shortest_ns(parse_policy(document)) == days * DAY
