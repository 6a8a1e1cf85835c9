"""Four eyes: what one may only with another's approval, and who may give it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from recorder.access.approvals import Approval, Request, State, check_open, shown_state
from recorder.access.decide import Camera, Circumstances, Everything, Subject, decide
from recorder.access.grants import parse_grants
from recorder.access.permissions import FOOTAGE, Permission
from recorder.accounts import approving
from recorder.api.gate import needed_by
from recorder.app import App
from recorder.audit.entry import read_entry
from recorder.clean_points import pack_points
from recorder.cli import recorder
from recorder.errors import BadDocument, RequestError, StateError
from recorder.model.camera_document import parse_camera
from recorder.model.events import parse_event
from recorder.model.keys import CameraId, StreamId, segment_key
from recorder.model.media import FragmentPoint
from recorder.model.timebase import DAY, HOUR, MINUTE, SECOND, TimeRange, format_instant
from recorder.playback.hls import Address, playlist, shown_by
from recorder.ports import AskedEntries
from tests.support.access import ask, make_guarded, person
from tests.support.make import T0, segment
from tests.unit.test_gate import filled, routes

P = Permission
GATE = CameraId("centre", "gate")
ASKED = TimeRange(T0, T0 + MINUTE)
RANGE = {"start": format_instant(T0), "end": format_instant(T0 + MINUTE)}
BOTH = ["footage.view", "footage.export"]
LEA = Subject("user:lea", parse_grants([{"role": "officer", "four_eyes": ["footage.export"]}]))
GIVEN = Approval(P.FOOTAGE_EXPORT, GATE, ASKED, T0 + HOUR, "user:mia")
WANTED = {"camera": "gate", "action": "footage.export", **RANGE, "purpose": "case 7"}


def may(asked: TimeRange | None, *given: Approval, action: P = P.FOOTAGE_EXPORT,
        camera: CameraId = GATE, now: int = T0, who: Subject = LEA) -> Any:  # fmt: skip
    when = Circumstances(now, "case 7", given)
    return decide(who, action, Camera(camera, "", asked), when)


def test_what_nobody_approved_is_refused_and_can_be_asked_for() -> None:
    found = may(ASKED)
    assert (found.allowed, found.approvable, found.hidden) == (False, True, False)
    assert "another person's approval" in found.reason
    assert may(ASKED, action=P.FOOTAGE_VIEW).allowed
    allowed = may(ASKED, GIVEN)
    assert (allowed.allowed, allowed.approved) == (True, True)
    assert "user:mia has approved it" in allowed.reason


def test_an_approval_is_for_one_camera_one_act_a_range_and_a_time() -> None:
    inside = TimeRange(T0 + 10 * SECOND, T0 + 20 * SECOND)
    assert may(inside, GIVEN).allowed
    assert not may(TimeRange(T0 - 1, T0 + SECOND), GIVEN).allowed
    assert not may(TimeRange(T0, T0 + MINUTE + 1), GIVEN).allowed
    assert not may(ASKED, GIVEN, camera=CameraId("post1", "gate")).allowed
    assert not may(ASKED, replace(GIVEN, action=P.FOOTAGE_VIEW)).allowed
    assert not may(ASKED, GIVEN, now=T0 + HOUR).allowed
    halves = [replace(GIVEN, range=TimeRange(T0, T0 + 30 * SECOND)),
              replace(GIVEN, range=TimeRange(T0 + 30 * SECOND, T0 + MINUTE))]  # fmt: skip
    assert not may(ASKED, *halves).allowed, "each was asked for alone"


@given(st.integers(-90, 90), st.integers(1, 90))
def test_nothing_outside_the_range_is_ever_shown(start: int, length: int) -> None:
    asked = TimeRange(T0 + start * SECOND, T0 + (start + length) * SECOND)
    inside = ASKED.start <= asked.start and asked.end <= ASKED.end
    assert may(asked, GIVEN).allowed == inside


def test_no_approval_makes_up_for_another_condition() -> None:
    grants = [{"role": "officer", "back": "1h", "purpose": True, "four_eyes": BOTH}]
    who = Subject("user:lea", parse_grants(grants))
    found = may(ASKED, replace(GIVEN, until=T0 + DAY), now=T0 + 2 * HOUR, who=who)
    assert (found.allowed, found.approvable) == (False, False)
    assert "reaches back" in found.reason
    other = Subject(
        "user:lea", parse_grants([{"role": "officer", "sites": ["x"], "four_eyes": BOTH}])
    )
    assert may(ASKED, GIVEN, who=other).hidden
    nothing = Subject("user:lea", parse_grants([{"role": "auditor"}]))
    assert not may(ASKED, GIVEN, who=nothing).allowed


def test_one_grant_that_wants_no_approval_is_enough() -> None:
    eyes, plain = {"role": "officer", "four_eyes": BOTH}, {"role": "officer"}
    for grants in ([eyes, plain], [plain, eyes]):
        found = may(ASKED, who=Subject("user:lea", parse_grants(grants)))
        assert (found.allowed, found.approved) == (True, False)
        both = may(ASKED, GIVEN, who=Subject("user:lea", parse_grants(grants)))
        assert (both.allowed, both.approved) == (True, False)
    short = {"role": "officer", "back": "1h"}
    for grants in ([eyes, short], [short, eyes]):
        found = may(ASKED, now=T0 + DAY, who=Subject("user:lea", parse_grants(grants)))
        assert (found.allowed, found.approvable) == (False, True)


def test_what_is_of_no_range_says_that_each_look_needs_an_approval() -> None:
    found = may(None)
    assert (found.allowed, found.approved) == (True, True)
    assert "once another person has approved it" in found.reason
    assert decide(LEA, P.FOOTAGE_EXPORT, Everything(), Circumstances(T0)).approved


@pytest.mark.parametrize("eyes", [["camera.write"], "footage.view", [], [7], ["footage.approve"]])
def test_four_eyes_are_for_footage_alone(eyes: object) -> None:
    with pytest.raises(BadDocument):
        parse_grants([{"role": "officer", "four_eyes": eyes}])


def test_a_request_is_answered_once_and_in_time_and_what_was_approved_can_be_ended() -> None:
    asked = Request("r", "user:lea", P.FOOTAGE_VIEW, GATE, ASKED, "x", T0, T0 + DAY)
    check_open(asked, T0, to=State.APPROVED)
    approved = replace(asked, state=State.APPROVED)
    check_open(approved, T0, to=State.REFUSED)
    refused = replace(asked, state=State.REFUSED)
    assert [shown_state(one, T0 + DAY) for one in (asked, approved, refused)] == [
        "expired", "expired", "refused",
    ]  # fmt: skip
    for one, now, to in [
        (asked, T0 + DAY, State.APPROVED), (asked, T0 + DAY, State.REFUSED),
        (approved, T0, State.APPROVED), (refused, T0, State.APPROVED),
        (refused, T0, State.REFUSED), (approved, T0 + DAY, State.REFUSED),
    ]:  # fmt: skip
        with pytest.raises(StateError, match=shown_state(one, now)):
            check_open(one, now, to=to)


# -- the door --------------------------------------------------------------------------------------


@pytest.fixture
def app(tmp_path: Any) -> Iterator[App]:
    made = make_guarded(tmp_path)
    now = made.clock.now()
    for name in ("gate", "yard"):
        document = parse_camera(name, {"url": "rtsp://10.0.0.1/x", "group": f"{name}s"})
        made.catalog.cameras.put(document, now, None)
        stream = StreamId("centre", name, "main")
        key = segment_key(str(stream), T0, "n1.1", 0)
        made.catalog.commits.add_segment(segment(stream=stream, key=key), "main", "", 7)
        at = {"camera": name, "kind": "alarm", "at": format_instant(T0 + SECOND)}
        made.catalog.events.add(parse_event(at, None, f"event-{name}", "centre", now), None)
    yield made
    made.close()


def post(app: App, path: str, shown: dict[str, str], body: Any) -> httpx.Response:
    return ask(app, "POST", f"/api/v1/approvals{path}", shown, json=body)


def clip(app: App, shown: dict[str, str], **more: str) -> httpx.Response:
    return ask(app, "GET", "/api/v1/cameras/gate/clip.mp4", shown, params={**RANGE, **more})


def test_every_address_of_footage_waits_for_an_approval(app: App) -> None:
    lea = person(app, "lea", [{"role": "officer", "four_eyes": BOTH}])
    walked = 0
    for route in routes():
        needed = needed_by(route)
        if needed is None or needed.permission not in FOOTAGE or "/exports" in route.path:
            continue  # exports name their cameras in what is sent: test_sensitive
        query = {"at": RANGE["start"]} if "frame" in route.path else dict(RANGE)
        query = {} if "objects" in route.path or "event" in route.path else query
        for more in ({}, {"bytes": "0-99"}) if "objects" in route.path else ({},):
            answer = ask(app, "GET", filled(route.path), lea, params={**query, **more})
            assert answer.status_code == 403, (route.path, answer.text)
            assert "approval" in answer.json()["detail"], route.path
            assert "approval ask" in answer.json()["hint"]
            walked += 1
    assert walked >= 8


def test_a_clip_is_given_after_another_person_approved_that_very_request(app: App) -> None:
    lea = person(app, "lea", [{"role": "officer", "groups": ["gates"], "four_eyes": BOTH}])
    mia = person(app, "mia", [{"role": "approver", "groups": ["gates"]}])
    tom = person(app, "tom", [{"role": "officer", "four_eyes": BOTH}])
    made = post(app, "", lea, WANTED)
    assert made.status_code == 201, made.text
    (seen,) = ask(app, "GET", "/api/v1/approvals", mia).json()
    assert (seen["who"], seen["camera"], seen["purpose"]) == ("user:lea", "centre/gate", "case 7")
    assert clip(app, lea).status_code == 403
    given = post(app, f"/{seen['id']}/approve", mia, {"lasts": "10m"}).json()
    assert (given["state"], given["by"]) == ("approved", "user:mia")
    assert clip(app, lea).status_code != 403
    assert clip(app, lea, end=format_instant(T0 + MINUTE + SECOND)).status_code == 403
    assert clip(app, tom).status_code == 403
    path = "/api/v1/cameras/gate/clip.json"
    assert ask(app, "GET", path, lea, params=RANGE).status_code == 403
    assert post(app, f"/{seen['id']}/refuse", mia, {"reason": "a mistake"}).status_code == 200
    assert clip(app, lea).status_code == 403
    log = app.catalog.audit_log.search(AskedEntries(), 50)
    entries = [read_entry(one.raw) for one in log]
    told = [(str(one.caller), one.action, one.subject.camera, one.details.get("who"))
            for one in reversed(entries) if one.action.startswith("approval.")]  # fmt: skip
    assert told == [
        ("user:lea", "approval.ask", "gate", "user:lea"),
        ("user:mia", "approval.approve", "gate", "user:lea"),
        ("user:mia", "approval.refuse", "gate", "user:lea"),
    ]


@pytest.mark.parametrize("approved", [False, True])
def test_who_asked_withdraws_a_request_and_what_was_approved(app: App, approved: bool) -> None:
    lea = person(app, "lea", [{"role": "officer", "groups": ["gates"], "four_eyes": BOTH}])
    mia = person(app, "mia", [{"role": "approver", "groups": ["gates"]}])
    tom = person(app, "tom", [{"role": "officer", "four_eyes": BOTH}])
    made = post(app, "", lea, WANTED).json()
    if approved:
        assert post(app, f"/{made['id']}/approve", mia, {}).status_code == 200
        assert clip(app, lea).status_code != 403
    for other in (tom, mia):
        answer = post(app, f"/{made['id']}/withdraw", other, {})
        assert (answer.status_code, "only who asked" in answer.text) == (404, True)
    done = post(app, f"/{made['id']}/withdraw", lea, {}).json()
    assert (done["state"], done["by"]) == ("withdrawn", "user:lea")
    assert clip(app, lea).status_code == 403
    for again, who in (("withdraw", lea), ("approve", mia), ("refuse", mia)):
        answer = post(app, f"/{made['id']}/{again}", who, {})
        assert (answer.status_code, "is withdrawn" in answer.text) == (409, True), again
    entry = read_entry(
        app.catalog.audit_log.search(AskedEntries(action="approval.withdraw"), 9)[-1].raw
    )
    assert (str(entry.caller), entry.subject.name) == ("user:lea", made["id"])
    assert (entry.subject.camera, entry.details["for"]) == ("gate", "case 7")


def test_an_approval_lasts_no_longer_than_the_settings_allow(app: App) -> None:
    lea = person(app, "lea", [{"role": "officer", "four_eyes": BOTH}])
    mia = person(app, "mia", [{"role": "approver"}])
    made = post(app, "", lea, WANTED).json()
    said: list[Any] = ["8d", "0s", "soon", [], {}, None]
    for lasts in said:
        answer = post(app, f"/{made['id']}/approve", mia, {"lasts": lasts})
        assert answer.status_code == 400, lasts
    assert clip(app, lea).status_code == 403
    assert post(app, f"/{made['id']}/approve", mia, {"lasts": "7d"}).status_code == 200


def test_nobody_buries_others_in_requests(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approving, "MOST_ASKED", 2)
    lea = person(app, "lea", [{"role": "officer", "four_eyes": BOTH}])
    assert [post(app, "", lea, WANTED).status_code for _ in range(3)] == [201, 201, 429]
    tom = person(app, "tom", [{"role": "officer", "four_eyes": BOTH}])
    assert post(app, "", tom, WANTED).status_code == 201


def test_an_address_that_outlasts_an_approval_is_not_given(app: App) -> None:
    lea = person(app, "lea", [{"role": "officer", "four_eyes": ["footage.export"]}])
    mia = person(app, "mia", [{"role": "approver"}])
    made = post(app, "", lea, WANTED).json()
    post(app, f"/{made['id']}/approve", mia, {})
    answer = ask(app, "GET", "/api/v1/cameras/gate/playback.m3u8", lea,
                 params={**RANGE, "via": "presigned"})  # fmt: skip
    assert (answer.status_code, "outlast" in answer.text) == (403, True)


def test_nobody_decides_what_he_asks_for_or_what_is_out_of_his_reach(app: App) -> None:
    both: list[dict[str, Any]] = [
        {"role": "officer", "four_eyes": BOTH},
        {"role": "approver"},
    ]
    lea = person(app, "lea", both)
    far = person(app, "far", [{"role": "approver", "groups": ["yards"]}])
    officer = person(app, "tom", [{"role": "officer"}])
    made = post(app, "", lea, WANTED).json()
    for verb in ("approve", "refuse"):
        own = post(app, f"/{made['id']}/{verb}", lea, {})
        assert (own.status_code, "himself" in own.text) == (403, True)
        out, none = (post(app, f"/{one}/{verb}", far, {}) for one in (made["id"], "none"))
        assert (out.status_code, none.status_code) == (404, 404)
        assert out.text.replace(made["id"], "none") == none.text
        assert post(app, f"/{made['id']}/{verb}", officer, {}).status_code == 403
    assert ask(app, "GET", "/api/v1/approvals", far).json() == []
    assert clip(app, lea).status_code == 403


def test_a_service_neither_asks_nor_approves(app: App) -> None:
    app.people.put("vms", [{"role": "admin"}], "service")
    word, _ = app.people.add_token("vms")
    shown = {"authorization": f"Bearer {word}"}
    lea = person(app, "lea", [{"role": "officer", "four_eyes": BOTH}])
    made = post(app, "", lea, WANTED).json()
    answer = post(app, f"/{made['id']}/approve", shown, {})
    assert (answer.status_code, "no service" in answer.text) == (403, True)
    assert post(app, "", shown, WANTED).status_code == 400


def test_what_needs_no_approval_or_could_never_be_had_is_not_asked_for(app: App) -> None:
    tom = person(app, "tom", [{"role": "officer"}])
    assert post(app, "", tom, WANTED).status_code == 409
    view = person(app, "ben", [{"role": "viewer", "four_eyes": BOTH}])
    assert post(app, "", view, WANTED).status_code == 403
    near = person(app, "kim", [{"role": "officer", "groups": ["gates"], "four_eyes": BOTH}])
    assert post(app, "", near, {**WANTED, "camera": "yard"}).status_code == 404
    told = person(app, "eva", [{"role": "officer", "purpose": True, "four_eyes": BOTH}])
    assert post(app, "", told, WANTED).status_code == 201, "its purpose is said in it"
    late = person(app, "lou", [{"role": "officer", "back": "1h", "four_eyes": BOTH}])
    assert "reaches back" in post(app, "", late, WANTED).text
    for wrong in ({"purpose": " "}, {"action": "policy.write"}, {"end": RANGE["start"]},
                  {"camera": 7}, {"start": "soon"}):  # fmt: skip
        assert post(app, "", near, {**WANTED, **wrong}).status_code in (400, 422), wrong


def test_explain_says_what_needs_another_person(app: App) -> None:
    lea = person(app, "lea", [{"role": "officer", "four_eyes": ["footage.export"]}])
    query = {"action": "footage.export", "camera": "gate"}
    (found,) = ask(app, "GET", "/api/v1/access/explain", lea, params=query).json()
    assert "each time once another person has approved it" in found["reason"]


def test_fragments_at_the_ends_of_a_range_are_shown_and_no_others() -> None:
    """A minute in six fragments of ten seconds, 1000 bytes each, behind 100 bytes of init."""
    ten = 10 * 90_000
    points = [FragmentPoint(100 + 1000 * n, 1000, ten * n, ten, 1) for n in range(6)]
    one = segment(points=pack_points(points), init_bytes=100, size_bytes=6100)

    def shown(first: int, last: int) -> bool:
        on = Camera(GATE, "", one.range, ends=shown_by(one, first, last))
        near = replace(GIVEN, range=TimeRange(T0 + 15 * SECOND, T0 + 25 * SECOND))
        return decide(LEA, P.FOOTAGE_EXPORT, on, Circumstances(T0, "", (near,))).allowed

    assert [shown(100 + 1000 * n, 1099 + 1000 * n) for n in range(6)] == [
        False, True, True, False, False, False,
    ]  # fmt: skip
    assert shown(1100, 3099)
    assert not shown(1099, 3099)
    assert not shown(1100, 3100)
    assert not shown(100, 6099)
    assert not shown(0, 6099)
    assert shown(0, 99), "the init segment shows nothing by itself"


def test_what_a_picture_needs_from_before_the_range_is_shown_with_it() -> None:
    """Clean points at 0, 20 and 40 s; what follows the last is whole 5 s after it alone."""
    ten, clean = 10 * 90_000, [1, 0, 1, 0, 2 + 5 * 90_000, 0]
    points = [FragmentPoint(100 + 1000 * n, 1000, ten * n, ten, clean[n]) for n in range(6)]
    one = segment(points=pack_points(points), init_bytes=100, size_bytes=6100)

    def shown(start_s: int, end_s: int) -> list[int]:
        near = TimeRange(T0 + start_s * SECOND, T0 + end_s * SECOND)
        ends = [shown_by(one, 100 + 1000 * n, 100 + 1000 * n) for n in range(6)]
        return [n for n, both in enumerate(ends) if all(end.overlaps(near) for end in both)]

    def listed(start_s: int, end_s: int) -> list[int]:
        asked = TimeRange(T0 + start_s * SECOND, T0 + end_s * SECOND)
        text = playlist([one], asked, lambda _, at, size: Address(f"{at}", own=True), False)
        return [int(found) // 1000 for found in re.findall(r"^(\d+)$", text, re.M)]

    assert shown(15, 18) == [0, 1]
    assert shown(32, 38) == [2, 3]
    assert shown(41, 44) == [2, 3, 4]
    assert shown(46, 48) == [4]
    for start in range(59):
        for end in range(start + 1, 60, 4):
            assert set(listed(start, end)) <= set(shown(start, end)), (start, end)


def test_on_the_node_itself_requests_are_listed_and_answered(tmp_path: Path) -> None:
    app = make_guarded(tmp_path)
    now = app.clock.now()
    for name in ("r1", "r2"):
        wanted = Request(name, "user:lea", P.FOOTAGE_VIEW, GATE, ASKED, "case 7", now, now + HOUR)
        app.catalog.approvals.add(wanted)

    def run(*words: str) -> Any:
        return CliRunner().invoke(recorder, ["--data", str(tmp_path), "approval", *words])

    assert "r1  asked, until" in run("list").stdout
    about = {"url": "rtsp://x/y", "label": "East gate"}
    app.catalog.cameras.put(parse_camera(GATE.camera, about), 1, None)
    assert f'footage.view of {GATE} "East gate", ' in run("list").stdout
    assert json.loads(run("approve", "r1", "--lasts", "10m", "--json").stdout)["by"].startswith(
        "machine:"
    )
    assert "r2  refused by machine:" in run("refuse", "r2", "--reason", "no").stdout
    assert isinstance(run("approve", "r2").exception, StateError)
    assert isinstance(run("approve", "r1", "--lasts", "8d").exception, RequestError | StateError)
    refused = run("ask", "gate", "--purpose", "x").exception
    assert "on the node itself nothing needs an approval" in str(refused)
    taken = run("withdraw", "r1").exception
    assert "on the node itself nobody has asked" in str(taken)
    log = [read_entry(one.raw).action for one in app.catalog.audit_log.search(AskedEntries(), 9)]
    assert {"approval.approve", "approval.refuse"} <= set(log)
    app.close()
