"""Who may do what: grants, their conditions, and the table that people read."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from recorder.access.decide import (
    NOBODY,
    OPEN,
    Camera,
    Circumstances,
    Everything,
    Grant,
    On,
    Something,
    Subject,
    decide,
)
from recorder.access.grants import parse_grants
from recorder.access.permissions import FREE, ROLES, Permission, Role
from recorder.access.words import CHECK, digest_of, is_word, make_word
from recorder.errors import BadDocument
from recorder.model.keys import CameraId
from recorder.model.timebase import DAY, HOUR, MINUTE, TimeRange
from tests.support.make import T0

GATE = Camera(CameraId("post1", "gate"), "gates")
YARD = Camera(CameraId("post2", "yard"), "yards")
NOW = Circumstances(T0)
PAGE = Path(__file__).parents[2] / "docs/design/access.md"
P = Permission


def one(**grant: object) -> Subject:
    return Subject("user:ana", parse_grants([{"role": "officer", **grant}]))


def test_the_table_in_the_documents_says_what_each_role_may() -> None:
    rows = re.findall(r"^\| `([a-z]+\.[a-z]+)` \|(.*)\|$", PAGE.read_text(), re.M)
    (head,) = re.findall(r"^\| permission \|(.*)\|$", PAGE.read_text(), re.M)
    roles = [Role(name.strip().strip("`")) for name in head.split("|")]
    assert sorted(roles) == sorted(Role)
    said = {
        (Permission(name), role): cell.strip() == "x"
        for name, cells in rows
        for role, cell in zip(roles, cells.split("|"), strict=True)
    }
    true = {(one, role): one in ROLES[role] for one in set(Permission) - FREE for role in Role}
    assert said == true


def test_what_no_grant_allows_is_not_allowed() -> None:
    for on in (GATE, Everything(), Something()):
        for permission in set(Permission) - {P.PUBLIC, P.OWN}:
            assert not decide(NOBODY, permission, on, NOW).allowed
            assert not decide(Subject("user:ana"), permission, on, NOW).allowed
            assert decide(OPEN, permission, on, NOW).allowed
    assert not decide(NOBODY, P.OWN, Everything(), NOW).allowed
    assert decide(NOBODY, P.PUBLIC, Everything(), NOW).allowed


@pytest.mark.parametrize(
    ("grant", "on", "said"),
    [
        ({}, GATE, ""),
        ({"sites": ["post1"]}, GATE, ""),
        ({"sites": ["post1"]}, YARD, "is not for site post2"),
        ({"groups": ["gates"]}, GATE, ""),
        ({"groups": ["gates"]}, YARD, "is not for group yards"),
        ({"cameras": ["post1/gate"]}, GATE, ""),
        ({"cameras": ["gate"]}, GATE, ""),
        ({"cameras": ["post2/gate"]}, GATE, "is not for camera post1/gate"),
        ({"sites": ["post1"], "groups": ["yards"]}, GATE, "is not for group gates"),
        ({"back": "1h"}, replace(GATE, range=TimeRange(T0 - HOUR, T0)), ""),
        ({"back": "1h"}, replace(GATE, range=TimeRange(T0 - HOUR - 1, T0)), "reaches back 1h"),
        ({"clip": "30m"}, replace(GATE, range=TimeRange(T0 - 30 * MINUTE, T0)), ""),
        ({"clip": "30m"}, replace(GATE, range=TimeRange(T0 - HOUR, T0)), "clips of 30m at most"),
        ({"purpose": True}, GATE, "wants a purpose"),
        ({"until": "2020-01-01T00:00:00Z"}, GATE, "has ended"),
        ({"cameras": ["gate"]}, Everything(), "is for some cameras alone"),
        ({"cameras": ["gate"]}, Something(), ""),
    ],
)
def test_all_conditions_of_a_grant_must_hold(grant: dict[str, object], on: On, said: str) -> None:
    found = decide(one(**grant), P.FOOTAGE_EXPORT, on, NOW)
    assert found.allowed == (not said)
    assert said in found.reason


def test_of_several_grants_one_is_enough_and_the_nearest_refusal_is_told() -> None:
    grants = parse_grants(
        [
            {"role": "officer", "sites": ["post2"]},
            {"role": "officer", "sites": ["post1"], "back": "1h"},
        ]
    )
    both = Subject("user:ana", grants)
    asked = replace(GATE, range=TimeRange(T0 - DAY, T0))
    refused = decide(both, P.FOOTAGE_EXPORT, asked, NOW)
    assert (refused.allowed, refused.hidden) == (False, False)
    assert "reaches back" in refused.reason
    assert decide(both, P.FOOTAGE_EXPORT, replace(YARD, range=asked.range), NOW).allowed


def test_a_camera_out_of_reach_seems_not_to_exist() -> None:
    assert decide(one(sites=["post2"]), P.CAMERA_READ, GATE, NOW).hidden


def test_a_grant_for_the_day_is_none_at_night() -> None:
    day = {"zone": "UTC", "weekly": {"mon-sun": "08:00-18:00"}}
    who, midnight = one(times=day), T0 // DAY * DAY
    assert decide(who, P.CAMERA_READ, GATE, Circumstances(midnight + 9 * HOUR)).allowed
    late = decide(who, P.CAMERA_READ, GATE, Circumstances(midnight + 19 * HOUR))
    assert "time of day" in late.reason


def test_a_token_allows_no_more_than_it_is_for_and_than_its_owner_may() -> None:
    token = replace(one(), only=frozenset({P.CAMERA_READ, P.POLICY_WRITE}))
    assert decide(token, P.CAMERA_READ, GATE, NOW).allowed
    assert not decide(token, P.FOOTAGE_EXPORT, GATE, NOW).allowed
    assert not decide(token, P.POLICY_WRITE, Everything(), NOW).allowed


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ([{"role": "god"}], "there is none such"),
        ([{"role": "viewer", "camera": ["x"]}], r"grants\[0\].camera: no such field"),
        ([{"role": "viewer", "cameras": []}], "is empty"),
        ([{"role": "viewer", "cameras": "gate"}], "must be a list"),
        ([{"role": "viewer", "cameras": ["a b"]}], "is not a name"),
        ([{"role": "viewer", "back": "soon"}], "duration"),
        ([{"role": "viewer", "purpose": "yes"}], "true or false"),
        ([{}], "there is none such"),
        ("viewer", "must be a list"),
        (["viewer"], "must be an object"),
    ],
)
def test_a_grant_that_says_nothing_clear_is_refused(body: object, said: str) -> None:
    with pytest.raises(BadDocument, match=said):
        parse_grants(body)


def test_a_word_is_known_by_its_prefix_and_its_checksum() -> None:
    word = make_word("t", lambda size: bytes(range(size)))
    assert word.startswith("spanstore_t_")
    assert is_word(word, "t")
    assert not is_word(word, "s")
    for at in range(12, len(word)):
        other = "0" if word[at] != "0" else "1"
        assert not is_word(word[:at] + other + word[at + 1 :], "t")
    assert not is_word(word[:-CHECK], "t")
    assert digest_of(word) != digest_of(word + " ")


def test_whoever_is_known_may_look_after_himself() -> None:
    assert decide(Subject("user:ana"), P.OWN, Everything(), NOW).allowed


def test_a_grant_is_limited_when_it_names_anything() -> None:
    assert not Grant("x", frozenset()).limited
    assert one(groups=["g"]).grants[0].limited
