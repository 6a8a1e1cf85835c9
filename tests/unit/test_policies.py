"""Policies decide: documents are refused by path, and plans keep the laws."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import recorder
from policies.diff import compare
from policies.document import schema
from policies.explain import Kept, explain
from policies.facts import Capacity, StoreFacts, Touch
from policies.forecast import Forecast, forecast
from policies.presets import COUNTY, PRESETS
from policies.read import parse_policy
from policies.replicate import replicate
from policies.retain import retain, verdict_on
from recorder.errors import BadDocument
from recorder.model.copies import CopyColumns
from recorder.model.holds import Hold
from recorder.model.keys import CameraId, StreamId
from recorder.model.places import Place, parse_place
from recorder.model.timebase import DAY, HOUR, TimeRange
from tests.support.plans import ALL, NOW, going, lane, plan

CAM = CameraId("s", "cam")


def test_the_first_rule_that_matches_decides_and_is_named() -> None:
    document = {"rules": [
        {"name": "key", "match": {"group": ["key", "vip-*"]}, "keep": {"any": "90d"}}, ALL,
    ]}  # fmt: skip
    made = plan(
        document, lane(100, 80, 40, camera="a", group="vip-1"), lane(100, 40, 20, camera="b")
    )
    assert [(a.stream.camera, a.rule, a.reason) for a in made.actions] == [
        ("a", "key: keep.any", "older than 90d"),
        ("b", "all: keep.any", "older than 30d"),
        ("b", "all: keep.any", "older than 30d"),
    ]
    assert (made.kept, made.kept_bytes, made.bytes_going) == (3, 300, 300)


def test_footage_touched_by_an_event_is_kept_for_as_long_as_its_rule_says() -> None:
    document = {"rules": [
        {"name": "alarms", "match": {"event": "alarm"}, "keep": {"any": "180d"}},
        {"name": "all", "keep": {"any": {"max": "30d", "events": {"max": "60d"}}}},
    ]}  # fmt: skip
    end = NOW - 50 * DAY
    touches = {CAM: [Touch(TimeRange(end - HOUR, end), "motion")]}
    assert going(plan(document, lane(70, 50, 40), touches=touches)) == [70.0, 40.0]
    touches = {CAM: [Touch(TimeRange(NOW - 100 * DAY - HOUR, NOW - 100 * DAY), "alarm")]}
    assert going(plan(document, lane(100, 50), touches=touches)) == [50.0]


def test_the_last_copy_waits_for_its_copy_above() -> None:
    document = {"rules": [{
        "name": "all", "keep": {"post": "30d", "centre": "180d"}, "replicate": [{"to": "centre"}],
    }]}  # fmt: skip
    made = plan(document, lane(190, 60, 50, 20, copied=(2,)))
    assert going(made) == [190.0, 50.0]
    assert made.waiting == {"its copy at centre is not there yet": 1}


def test_a_copy_grows_thin_with_age_once_its_clean_points_are_safe() -> None:
    document = {"rules": [{
        "name": "all", "keep": {"post": "30d", "centre": "90d"},
        "thin": {"after": "7d", "at": "post"}, "replicate": [{"to": "centre"}],
    }]}  # fmt: skip
    one = lane(20, 10, 9, 3, copied=(0, 2))
    made = plan(document, one)
    assert going(made) == []
    assert [(round((NOW - t.end) / DAY), t.rule, t.reason) for t in made.thins] == [
        (20, "all: thin", "only clean points stay after 7d"),
        (9, "all: thin", "only clean points stay after 7d"),
    ]
    assert made.waiting == {"its copy at centre is not there yet": 1}
    both = CopyColumns(one.stream, one.group)
    for i in range(4):
        both.add(one.starts[i], one.ends[i], 100, "n.1")
        if i == 0:
            both.add(one.starts[i], one.ends[i], 10, "n.1.thin")
    both.copied = {0, 1, 3}
    later = plan(document, both)
    assert [(a.writer, a.rule) for a in later.actions] == [("n.1", "all: thin")]
    assert len(later.thins) == 1
    held = plan(document, both, holds={CAM: [TimeRange(0, NOW)]})
    assert (held.actions, held.thins) == ((), ()), "what is held stays whole"


def test_clean_points_above_are_enough_where_the_rule_asks_for_no_more() -> None:
    def document(what: str) -> dict[str, Any]:
        return {"rules": [{"name": "all", "keep": {"post": "7d", "centre": "90d"},
                           "replicate": [{"to": "centre", "what": what}]}]}  # fmt: skip

    one = lane(10)
    one.thinned = {0}
    facts = StoreFacts("main", "post", [one], NOW)
    assert going(plan(document("clean-points"), one)) == [10.0]
    assert going(plan(document("all"), one)) == []
    assert replicate(parse_policy(document("clean-points")), facts) == []
    (wanted,) = replicate(parse_policy(document("all")), facts)
    assert not wanted.clean
    one.thinned = set()
    (wanted,) = replicate(parse_policy(document("clean-points")), facts)
    assert wanted.clean


def test_what_a_level_above_let_go_is_not_sent_again_and_holds_nothing_back() -> None:
    document = {"rules": [{
        "name": "all", "keep": {"post": "7d", "centre": "90d"}, "replicate": [{"to": "centre"}],
    }]}  # fmt: skip
    one = lane(10, 2)
    one.let_go = {0, 1}
    assert going(plan(document, one)) == [10.0]
    assert replicate(parse_policy(document), StoreFacts("main", "post", [one], NOW)) == []


def test_a_site_out_of_touch_destroys_only_what_its_policy_lets_it() -> None:
    base = {"rules": [ALL]}
    for may, gone in (("nothing", []), ("floor", []), ("copied", [40.0]), ("all", [50.0, 40.0])):
        document = {**base, "off_link": {"after": "72h", "may": may}}
        made = plan(document, lane(50, 40, 10, copied=(1,)), parent_silent_ns=80 * HOUR)
        assert going(made) == gone, may
        assert going(plan(document, lane(50, 40), parent_silent_ns=HOUR)) == [50.0, 40.0]


def test_pressure_takes_the_operators_order_and_guarantees_last_saying_so() -> None:
    document = {
        "rules": [{"name": "all", "keep": {"any": {"min": "5d", "max": "30d"}}}],
        "pressure": [{"match": {"group": "cheap"}}],
        "stores": {"any": {"floor": "50%"}},
    }
    cheap = lane(8, 2, camera="c", group="cheap")
    dear = lane(20, 9, 1, camera="d", group="dear")
    full = Capacity(free_bytes=100, total_bytes=1000)
    made = plan(document, cheap, dear, capacity=full)
    assert [(a.stream.camera, a.rule) for a in made.actions] == [
        ("c", "pressure.0"), ("d", "floor"), ("d", "floor"), ("c", "pressure.0"),
    ]  # fmt: skip
    assert [a.below_min for a in made.actions] == [False, False, False, True]
    assert made.actions[3].reason.endswith("below its guaranteed 5d")
    assert made.warnings == ("1 segment goes before its guaranteed minimum",)


def test_a_quota_has_a_ceiling_and_its_guarantee_stands_under_pressure() -> None:
    document = {
        "rules": [{"name": "all", "keep": {"any": {"max": "30d"}}}],
        "quotas": [
            {"name": "yard", "match": {"camera": "y*"}, "max": 200},
            {"name": "gate", "match": {"camera": "g*"}, "min": "200 B"},
        ],
        "stores": {"any": {"floor": 0.5}},
    }
    yard, gate = lane(9, 8, 7, camera="y"), lane(20, 19, 18, camera="g")
    made = plan(document, yard, gate, capacity=Capacity(200, 1000))
    assert [(a.stream.camera, a.rule) for a in made.actions] == [
        ("y", "quota.yard"), ("g", "floor"), ("y", "floor"),
    ]  # fmt: skip
    held = {CameraId("s", "y"): [TimeRange(0, NOW)]}
    stuck = plan(document, lane(9, 8, 7, camera="y"), holds=held)
    assert stuck.actions == ()
    assert "over by 100 B" in stuck.warnings[0]


def test_a_plan_that_takes_too_much_within_an_hour_waits_for_a_word() -> None:
    many = lane(*[31 + i / 100 for i in range(150)], *[i / 100 for i in range(300)])
    assert "25 %" in plan({"rules": [ALL]}, many).stopped
    assert plan({"rules": [ALL], "blast_radius": "50%"}, many).stopped == ""
    lately = Capacity(condemned_lately_bytes=20_000)
    assert plan({"rules": [ALL], "blast_radius": "50%"}, many, capacity=lately).stopped
    assert "would condemn 100 %" in plan({"rules": [ALL]}, lane(60)).stopped, "of few, too"


@settings(max_examples=150, deadline=None)
@given(
    minutes=st.lists(st.integers(0, 60 * 1440), min_size=1, max_size=30, unique=True),
    holds=st.lists(st.tuples(st.floats(0, 60), st.floats(0, 10)), max_size=4),
    copied=st.sets(st.integers(0, 29)),
    missing=st.integers(0, 4000),
    minimum=st.integers(0, 30),
)
def test_no_plan_breaks_a_hold_and_none_takes_a_last_copy_but_for_room(
    minutes: list[int], holds: list[tuple[float, float]], copied: set[int], missing: int,
    minimum: int,
) -> None:  # fmt: skip
    document = {
        "rules": [{
            "name": "all",
            "keep": {"post": {"min": f"{minimum}d", "max": "30d"}, "centre": "90d"},
            "replicate": [{"to": "centre"}],
        }],
        "stores": {"any": {"floor": 0.5}},
    }  # fmt: skip
    one = lane(*(minute / 1440 for minute in minutes), copied=tuple(copied))
    ranges = [TimeRange(NOW - round(a * DAY) - 1, NOW - round(a * DAY) + round(n * DAY))
              for a, n in holds]  # fmt: skip
    policy = parse_policy(document)
    facts = StoreFacts("main", "post", [one], NOW, {CAM: ranges},
                       capacity=Capacity(5000 - missing, 10_000))  # fmt: skip
    made = retain(policy, facts)
    for start in one.starts:
        decided = verdict_on(policy, facts, one.stream, start, "n.1")
        assert decided is not None
        goes = any(action.start == start for action in made.actions)
        assert (decided[0].do == "go") == goes, "what is explained is what the plan does"
    places = {start: i for i, start in enumerate(one.starts)}
    taken = 0
    for action in made.actions:
        assert not any(hold.overlaps(TimeRange(action.start, action.end)) for hold in ranges)
        i, age = places[action.start], NOW - action.end
        if action.rule != "floor":
            assert age >= 30 * DAY
            assert i in copied or age >= 90 * DAY
        else:
            assert missing > taken, "no more than the room asked for"
            assert action.below_min == (age < minimum * DAY)
            assert action.below_min or i in copied or "not there yet" in action.reason
        taken += action.size_bytes
    assert made.kept == len(one) - len(made.actions)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({}, "rules: is missing"),
        ({"rules": []}, "rules: there are none"),
        ({"rules": {}}, "rules: must be a list"),
        ({"rules": [{"name": "a", "keep": "30d"}]}, "rules.0.keep: must be a map"),
        ({"rules": [{"name": "a", "keep": {"any": {"min": "1d"}}}]}, "keep.any.max: is missing"),
        ({"rules": [ALL], "flor": 1}, "flor: no such field"),
        ({"rules": [{**ALL, "match": {"group": "key"}}]}, "rules.0.match: the last rule must"),
        ({"rules": [ALL, {**ALL, "name": "b"}]}, "rules.1: is never reached"),
        ({"rules": [{"name": "a", "keep": {}}]}, "rules.0.keep: keeps nothing"),
        ({"rules": [{"name": "a", "keep": {"any": "1 fortnight"}}]}, "rules.0.keep.any.min"),
        ({"rules": [{"name": "a", "keep": {"any": {"min": "9d", "max": "1d"}}}]},
         "rules.0.keep.any.min: 9d is more than max 1d"),
        ({"rules": [{"name": "a", "keep": {"centre": "forever"}}]},
         "rules.0.keep.centre.max: is unbounded at the last level"),
        ({"rules": [{"name": "a", "keep": {"post": "1d"}, "replicate": [{"to": "centre"}]}]},
         "rules.0.replicate.0.to: nothing is kept at centre"),
        ({"rules": [{"name": "a", "keep": {"any": "2d"},
                     "replicate": [{"to": "centre", "within": "3d"}]}]},
         "rules.0.replicate.0.within: 3d is later"),
        ({"rules": [{"name": "a", "keep": {"any": "2d"}, "thin": {"at": "post", "after": "2d"}}]},
         "rules.0.thin.after: the footage is gone by then"),
        ({"rules": [ALL], "quotas": [{"name": "q", "min": "2TB", "max": "1TB"}]},
         "quotas.0.min: is more than max"),
        ({"rules": [ALL], "stores": {"any": {"floor": "200%"}}}, "stores.any.floor"),
        ({"rules": [ALL], "version": 3}, "version: no such field"),
        ({"rules": [{"name": "a", "keep": {"psot": "30d", "centre": "30d"}}]},
         "rules.0.keep.psot: 'psot' is no level, and no store"),
    ],
)  # fmt: skip
def test_a_document_that_cannot_be_kept_is_refused_by_path(
    document: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadDocument) as caught:
        parse_policy(document)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("document", "said", "hint"),
    [
        ({"rule": [ALL]}, "rule: no such field", "did you mean rules? there are levels, kinds, r"),
        ({"rules": [{**ALL, "match": {"evnt": "alarm"}}]}, "rules.0.match.evnt: no such field",
         "did you mean event? there are camera, group, site, stream, event"),
        ({"rules": [{**ALL, "replicate": [{"to": "centre", "whithin": "1h"}]}]},
         "rules.0.replicate.0.whithin: no such field", "did you mean within? there are what, to, "),
        ({"rules": [{**ALL, "keep": {"any": {"mn": "1d", "max": "2d"}}}]},
         "rules.0.keep.any.mn: no such field", "did you mean min? there are min, max, events"),
        ({"rules": [{**ALL, "thin": {"aftr": "1d", "at": "post"}}]},
         "rules.0.thin.0.aftr: no such field", "did you mean after? there are after, at"),
        ({"rules": [ALL], "stores": {"any": {"flor": "5%"}}}, "stores.any.flor: no such field",
         "did you mean floor? there are floor"),
        ({"rules": [{**ALL, "keep": "30d"}]}, "rules.0.keep: must be a map", "as {any: 30d}; 30d"),
    ],
)  # fmt: skip
def test_a_word_that_nobody_knows_is_named_with_what_was_probably_meant(
    document: dict[str, Any], said: str, hint: str
) -> None:
    with pytest.raises(BadDocument) as caught:
        parse_policy(document)
    assert str(caught.value) == said
    assert hint in caught.value.hint


@pytest.mark.parametrize("page", ["README.md", "docs/design/policies.md"])
def test_the_documents_in_the_pages_are_true(page: str) -> None:
    text = (Path(recorder.__file__).parent.parent / page).read_text()
    blocks = [block for block in re.findall(r"```yaml\n(.*?)```", text, re.S) if "rules:" in block]
    assert blocks
    for block in blocks:
        parse_policy(yaml.safe_load(block))


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_presets_are_documents(name: str) -> None:
    assert parse_policy(PRESETS[name]).rules[-1].match.anything


def test_a_change_is_told_by_what_goes_sooner_and_what_is_spared() -> None:
    one = lane(70, 50, 35, 10)
    present = plan({"rules": [{"name": "a", "keep": {"any": "60d"}}]}, one)
    change = compare(present, plan({"rules": [ALL]}, one), {})
    assert change.said == (
        "would delete 200 B / 0.0833 camera-days sooner, and spare 0 B / 0 camera-days; 0 held"
    )
    assert change.by_camera == {"cam": 2 / 24}
    back = compare(plan({"rules": [ALL]}, one), present, {})
    assert (len(back.sooner), len(back.spared)) == (0, 2)
    # a plan that broke the law would be told as it is
    held = {CAM: [TimeRange(NOW - 60 * DAY, NOW - 45 * DAY)]}
    assert compare(present, plan({"rules": [ALL]}, one), held).held == 1


def test_a_change_is_told_by_what_is_made_thin_sooner_and_what_stays_whole() -> None:
    one = lane(25, 15, 5)
    early, late = (
        plan({"rules": [{**ALL, "thin": {"at": "post", "after": after}}]}, one)
        for after in ("10d", "20d")
    )
    change = compare(late, early, {})
    assert [len(part) for part in (change.sooner, change.thinned, change.whole)] == [0, 1, 0]
    assert "would thin 100 B / 0.0417 camera-days sooner" in change.said
    assert len(compare(early, plan({"rules": [ALL]}, one), {}).whole) == 2


def test_a_forecast_says_when_a_store_is_full_and_who_misses_the_minimum() -> None:
    hours = [i / 24 for i in range(24 * 10)]
    lanes = (lane(*hours, camera="a", size=1000), lane(*hours, camera="b", group="key", size=1000))
    document = {
        "rules": [
            {"name": "key", "match": {"group": "key"}, "keep": {"any": "60d"}}, ALL,
        ],
        "stores": {"any": {"floor": 0}},
    }  # fmt: skip
    policy = parse_policy(document)

    def told(total: int) -> Forecast:
        room = Capacity(total - 480_000, total)
        return forecast(policy, StoreFacts("main", "post", lanes, NOW, capacity=room))

    fits = told(3_000_000)
    assert (round(fits.steady_bytes, -4), fits.full_at) == (24_000 * 90, None)
    tight = told(24_000 * 50)  # a day brings 48 000 bytes; what fits is 25 days of both
    assert tight.full_at is not None
    assert abs((tight.full_at - NOW) / DAY - 15) <= 1
    assert tight.reach_ns is not None
    assert abs(tight.reach_ns / DAY - 25) < 0.1
    assert tight.short == ("s/a/main", "s/b/main")
    assert told(24_000 * 70).short == ("s/b/main",)


@pytest.mark.parametrize("left_h", [0.25, 9.6, 30, 24 * 8])
def test_a_forecast_says_the_hour_in_which_a_store_is_full(left_h: float) -> None:
    """Of a stream that begins: 1000 bytes an hour come in, and nothing ages out."""
    lanes = (lane(*[i / 24 for i in range(24)], size=1000),)
    total = 24_000 + round(1000 * left_h)
    room = Capacity(total - 24_000, total)
    policy = parse_policy({"rules": [ALL], "stores": {"any": {"floor": 0}}})
    found = forecast(policy, StoreFacts("main", "post", lanes, NOW, capacity=room))
    assert found.full_at is not None
    assert abs((found.full_at - NOW) / HOUR - left_h) < 0.05 * left_h + 0.01


def test_what_ages_out_makes_room_for_what_comes_in() -> None:
    """One stream goes round in its 10 days; another, kept longer, begins and fills what is left."""
    hours = [i / 24 for i in range(24 * 10)]
    lanes = (lane(*hours, camera="a", size=1000), lane(1 / 24, 0, camera="b", size=1000))
    document = {
        "rules": [{"name": "b", "match": {"camera": "b"}, "keep": {"any": "60d"}},
                  {"name": "all", "keep": {"any": "10d"}}],
        "stores": {"any": {"floor": 0}},
    }  # fmt: skip
    total = 242_000 + 30_000
    room = Capacity(30_000, total)
    found = forecast(parse_policy(document), StoreFacts("m", "post", lanes, NOW, capacity=room))
    assert found.full_at is not None
    assert abs((found.full_at - NOW) / HOUR - 30) < 1.5


UP = {"keep": {"post": "30d", "centre": "180d"}, "replicate": [{"to": "centre"}]}
FULL = Capacity(free_bytes=0, total_bytes=1000)
ROOM = Capacity(free_bytes=900, total_bytes=1000)


@pytest.mark.parametrize(
    ("document", "facts", "said"),
    [
        ({"rules": [{"name": "all", **UP}]}, {},
         "its time is up, and it waits: its copy at centre is not there yet, by all: keep.post"),
        ({"rules": [{"name": "all", "keep": {"centre": "180d"}, "replicate": [{"to": "centre"}]}]},
         {}, "its time is up, and it waits: its copy at centre is not there yet, "
             "by all: nothing kept at post"),
        ({"rules": [ALL], "off_link": {"after": "1d", "may": "nothing"}},
         {"parent_silent_ns": 2 * DAY}, "its time is up, and it waits: "
         "the parent has not been heard from (off_link), by all: keep.any"),
        ({"rules": [{"name": "all", "keep": {"any": "90d"}}],
          "quotas": [{"name": "own", "match": {}, "max": "50 B"}]}, {},
         "the next sweep condemns it: quota own is over its 50 B; "
         "below its guaranteed 90d, by quota.own"),
        ({"rules": [{"name": "all", "keep": {"any": "90d"}}]}, {"capacity": FULL},
         "the next sweep condemns it: store below its floor of 5 % free; "
         "below its guaranteed 90d, by floor"),
        ({"rules": [ALL]}, {},
         "the next sweep condemns it: older than 30d, by all: keep.any"),
        ({"rules": [ALL]}, {"holds": {CAM: [TimeRange(0, NOW)]}}, "it stays: it is held"),
        ({"rules": [{"name": "all", "keep": {"any": "90d"}}]}, {},
         "it goes on 1972-10-27T00:00:00Z, by all: keep.any"),
        ({"rules": [{"name": "all", "keep": {"any": "90d"},
                     "thin": {"after": "7d", "at": "post"}}]},
         {}, "the next sweep makes it thin: only clean points stay after 7d, by all: thin"),
    ],
)  # fmt: skip
def test_what_is_explained_is_what_the_plan_does(
    document: dict[str, Any], facts: dict[str, Any], said: str
) -> None:
    policy, one = parse_policy({**document, "blast_radius": "100%"}), lane(60)
    found = StoreFacts("main", "post", [one], NOW, **({"capacity": ROOM} | facts))
    decided = verdict_on(policy, found, one.stream, one.starts[0], "n.1")
    assert decided is not None
    verdict, stopped = decided
    assert not stopped
    range_ = TimeRange(one.starts[0], one.ends[0])
    copy = Kept(Place("main"), "post", verdict=verdict)
    lines = explain(policy, one.stream, "", range_, (), [copy], [], NOW)
    assert lines[-1] == f"at main (post) {said}"
    made = retain(policy, found)
    assert bool(made.actions) == (verdict.do == "go")
    assert bool(made.thins) == (verdict.do == "thin")
    assert bool(made.waiting) == (verdict.do == "wait")


def test_a_stopped_plan_is_said_with_what_it_would_do() -> None:
    policy, one = parse_policy({"rules": [ALL]}), lane(*range(40, 200))
    facts = StoreFacts("main", "post", [one], NOW, capacity=ROOM)
    decided = verdict_on(policy, facts, one.stream, one.starts[0], "n.1")
    assert decided is not None
    copy = Kept(Place("main"), "post", False, *decided)
    range_ = TimeRange(one.starts[0], one.ends[0])
    (*_, said) = explain(policy, one.stream, "", range_, (), [copy], [], NOW)
    assert "a sweep condemns it as soon as the plan is let go on (would condemn" in said


def test_a_copy_that_another_site_has_is_told_by_the_rule_alone() -> None:
    policy, one = parse_policy({"rules": [{"name": "all", **UP}]}), lane(60)
    range_ = TimeRange(one.starts[0], one.ends[0])
    copy = Kept(parse_place("../main"), "centre")
    (*_, said) = explain(policy, one.stream, "", range_, (), [copy], [], NOW)
    assert said.endswith("by all: keep.centre; that site decides")


def test_a_copy_that_is_damaged_is_told_as_such() -> None:
    policy, one = parse_policy({"rules": [{"name": "all", **UP}]}), lane(60)
    range_ = TimeRange(one.starts[0], one.ends[0])
    copy = Kept(parse_place("post1/main"), "post", damaged=True)
    said = explain(policy, one.stream, "", range_, (), [copy], [], NOW)
    assert "at post1/main (post) it is damaged, or was not found when it was looked for" in said


def test_a_minute_is_explained_rule_by_rule() -> None:
    policy = parse_policy(COUNTY)
    stream = StreamId("post1", "gate", "main")
    range_ = TimeRange(NOW - DAY, NOW - DAY + HOUR)
    hold = Hold("h", ("gate",), range_, "17", "collision", "ann", NOW)
    copies = [Kept(Place("main"), "post")]
    said = explain(policy, stream, "general", range_, {"alarm"}, copies, [], NOW)
    assert said[:2] == [
        "touched by alarm",
        "rule 0 'alarms and checkpoints' (policy version 0) is the first to match; a later one may "
        "keep it longer (at_least)",
    ]
    assert "it goes on" in said[-1]
    said = explain(policy, stream, "general", range_, (), copies, [hold], NOW)
    assert "rule 0 'alarms and checkpoints' does not match" in said
    assert "held by ann for case 17, without end: no rule deletes it" in said


def test_the_schema_describes_what_the_reader_takes() -> None:
    found = schema()
    assert set(found["properties"]) == {
        "levels", "kinds", "rules", "stores", "quotas", "pressure", "off_link", "events",
        "blast_radius",
    }  # fmt: skip
    assert found["required"] == ["rules"]
