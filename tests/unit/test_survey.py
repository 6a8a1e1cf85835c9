"""How cameras do, here and below: what is dark, what rests, what nobody can know."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from recorder import telemetry
from recorder.app import App
from recorder.capture.resting import resting_states
from recorder.cli import listed as cli_listed
from recorder.cli import recorder
from recorder.cli.context import Context
from recorder.config import Settings
from recorder.errors import RequestError, ServerUnreachable, StoreUnavailable
from recorder.jobs import news
from recorder.model.camera_document import parse_camera
from recorder.model.keys import CameraId, StreamId
from recorder.model.timebase import MINUTE, SECOND, Instant, format_instant, parse_instant
from recorder.ports import NodeBeat, SiteBeat, StreamStatus
from recorder.presence import Presence, stopped
from recorder.service import Service
from recorder.sites.listing import counted
from recorder.sites.survey import CameraSeen, Known, seen, with_told
from tests.support.clock import FakeClock
from tests.support.make import T0
from tests.unit.test_guard import ask

NOW = T0 + 100 * MINUTE
NIGHTS = {"zone": "UTC", "weekly": {"daily": ["22:00-23:00"]}}
URL = {"url": "rtsp://10.0.0.1/x"}


def status(name: str, state: str, at: Instant = NOW, **more: Any) -> StreamStatus:
    said = {"cause": "source", "condition": "", "detail": "", "since": T0, **more}
    return StreamStatus(StreamId(*name.split("/")), "n1", state, at=at, **said)


def beat(name: str, at: Instant = NOW, **facts: Any) -> SiteBeat:
    return SiteBeat(name, "post", "", at, facts)


def look(
    statuses: list[StreamStatus], sites: list[SiteBeat], cameras: list[Any] | None = None,
    nodes: list[NodeBeat] | None = None,
) -> dict[str, CameraSeen]:  # fmt: skip
    known = Known(
        "centre", cameras or [], [], statuses, nodes or [], sites,
        {CameraId("post1", "gate"): "key"},
    )  # fmt: skip
    return {str(one.camera): one for one in seen(known, NOW)}


def said(one: CameraSeen) -> tuple[str, bool, Instant | None, str]:
    worst = one.worst
    return worst.state, worst.dark, worst.since, worst.cause


def test_what_should_be_recorded_below_and_is_not_is_dark_with_since_and_why() -> None:
    found = look(
        [
            status("post1/gate/main", "failing", condition="auth-refused", detail="401"),
            status("post1/yard/main", "recording"), status("post1/hall/main", "off"),
            status("post1/old/main", "removed"), status("post1/new/main", "connecting"),
        ],
        [beat("post1")],
    )  # fmt: skip
    assert said(found["post1/gate"]) == ("failing", True, T0, "source")
    assert (found["post1/gate"].group, found["post1/gate"].worst.condition) == (
        "key", "auth-refused",
    )  # fmt: skip
    assert said(found["post1/yard"]) == ("recording", False, T0, "")
    assert said(found["post1/hall"])[:2] == ("off", False), "outside its timetable"
    assert said(found["post1/new"])[:2] == ("connecting", True)
    assert "post1/old" not in found
    assert counted(found.values()) == {
        ("post1", "failing"): 1, ("post1", "recording"): 1, ("post1", "off"): 1,
        ("post1", "connecting"): 1, ("post1", "dark"): 2,
    }  # fmt: skip


def test_of_a_site_that_is_silent_and_of_those_below_it_nothing_is_known() -> None:
    late = NOW - MINUTE
    found = look(
        [status("sub1/yard/main", "recording", late), status("post1/gate/main", "recording", late),
         status("post2/gate/main", "recording")],
        [beat("sub1", late), beat("post1", late - MINUTE, parent="sub1"), beat("post2")],
    )  # fmt: skip
    for name in ("sub1/yard", "post1/gate"):
        assert said(found[name]) == ("unknown", False, late, "site")
        assert "site sub1 is not heard" in found[name].worst.detail, "who is the nearest silent"
    assert said(found["post2/gate"])[0] == "recording"
    one = look([status("post1/gate/main", "recording", late)],
               [beat("sub1"), beat("post1", late, parent="sub1")])["post1/gate"]  # fmt: skip
    assert said(one)[0] == "unknown"
    assert "site post1 is not heard" in one.worst.detail


def test_a_node_that_was_told_to_stop_is_no_silent_one_and_its_cameras_are_dark_since_then() -> (
    None
):
    late = NOW - MINUTE
    last = [status("post1/gate/main", "recording", late, cause=""),
            status("post1/yard/main", "failing", late, condition="timeout")]  # fmt: skip
    found = look([*map(stopped, last), status("post1/hall/main", "off")], [beat("post1")])
    assert said(found["post1/gate"]) == ("unknown", True, late, "node")
    assert found["post1/gate"].worst.detail == "node n1 was stopped"
    assert [stopped(one).since for one in last] == [late, T0], "it was dark before"


def test_what_a_silent_node_of_a_site_that_is_heard_records_is_dark() -> None:
    late = NOW - MINUTE
    found = look([status("post1/gate/main", "recording", late), status("post1/yard/main", "off")],
                 [beat("post1")])  # fmt: skip
    assert said(found["post1/gate"]) == ("unknown", True, late, "node")
    behind = NOW - 10 * MINUTE  # the site's clock is: all that it says is old by ours
    found = look([status("post1/gate/main", "recording", behind)], [beat("post1")],
                 nodes=[NodeBeat("post1/n1", "post1", behind)])  # fmt: skip
    assert said(found["post1/gate"])[:2] == ("recording", False)


def test_ones_own_camera_rests_outside_its_timetable_and_is_dark_where_no_node_has_it() -> None:
    resting = parse_camera("rest", {**URL, "record": "timetable", "timetable": NIGHTS})
    cameras = [resting, parse_camera("off", {**URL, "enabled": False}), parse_camera("new", URL)]
    found = look([status("centre/rest/main", "recording", NOW - MINUTE)], [], cameras)
    assert said(found["centre/rest"])[:2] == ("off", False)
    assert said(found["centre/off"])[:2] == ("off", False)
    assert said(found["centre/new"])[:2] == ("unknown", True)


def test_a_node_says_which_of_its_streams_rest_and_which_are_no_more() -> None:
    cameras = [parse_camera("off", {**URL, "record": "off"}), parse_camera("cam", URL)]
    told = {
        one.stream: one
        for one in (status("s/off/main", "off"), status("s/gone/main", "recording"),
                    status("s/cam/main", "recording"), status("else/where/main", "recording"))
    }  # fmt: skip
    found = resting_states(cameras, "s", NOW, told)
    assert [(str(one.stream), one.state, one.cause, one.since) for one in found] == [
        ("s/off/main", "off", "off-schedule", T0), ("s/gone/main", "removed", "off-schedule", NOW),
    ]  # fmt: skip


# -- doors ----------------------------------------------------------------------------------------


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    """A centre with a yard of its own, over a post with two cameras, and one that is silent."""
    one = App(Settings(data=tmp_path, site="centre", node="n0"))
    now = one.site_clock.now()
    one.catalog.cameras.put(parse_camera("yard", {**URL, "record": "off"}), now, None)
    one.catalog.statuses.put([
        status("post1/gate/main", "failing", now, condition="unreachable"),
        status("post1/yard/main", "recording", now),
        status("post2/gate/main", "recording", now - MINUTE),
    ])  # fmt: skip
    for each in (beat("post1", now), beat("post2", now - MINUTE)):
        one.catalog.sites.put(each)
    yield one
    one.close()


def listed(app: App, **params: Any) -> list[str]:
    answer = ask(app, "GET", "/api/v1/cameras", params=params)
    assert answer.status_code == 200, answer.text
    return [f"{one['site']}/{one['name']} {one['present']['state']}" for one in answer.json()]


def test_cameras_of_the_whole_subtree_are_listed_chosen_and_paged(app: App) -> None:
    every = ["centre/yard off", "post1/gate failing", "post1/yard recording", "post2/gate unknown"]
    assert listed(app) == every
    assert listed(app, state="dark") == every[1:2]
    assert listed(app, state="unknown") == every[3:]
    assert listed(app, site="post1", q="YAR") == every[2:3]
    assert listed(app, below=False) == every[:1]
    assert listed(app, group="none") == []
    assert ask(app, "GET", "/api/v1/cameras?state=sad").status_code == 400
    query, paged = "?limit=2&q=t", list[str]()
    while query:
        answer = ask(app, "GET", f"/api/v1/cameras{query}")
        paged += [f"{one['site']}/{one['name']}" for one in answer.json()]
        query = answer.headers.get("link", "").partition(">")[0].lstrip("<")
        assert query[:1] in ("", "?"), "relative: a proxy may put a path before it all"
    assert paged == [one.split()[0] for one in every]
    one = ask(app, "GET", "/api/v1/cameras?state=dark").json()[0]
    assert one["present"].items() >= {"dark": True, "condition": "unreachable", "cause": "source",
                                      "since": "2026-01-05T14:03:07.000Z"}.items()  # fmt: skip


def test_one_camera_is_read_by_its_site_and_ambiguous_ones_are_named(app: App) -> None:
    for params, status_code, site in (
        ({}, 409, ""), ({"site": "post2"}, 200, "post2"), ({"site": "post9"}, 404, ""),
    ):  # fmt: skip
        answer = ask(app, "GET", "/api/v1/cameras/gate", params=params)
        assert (answer.status_code, answer.json().get("site", "")) == (status_code, site)
    body = ask(app, "GET", "/api/v1/cameras/yard").json()
    assert body["site"] == "centre"
    again = ask(app, "PUT", "/api/v1/cameras/yard", json={**body, "group": "key"})
    assert (again.status_code, again.json()["group"]) == (200, "key"), "what is shown goes back"


def test_the_command_lists_the_dark_and_counts_the_rest(app: App, tmp_path: Path) -> None:
    config = tmp_path / "r.yaml"
    config.write_text(f"site: centre\nnode: n0\ndata: {tmp_path}\n")

    def run(*words: str) -> str:
        done = CliRunner().invoke(recorder, ["-c", str(config), "camera", "list", *words])
        return done.output if done.exception is None else str(done.exception)

    dark = run("--dark").splitlines()
    assert len(dark) == 3
    assert dark[0].split()[:5] == ["post1/gate", "main", "DARK", "failing", "for"]
    assert dark[0].endswith("(unreachable)")
    assert dark[1] == "4 cameras, 1 dark: 1 failing, 1 unknown, 1 recording, 1 off"
    assert dark[2].startswith("hint: unreachable: nothing listens there; check address"), (
        "what next"
    )
    assert "site post2 is not heard; last word: recording" in run("--site", "post2")
    assert len(run("--own").splitlines()) == 2
    assert "give one of them" in run("--watch", "--json")


def test_who_watches_from_afar_sees_how_long_a_camera_is_dark_grow(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    dark = ask(app, "GET", "/api/v1/cameras?state=dark").json()
    since = parse_instant(dark[0]["present"]["since"])
    times = iter(format_instant(since + n * MINUTE) for n in range(1, 9))
    told = SimpleNamespace(
        answering=lambda: {"site": "centre", "now": next(times)}, close=lambda: None
    )
    looks = iter(range(3))
    whom = SimpleNamespace(listed=lambda _: next(((dark, dark) for _ in looks), None))
    monkeypatch.setattr(Context, "client", told)
    monkeypatch.setattr(cli_listed, "answers", lambda _: whom)
    monkeypatch.setattr(cli_listed, "WATCH_S", 0)
    done = CliRunner().invoke(recorder, ["--server", "http://h", "camera", "list", "--watch"])
    assert re.findall(r"failing for (\w+)", done.output) == ["1m", "2m", "3m"]


def test_who_watches_is_told_once_that_nobody_answers_and_sees_more_when_somebody_does(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    dark = ask(app, "GET", "/api/v1/cameras?state=dark").json()
    now = dark[0]["present"]["since"]
    away = ServerUnreachable("http://h does not answer: NewConnectionError")
    looks = iter([dark, away, StoreUnavailable("HTTP 502"), dark, away, RequestError("over")])

    def listed(_: object) -> object:
        one = next(looks)
        if isinstance(one, Exception):
            raise one
        return one, one

    told = SimpleNamespace(answering=lambda: {"site": "centre", "now": now}, close=lambda: None)
    monkeypatch.setattr(Context, "client", told)
    monkeypatch.setattr(cli_listed, "answers", lambda _: SimpleNamespace(listed=listed))
    monkeypatch.setattr(cli_listed, "WATCH_S", 0)
    words = ["--server", "http://h", "camera", "list", "--watch"]
    done = CliRunner().invoke(recorder, words)
    assert str(done.exception) == "over", "what asking again does not help ends it"
    said = [one.split()[0] for one in done.output.splitlines() if one[0] != "2"]
    seen = ["post1/gate", "1", "hint:"]
    assert said == [*seen, "http://h", *seen, "http://h"]
    looks = iter([away])
    assert CliRunner().invoke(recorder, words).exception is away, "a wrong address is told at once"


def test_metrics_count_the_subtree_and_forget_what_is_dark_no_more(app: App) -> None:
    def dark() -> set[tuple[str, str]]:
        return {
            (one.labels["camera"], one.labels["label"])
            for one in next(iter(telemetry.DARK.collect())).samples
        }

    told = news.CameraNews(app, dict)
    told.camera_metrics()
    assert dark() == {("gate", "")}
    counts = telemetry.REGISTRY.get_sample_value
    labels = {"site": "post1", "state": "dark"}
    assert counts("recorder_sites_cameras", labels) == 1
    app.catalog.statuses.put([status("post1/gate/main", "recording", app.site_clock.now())])
    told.camera_metrics()
    assert dark() == set()
    assert counts("recorder_sites_cameras", labels) is None


def test_metrics_count_what_this_process_said_without_reading_it_again(tmp_path: Path) -> None:
    app = App(Settings(data=tmp_path, site="centre", node="n0"))
    app.catalog.cameras.put(parse_camera("gate", URL), T0, None)
    own: dict[StreamId, StreamStatus] = {}
    said, counts = news.CameraNews(app, lambda: own), telemetry.REGISTRY.get_sample_value

    def say(state: str) -> None:
        one = status("centre/gate/main", state, app.site_clock.now())
        app.catalog.statuses.put([one], quiet=True)
        own[one.stream] = one
        said.camera_metrics()

    for state, other in (("recording", "failing"), ("failing", "recording")):
        say(state)
        assert counts("recorder_sites_cameras", {"site": "centre", "state": state}) == 1
        assert counts("recorder_sites_cameras", {"site": "centre", "state": other}) is None
    app.close()


def test_of_what_was_read_and_what_was_said_the_later_word_counts() -> None:
    read = [status(f"s/{name}/main", "recording", T0) for name in ("a", "b", "c")]
    said = [status("s/b/main", "failing", T0 - 1), status("s/c/main", "failing", T0 + 1),
            status("s/d/main", "failing", T0)]  # fmt: skip
    known = Known("s", [], [], read, [], [], {})
    found = with_told(known, {one.stream: one for one in said})
    states = {one.stream.camera: one.state for one in found.statuses}
    assert states == {"a": "recording", "b": "recording", "c": "failing", "d": "failing"}


def test_a_camera_that_is_removed_or_rests_is_told_so_by_its_node(tmp_path: Path) -> None:
    app: Any = App(Settings(site="s", node="n1", data=tmp_path))
    app.clock = clock = FakeClock(T0)
    service = Service(app)
    presence = Presence(app, service)
    before = (("gone", "recording"), ("rest", "off"), ("old", "removed"))
    presence.recall(status(f"s/{name}/main", state, T0) for name, state in before)
    presence.tell()
    assert app.catalog.statuses.all() == [], "nothing is known of documents yet"
    service.wanted.documents = [parse_camera("rest", {**URL, "record": "off"})]
    clock.sleep(6)
    mark = app.catalog.database.mark()
    presence.tell()
    assert app.catalog.database.mark() == mark is not None, "nobody here reads it again"
    states = {one.stream.camera: one.state for one in app.catalog.statuses.all()}
    assert states == {"gone": "removed", "rest": "off"}
    assert {one.camera: said.state for one, said in presence.told().items()} == states
    assert app.catalog.statuses.all()[1].at == T0 + 6 * SECOND
    app.close()
