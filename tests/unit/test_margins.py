"""One sum says whether a store has room: plan, forecast, check and doctor agree."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from policies.facts import Capacity, StoreFacts
from policies.forecast import Forecast, forecast, shortcomings
from policies.read import parse_policy
from policies.retain import retain
from recorder.api.server import make_api
from recorder.app import App
from recorder.cli import recorder
from recorder.config import Settings, StorePart
from recorder.doctor import examine, machine
from recorder.errors import StoreRefused, StoreUnavailable
from recorder.janitor import asked
from recorder.janitor.advise import forecast_of
from recorder.janitor.explained import explain_moment
from recorder.janitor.proposed import show_forecasts, show_plans
from recorder.janitor.usage import usage_here
from recorder.jobs.retention import keep_documents, sweep
from recorder.model.media import ObjectInfo
from recorder.model.timebase import DAY, HOUR, SECOND
from recorder.ports import ObjectStore
from recorder.store.files import FileStore
from recorder.store.memory import MemoryStore
from tests.support.make import T0, segment
from tests.support.plans import NOW, lane

GB = 10**9
RULES = {"rules": [{"name": "all", "keep": {"any": "30d"}}]}
SHORT = "north/cam07/main misses its minimum: beside the floor and the grace there is room for"


@pytest.mark.parametrize("arriving", [0, 5_000, 60_000])
@pytest.mark.parametrize("free", [0, 30_000])
def test_a_plan_makes_room_up_to_what_a_forecast_calls_usable(arriving: int, free: int) -> None:
    room = Capacity(free_bytes=free, total_bytes=50_000, begun_bytes=7, arriving_bytes=arriving)
    usable = room.usable(0.05)
    assert usable == max(0, 47_500 - arriving)
    assert room.missing(0.05) == (50_000 - free - 7) - usable
    policy = parse_policy({"rules": [{"name": "all", "keep": {"any": "90d"}}]})
    one = lane(*range(20), size=1000)
    found = forecast(policy, StoreFacts("main", "post", [one], NOW, capacity=room))
    others = max(0, 50_000 - free - 20_000)
    assert found.usable_bytes == usable - others
    assert Capacity().usable(0.05) is None


@pytest.mark.parametrize(
    ("free", "said"),
    [
        (1_000, "store below its floor of 5 % free"),
        (4_000, "store falls below its floor of 5 % free within its grace of 1d, in which 3 kB "
                "come"),
    ],
)  # fmt: skip
def test_a_plan_says_whether_a_store_is_low_or_will_be(free: int, said: str) -> None:
    room = Capacity(free_bytes=free, total_bytes=50_000, arriving_bytes=3_000, grace_ns=DAY)
    policy = parse_policy({"rules": [{"name": "all", "keep": {"any": "90d"}}]})
    facts = StoreFacts("main", "post", [lane(*range(20), size=1000)], NOW, capacity=room)
    actions = retain(policy, facts).actions
    assert actions
    assert all(one.reason.startswith(said) for one in actions)


def test_a_grace_that_a_store_cannot_bear_and_many_that_miss_are_said() -> None:
    short = tuple(f"s/c{i}/main" for i in range(7))
    found = Forecast("main", 1, 1, 1, NOW, 9 * DAY, short, 9 * HOUR, 9 * DAY + DAY // 10)
    said = shortcomings(found, 24 * HOUR)
    assert "more comes in during the grace of 1d than" in said[0]
    assert "there it is 9h" in said[0]
    assert "s/c0/main misses its minimum" in said[1]
    assert "9.1 days" in said[1]
    assert (len(said), said[-1]) == (7, "2 streams more below the minimum")
    assert shortcomings(Forecast("main", 1, 1, 1, None, None, (), DAY), DAY) == []


def test_a_forecast_counts_what_a_policy_moves_there_before_any_of_it_has_come() -> None:
    move = {"name": "all", "keep": {"any": "90d"}, "move": {"after": "7d", "to": "archive"}}
    policy = parse_policy({"rules": [move], "stores": {"archive": {"floor": 0}}})
    room = Capacity(free_bytes=480_000, total_bytes=480_000)
    facts = StoreFacts("archive", "post", [], NOW, capacity=room, others=("main",))
    source = lane(*[hour / 24 for hour in range(48)], size=1_000)
    found = forecast(policy, facts, [source])
    assert (round(found.bytes_per_day, -2), round(found.steady_bytes, -4)) == (24_000, 1_990_000)
    assert found.full_at is not None
    assert abs((found.full_at - NOW) / DAY - (7 - 2 + 20)) < 0.2
    assert found.short == ("s/cam/main",)
    assert found.reach_ns is not None
    assert abs(found.reach_ns / DAY - 27) < 0.1, "it comes at 7 days, and lies there for 20"
    came = lane(*[7 + hour / 24 for hour in range(24)], size=1_000)
    both = forecast(policy, replace(facts, lanes=[came]), [source])
    assert round(both.bytes_per_day, -2) == 24_000, "a stream is counted once"
    assert forecast(policy, replace(facts, store="cold"), [source]).bytes_per_day == 0


@pytest.mark.parametrize("total", [None, 1_000_000])
@pytest.mark.parametrize(
    ("quota", "said"),
    [
        ({"name": "each", "per": "camera", "max": "240kB"}, "each of s/cam"),
        ({"name": "yard", "match": {"camera": "cam"}, "store": "post", "max": "240kB"}, "yard"),
        ({"name": "elsewhere", "store": "centre", "max": "240kB"}, ""),
        ({"name": "others", "match": {"group": "key"}, "max": "240kB"}, ""),
        ({"name": "fits", "min": "1kB", "max": "3MB"}, ""),
    ],
)
def test_a_forecast_knows_how_long_a_quota_lets_footage_be_kept(
    total: int | None, quota: dict[str, object], said: str
) -> None:
    rules = [{"name": "all", "keep": {"any": {"min": "30d", "max": "90d"}}}]
    policy = parse_policy({"rules": rules, "quotas": [quota]})
    room = Capacity(free_bytes=total or 0, total_bytes=total)
    recorded = lane(*[hour / 24 for hour in range(48)], size=1_000)
    found = forecast(policy, StoreFacts("main", "post", [recorded], NOW, capacity=room))
    assert round(found.steady_bytes, -4) == (240_000 if said else 2_160_000)
    assert (found.full_at is None) == bool(said or total is None)
    told = f"s/cam/main misses its minimum: in quota {said} there is room for 10.0 days"
    assert (told in shortcomings(found, 0)) == bool(said)


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    """A node that records 24 GB a day, for two days now, onto a disk of 200 GB."""
    one = App(Settings(site="north", node="n1", data=tmp_path / "data"))
    one.admit("main")
    now = one.clock.now()
    begun = (now - T0) // SECOND - 48 * 3600
    for hour in range(48):
        each = segment(begun + hour * 3600, 3600, size_bytes=GB, writer="n1.1")
        one.catalog.commits.add_segment(each, "main", "", each.end)
    monkeypatch.setattr(FileStore, "free_bytes", lambda _: (152 * GB, 200 * GB))
    yield one
    one.close()


def test_while_a_store_is_away_the_others_are_planned_for_and_it_is_named(tmp_path: Path) -> None:
    stores = [StorePart(name=one, kind="directory", path=tmp_path / one) for one in ("a", "b")]
    app = App(Settings(site="north", node="n1", data=tmp_path / "data", stores=stores))
    (tmp_path / "a").mkdir()
    app.admit("a")  # and of b there is no folder, as in a node's first minute
    old = segment(0, 60, size_bytes=GB, writer="n1.1")
    for place in ("a", "b"):
        app.catalog.commits.add_segment(old, place, "", old.end)
    app.catalog.documents.put("policy", RULES, "ann", T0)
    said = "store b does not answer, or is not there yet: how large it is is not known"
    plans = ask(app, "/api/v1/policy/plan", json=RULES)
    assert [(one["store"], one["segments"]) for one in plans] == [("a", 1), ("b", 1)]
    assert [[one.startswith(said) for one in each["warnings"]] for each in plans] == [[], [True]]
    forecasts = ask(app, "/api/v1/policy/forecast", json=RULES)
    assert [one["said"] for one in forecasts] == [[], [said]]
    assert [one["usable_bytes"] is None for one in forecasts] == [False, True]
    (tmp_path / "b").write_text("in the place of a folder")
    done = ask(app, "/api/v1/policy/apply?yes=true", json={})
    assert (done["a"]["condemned"], done["a"]["left_out"]) == (1, None)
    assert done["b"]["condemned"] == 0
    assert str(tmp_path / "b") in done["b"]["left_out"]
    app.close()


def test_a_store_that_refuses_keeps_no_other_from_the_policy_and_a_person_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, stores = tmp_path / "recorder.yaml", [
        {"name": one, "kind": "directory", "path": str(tmp_path / one)} for one in ("a", "b")
    ]  # fmt: skip
    config.write_text(json.dumps({"data": str(tmp_path / "data"), "stores": stores}))
    app = App(Settings.model_validate(json.loads(config.read_text())))
    old = segment(0, 60, size_bytes=GB, writer="n1.1")
    for place in ("a", "b"):
        app.admit(place)
        app.catalog.commits.add_segment(old, place, "", old.end)
    app.catalog.documents.put("policy", RULES, "ann", T0)
    head = FileStore.head

    def skewed(store: FileStore, key: str) -> ObjectInfo | None:
        if store.name == "b":
            raise StoreRefused("stat: RequestTimeTooSkewed", hint="set this machine's clock")
        return head(store, key)

    monkeypatch.setattr(FileStore, "head", skewed)
    app.upkeep.janitor.doubt(vouched=True)
    assert [one.store for one in sweep(app).values()] == ["a"], "nor does it end the sweep"
    with pytest.raises(StoreRefused):
        keep_documents(app)
    assert list(app.stores["a"].list("spanstore.documents/")), "and the documents are kept"
    app.close()
    done = CliRunner().invoke(recorder, ["-c", str(config), "policy", "apply", "--yes"])
    assert done.exit_code == 78, done.output
    assert "store a: condemned 1, taken back 0" in done.output
    assert "store b: LEFT OUT: stat: RequestTimeTooSkewed\n  hint: set this" in done.output


def test_a_bucket_that_is_away_is_named_though_it_never_says_how_large_it_is(app: App) -> None:
    class Bucket(MemoryStore):
        def head(self, key: str) -> ObjectInfo | None:
            raise StoreUnavailable(f"head {key}: nobody answers")

    policy, now = parse_policy(RULES), app.clock.now()
    for bucket, named in ((Bucket("far"), True), (MemoryStore("far"), False)):
        stores: dict[str, ObjectStore] = {"main": app.stores["main"], "far": bucket}
        plans = show_plans(app.catalog, stores, policy, "post", now, 0)
        said = [any("does not answer" in it for it in one["warnings"]) for one in plans]
        assert said == [False, named]
        forecasts = show_forecasts(app.catalog, stores, policy, "post", now, 0)
        assert ["does not answer" in str(one["said"]) for one in forecasts] == [False, named]


def reach(app: App) -> float:
    found = forecast_of(app.catalog, app.stores["main"], parse_policy(RULES), "post",
                        app.clock.now(), app.grace_ns)  # fmt: skip
    assert found.reach_ns is not None
    return found.reach_ns / DAY


def test_doctor_and_check_do_the_sum_that_forecasts_do(app: App, tmp_path: Path) -> None:
    days = reach(app)
    assert 6.8 < days < 7.0, "(190 - 24) GB by 24 GB a day"
    said = f"{SHORT} {days:.1f} days"
    config, file = tmp_path / "recorder.yaml", tmp_path / "policy.yaml"
    config.write_text(json.dumps({"site": "north", "node": "n1", "data": str(tmp_path / "data")}))
    file.write_text(json.dumps(RULES))
    assert [one for one in examine(app) if one.subject.startswith("room")] == []
    app.catalog.documents.put("policy", RULES, "ann", T0)
    (finding,) = [one for one in examine(app) if one.subject == "room main"]
    assert (finding.level, finding.detail) == ("bad", said)

    def run(*words: str) -> str:
        return CliRunner().invoke(recorder, ["--config", str(config), "policy", *words]).output

    assert f"store main: {said}" in run("check", str(file))
    assert json.loads(run("check", str(file), "--json"))["room"] == {"main": [said]}
    assert f"  {said}" in run("forecast")
    answer = ask(app, "/api/v1/policy/check", json=RULES)
    assert answer["room"] == {"main": [said]}
    assert "misses" not in run("check", str(fitting(tmp_path)))


def fitting(folder: Path) -> Path:
    file = folder / "fits.yaml"
    file.write_text(json.dumps({"rules": [{"name": "all", "keep": {"any": "6d"}}]}))
    return file


def ask(app: App, path: str, **options: Any) -> Any:
    async def run() -> httpx.Response:
        api = httpx.ASGITransport(make_api(app, None))
        async with httpx.AsyncClient(transport=api, base_url="http://localhost") as client:
            return await client.post(path, **options)

    return asyncio.run(run()).json()


def test_a_longer_grace_leaves_less_room_everywhere(app: App) -> None:
    days = reach(app)
    app.settings = app.settings.model_copy(update={"grace": "1h"})
    assert reach(app) > days + 0.8


def test_a_store_that_is_away_keeps_no_document_from_being_checked(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: FileStore) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(FileStore, "free_bytes", away)
    assert ask(app, "/api/v1/policy/check", json=RULES) == {
        "ok": True, "rules": ["all"], "room": {}, "notes": [],
    }  # fmt: skip


def test_a_document_is_checked_where_nothing_was_ever_recorded(tmp_path: Path) -> None:
    config = tmp_path / "recorder.yaml"
    config.write_text(json.dumps({"data": str(tmp_path / "data")}))
    done = CliRunner().invoke(recorder, ["--config", str(config), "policy", "check",
                              str(fitting(tmp_path))])  # fmt: skip
    assert (done.exit_code, "no mistakes" in done.output) == (0, True)
    assert not (tmp_path / "data").exists()


class Swallowed(MemoryStore):
    """A bucket behind a line that swallows packets: who asks it waits, until it is let go."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.asked, self.let_go = 0, threading.Event()

    def head(self, key: str) -> ObjectInfo | None:
        self.asked += 1
        self.let_go.wait(30)
        return super().head(key)


def test_stores_that_swallow_questions_delay_no_answer_together_and_are_asked_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asked, "PATIENCE_S", 0.05)
    silent = [Swallowed("far"), Swallowed("farther")]
    stores: dict[str, ObjectStore] = {one.name: one for one in (*silent, MemoryStore("near"))}
    for _ in range(3):
        found = asked.ask_room(stores)
        assert [bool(one.away) for one in found.values()] == [True, True, False]
        with pytest.raises(StoreUnavailable, match=r"store far: no answer within 0\.05 s"):
            found["far"].free_bytes()
    assert [one.asked for one in silent] == [1, 1], "who hangs is asked nothing more"
    for one in silent:
        one.let_go.set()
    monkeypatch.setattr(asked, "PATIENCE_S", 30)
    assert not any(one.away for one in asked.ask_room(stores).values())


def test_who_plans_forecasts_explains_or_looks_at_usage_waits_for_no_silent_store(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.catalog.documents.put("policy", RULES, "ann", T0)
    let_go = threading.Event()
    monkeypatch.setattr(asked, "PATIENCE_S", 0.05)

    def swallowed(_: object) -> None:
        assert let_go.wait(5), "somebody waited for it"

    monkeypatch.setattr(FileStore, "free_bytes", swallowed)
    monkeypatch.setattr(machine, "PATIENCE_S", 0.05)
    monkeypatch.setattr(FileStore, "date", swallowed)
    try:
        plans = ask(app, "/api/v1/policy/plan", json=RULES)
        forecasts = ask(app, "/api/v1/policy/forecast", json=RULES)
        assert "store main does not answer" in plans[0]["warnings"][0]
        assert "store main does not answer" in forecasts[0]["said"][0]
        assert ask(app, "/api/v1/policy/check", json=RULES)["ok"]
        at = app.clock.now() - 3600 * SECOND
        assert explain_moment(app, "cam07", None, at, "north")[1]
        late = "store main: no answer within 0.05 s"
        assert usage_here(app)[0]["error"] == late
        (told,) = [one for one in examine(app) if one.subject == "store main"]
        assert (told.level, told.detail) == ("bad", late)
    finally:
        let_go.set()
