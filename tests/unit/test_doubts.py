"""What a policy hardly means is refused where it is written; rules may add to one another."""

from __future__ import annotations

from typing import Any

import pytest

from policies.document import Match
from policies.doubts import covers, notes
from policies.explain import Kept, explain
from policies.facts import Capacity, StoreFacts, Touch
from policies.judge import judge
from policies.plan import Condemn
from policies.presets import COUNTY, PRESETS
from policies.read import parse_policy
from policies.replicate import replicate
from policies.retain import retain
from recorder.errors import BadDocument
from recorder.janitor.deciding import policy_in_force
from recorder.model.checks import read_json
from recorder.model.copies import CopyColumns
from recorder.model.keys import CameraId, StreamId
from recorder.model.places import Place
from recorder.model.schedule import parse_timetable
from recorder.model.timebase import DAY, HOUR, TimeRange
from recorder.model.yaml_text import read_yaml
from tests.support.plans import ALL, NOW, lane
from tests.unit.test_guard import JSON, app, ask  # noqa: F401 - a fixture

KEY = {"name": "key", "match": {"group": "key"}, "keep": {"any": "90d"}}
ALARM = {"name": "alarms", "match": {"event": "alarm"}, 
         "keep": {"post": "30d", "sub-centre": "30d", "centre": "180d"}}  # fmt: skip


def rules(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"rules": list(rules), **more}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (rules(KEY, {**KEY, "name": "again"}, ALL), "rules.1: is never reached: 'key'"),
        (rules({**KEY, "match": {"group": "*"}}, {**KEY, "name": "k"}, ALL), "rules.1: is never"),
        (rules({**KEY, "match": {"group": ["a*", "key"]}},
               {**KEY, "name": "k", "match": {"group": ["ab*", "key"], "event": "alarm"}}, ALL),
         "rules.1: is never"),
        (rules({**KEY, "match": {"event": "alrm"}}, ALL), "rules.0.match.event: 'alrm' is no kind"),
        (rules({**ALL, "keep": {"any": 90}}), "keep.any.min: 90 has no unit"),
        (rules(ALL, blast_radius=0), "blast_radius: every plan would wait"),
        (rules(ALL, levels=[]), "levels: there are none"),
        (rules({**ALL, "at_least": True}), "rules.0.at_least: there is no later rule"),
        (rules({**ALL, "keep": {"any": {"min": "20d", "max": "30d"}},
                "thin": {"after": "4d", "at": "post"}}), "rules.0.thin.after: 4d is within"),
        (rules({**ALL, "keep": {"any": {"min": "1d", "max": "30d",
                                        "events": {"min": "20d", "max": "40d"}}},
                "thin": {"after": "4d", "at": "post"}}), "rules.0.thin.after: 4d is within"),
        (rules(ALL, quotas=[{"name": "q", "max": "1TB"}, {"name": "q", "max": "2TB"}]),
         "quotas.1.name: 'q' is taken"),
        (rules(ALL, quotas=[{"name": "q", "store": "mian"}]), "quotas.0.store: 'mian' is no level"),
    ],
)  # fmt: skip
def test_a_likely_mistake_is_refused_by_path_and_counts_where_it_is_in_force(
    document: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadDocument, match=said):
        parse_policy(document)
    assert parse_policy(document, 3, stored=True).version == 3, "retention goes on"


@pytest.mark.parametrize(
    "document",
    [
        rules({**KEY, "match": {"group": "key", "stream": "sub"}}, {**KEY, "name": "k"}, ALL),
        rules({**KEY, "match": {"group": "a?"}}, {**KEY, "name": "k", "match": {"group": "a*"}},
              ALL),
        rules({**KEY, "match": {"event": "alarm"}}, {**KEY, "name": "k", "match": {}}),
        rules({**ALARM, "at_least": True}, {**ALARM, "name": "b"}, ALL),
        rules({**ALL, "keep": {"any": "30d"}, "thin": {"after": "4d", "at": "post"}}),
        rules({**KEY, "match": {"event": ["al*", "vehicle"]}}, ALL, kinds="vehicle"),
        rules(ALL, pressure=[{"match": {"stream": "sub"}, "older_than": 0}]),
        rules(ALL, stores={"ours": {"floor": "5%"}}, quotas=[{"name": "q", "store": "ours"}]),
    ],
)  # fmt: skip
def test_what_may_be_meant_is_taken(document: dict[str, Any]) -> None:
    parse_policy(document)


def test_a_wider_matcher_is_found_only_where_that_is_sure() -> None:
    def wider(one: str, other: str) -> bool:
        return covers(Match(group=(one,)), Match(group=(other,)))

    for one, other, sure in (
        ("*", "a*", True), ("a*", "ab?", True), ("a?", "ab", True), ("a?", "a*", False),
        ("ab", "a*", False), ("[ab]", "a", True), ("[ab]", "[a]", False),
    ):  # fmt: skip
        assert wider(one, other) is sure, (one, other)


def test_the_policy_in_force_is_read_as_it_was_taken() -> None:
    class Documents:
        @staticmethod
        def newest(_: str) -> Any:
            from types import SimpleNamespace

            return SimpleNamespace(body=rules({**ALL, "keep": {"any": 864000}}), version=2)

    found = policy_in_force(Documents())  # type: ignore[arg-type]
    assert found is not None
    assert found.rules[0].keep["any"].max == 10 * DAY


# -- at_least --------------------------------------------------------------------------------------


def ages(document: dict[str, Any], kind: str, group: str, level: str, *days: float) -> list[int]:
    """Return which copies, by age in days, of a camera stay that an event of a kind touched."""
    one = lane(*days, group=group)
    whole = TimeRange(NOW - 400 * DAY, NOW)
    touches = {CameraId("s", "cam"): [Touch(whole, kind)]} if kind else {}
    facts = StoreFacts("main", level, [one], NOW, touches=touches, capacity=Capacity(9, 10))
    gone = [one for one in retain(parse_policy(document), facts).actions
            if isinstance(one, Condemn)]  # fmt: skip
    going = {round((NOW - action.start - HOUR) / DAY) for action in gone}
    return [round(day) for day in days if round(day) not in going]


@pytest.mark.parametrize(
    ("kind", "group", "level", "kept"),
    [
        ("", "key", "post", 89), ("alarm", "key", "post", 89), ("alarm", "general", "post", 29),
        ("alarm", "key", "centre", 179), ("", "general", "post", 29), ("", "key", "centre", 89),
        ("motion", "key", "post", 89), ("alarm", "general", "centre", 179),
    ],
)  # fmt: skip
def test_an_alarm_makes_no_footage_of_the_county_go_sooner(
    kind: str, group: str, level: str, kept: int
) -> None:
    copied: dict[str, Any] = {**COUNTY, "rules": [
        {key: one for key, one in rule.items() if key != "replicate"} for rule in COUNTY["rules"]
    ]}  # fmt: skip
    stay = ages({**copied, "blast_radius": "100%"}, kind, group, level, 20, 29, 89, 179, 365)
    assert max(stay) == kept


def test_under_pressure_the_county_lets_general_footage_go_before_key_targets() -> None:
    lanes = [lane(*range(1, 25), camera="g"), lane(*range(1, 25), camera="k", group="key")]
    facts = StoreFacts("main", "centre", lanes, NOW, capacity=Capacity(0, 24_000))
    policy = parse_policy({**COUNTY, "blast_radius": "100%"})
    first = [one.stream.camera for one in retain(policy, facts).actions][:12]
    assert set(first) == {"g"}


def test_without_at_least_the_first_rule_alone_decides_and_a_note_says_what_that_means() -> None:
    bare = rules(ALARM, KEY, ALL)
    assert max(ages({**bare, "blast_radius": "100%"}, "alarm", "key", "post", 20, 89)) == 20
    (note,) = notes(parse_policy(bare))
    assert "both 'alarms' and 'key'" in note
    assert "sooner at post, sub-centre;" in note
    assert notes(parse_policy(rules({**ALARM, "at_least": True}, KEY, ALL))) == []
    assert "both 'key' and 'alarms'" in notes(parse_policy(rules(KEY, ALARM, ALL)))[0]
    apart = {**ALARM, "match": {"event": "alarm", "group": "yard"}}
    assert notes(parse_policy(rules(apart, KEY, {**ALL, "keep": {"post": "5d"}}))) == []
    named = parse_policy(rules(ALL, stores={"mian": {}, "post": {}, "any": {}}))
    assert notes(named) == []
    assert notes(named, ["main"]) == ["stores.mian: this site has no store of that name"]
    for name in PRESETS:
        assert notes(parse_policy(PRESETS[name])) == []


def test_a_name_that_no_camera_has_and_ages_of_minutes_are_noted() -> None:
    groups = {CameraId("post1", "gate"): "key"}
    kye = {**KEY, "match": {"group": "kye", "site": "post*"}}
    gaet = {"name": "g", "match": {"camera": ["gate", "gaet"]}, "keep": {"any": "90d"}}
    short = {"name": "all", "keep": {"any": "30m"}}
    assert notes(parse_policy(rules(kye, gaet, short)), None, groups) == [
        "rules.2.keep.any: footage goes after 30m: m is minutes, d is days",
        "rules.0.match.group: no camera known here is in group 'kye'",
        "rules.1.match.camera: no camera known here is called 'gaet'",
    ]
    assert notes(parse_policy(rules(KEY, ALL)), None, groups) == []
    keep = {"min": "40m", "max": "2h", "events": {"min": "60m", "max": "120m"}}
    months = {
        "name": "all",
        "keep": {"any": "90m", "post": keep},
        "thin": {"at": "post", "after": "61m"},
    }
    longer = {
        **months,
        "keep": {"any": "121m", "post": "90d"},
        "thin": {"at": "post", "after": "3h"},
    }
    assert [one.split(":")[0] for one in notes(parse_policy(rules(months)))] == [
        "rules.0.keep.any",
        "rules.0.keep.post", "rules.0.keep.post.min", "rules.0.keep.post.events",
        "rules.0.keep.post.events.min", "rules.0.thin.after",
    ]  # fmt: skip
    assert notes(parse_policy(rules(longer))) == []


def test_rules_that_decide_together_send_up_what_each_of_them_wants() -> None:
    up = {"replicate": [{"what": "all", "to": "centre", "class": "idle"}]}
    urgent = {"replicate": [{"what": "events", "to": "centre", "class": "urgent"}]}
    document = rules({**ALARM, **urgent, "at_least": True}, {**KEY, **up}, ALL)
    one = CopyColumns(StreamId("s", "cam", "main"), "key")
    one.add(NOW - 3 * HOUR, NOW - 2 * HOUR, 1, "n.1")
    one.add(NOW - 2 * HOUR, NOW - HOUR, 1, "n.1")
    touch = Touch(TimeRange(NOW - 2 * HOUR, NOW - HOUR), "alarm")
    facts = StoreFacts("main", "post", [one], NOW, touches={CameraId("s", "cam"): [touch]})
    found = replicate(parse_policy(document), facts)
    assert [(one.class_, one.rule) for one in found] == [
        ("urgent", "alarms: replicate.0"), ("idle", "key: replicate.0"),
    ]  # fmt: skip


def test_a_rule_that_only_keeps_takes_nothing_from_what_a_later_one_sends_and_guarantees() -> None:
    up = {"replicate": [{"to": "centre"}]}
    mine = {**ALARM, "keep": {"any": {"min": "1d", "max": "10d"}}, "at_least": True}
    key = {**KEY, **up, "keep": {"post": {"min": "20d", "max": "30d"}, "centre": "90d"}}
    policy = parse_policy(rules(mine, key, ALL, blast_radius="100%"))
    one = lane(40, 25, 15, group="key")
    touches = {CameraId("s", "cam"): [Touch(TimeRange(NOW - 90 * DAY, NOW), "alarm")]}
    facts = StoreFacts("main", "post", [one], NOW, touches=touches)
    assert len(replicate(policy, facts)) == 3
    plan = retain(policy, facts)
    assert (plan.actions, sum(plan.waiting.values())) == ((), 1), "its copy above is not there yet"
    judged = judge(policy, facts, one)
    assert (judged.case(1).ages.min, judged.case(1).ages.max) == (20 * DAY, 30 * DAY)


def test_footage_stays_whole_as_long_as_one_of_its_rules_wants_it_whole() -> None:
    thin = {**ALL, "keep": {"any": "90d"}, "thin": {"after": "10d", "at": "post"}}
    both = rules({**ALARM, "at_least": True}, thin, blast_radius="100%")
    one = lane(5, 20, 40)
    touch = Touch(TimeRange(NOW - 90 * DAY, NOW), "alarm")
    for touches, thinned in (({}, 2), ({CameraId("s", "cam"): [touch]}, 1)):
        facts = StoreFacts("main", "post", [one], NOW, touches=touches)
        assert len(retain(parse_policy(both), facts).thins) == thinned


def test_an_explanation_names_all_rules_that_decide() -> None:
    policy = parse_policy(rules({**ALARM, "at_least": True}, KEY, ALL), 4)
    range_ = TimeRange(NOW - DAY, NOW - DAY + HOUR)
    stream = StreamId("s", "cam", "main")
    said = explain(policy, stream, "key", range_, ["alarm"], [Kept(Place("main"), "post")], [], NOW)
    assert said[1:3] == [
        "rule 0 'alarms' (policy version 4) is the first to match; a later one may keep it longer "
        "(at_least)",
        "rule 1 'key' matches, too",
    ]
    assert any("90d after it was recorded" in one and "key: keep.any" in one for one in said)


# -- what is written -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules: []\nrules: []", "f: rules: stands twice, again at line 2"),
        ("rules:\n- name: a\n  keep: {any: 1d, post: 2d, any: 3d}", "f: rules.0.keep.any: stands"),
        ("a: [", "f: is not YAML at line 1"), ("a: 1\nb: \x00", "f: is not YAML at line 2: a cont"),
        ("a: 2026-13-45", "f: is not YAML"),
    ],
)  # fmt: skip
def test_a_key_that_stands_twice_is_refused_by_path(text: str, said: str) -> None:
    with pytest.raises(BadDocument, match=said):
        read_yaml(text, "f")


def test_what_is_written_once_is_read() -> None:
    assert read_yaml("", "f") is None
    assert read_yaml("a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}", "f") == {
        "a": {"b": 1}, "c": {"b": 1}, "d": {"b": 1, "e": 2},
    }  # fmt: skip
    laughs = "\n".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 20))
    assert "a19" in read_yaml(f"a0: &a0 [x]\n{laughs}", "f"), "looked at once, however often named"


def test_a_key_that_stands_twice_in_a_body_is_refused(app: Any) -> None:  # noqa: F811
    body = b'{"rules": [], "rules": []}'
    answer = ask(app, "PUT", "/api/v1/policy", content=body, headers=JSON)
    assert (answer.status_code, "'rules' stands twice" in answer.text) == (400, True)
    assert read_json(body, "feed") == {"rules": []}


def test_midnight_may_be_written_as_it_is_on_a_clock() -> None:
    for text in ("22:00-00:00", "22:00-24:00"):
        table = parse_timetable({"zone": "UTC", "weekly": {"mon": [text]}}, "t")
        assert table.weekly[:2] == (((22 * 60, 24 * 60),), ())
