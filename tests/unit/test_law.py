"""No policy may pass what the law says of keeping footage, whichever way it comes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from policies.law import Law, Limit
from policies.match import ages_at, rules_for
from policies.presets import COUNTY
from policies.read import parse_policy
from recorder import telemetry
from recorder.app import App
from recorder.catalog.sql import SqlCatalog
from recorder.cli import recorder
from recorder.config import load_settings
from recorder.doctor import examine
from recorder.errors import BadDocument, ConfigError
from recorder.janitor.deciding import policy_in_force
from recorder.janitor.lawful import beyond_law
from recorder.jobs import retention
from recorder.model.camera_document import parse_camera
from recorder.model.holds import Hold
from recorder.model.keys import CameraId, StreamId
from recorder.model.timebase import DAY, TimeRange
from recorder.sites.heard import Heard
from recorder.sites.link import Link
from recorder.sites.linked import LinkSettings
from recorder.sites.noted import FromAbove
from recorder.store.memory import MemoryStore
from tests.support.clock import FakeClock
from tests.unit.test_guard import ask
from tests.unit.test_told import NOW, Parent, centre, child, nothing  # noqa: F401 - fixtures

LIMITS = [
    {"name": "key targets", "match": {"group": "key"}, "min": "90d", "max": "365d"},
    {"name": "general", "min": "30d", "max": "180d"},
]
LAW = Law(tuple(Limit.model_validate(one) for one in LIMITS), "post")
GOOD = {
    "rules": [
        {"name": "key", "match": {"group": "key"}, "keep": {"any": "90d"}},
        {"name": "all", "keep": {"any": {"min": "30d", "max": "60d"}}},
    ]
}


def rules(keep: Any, **more: Any) -> dict[str, Any]:
    """Return a document of which the last rule is another one."""
    return {**GOOD, "rules": [GOOD["rules"][0], {"name": "all", "keep": keep, **more}]}


TOO_LONG = rules({"any": {"min": "30d", "max": "181d"}})
TOO_SHORT = rules({"any": {"min": "7d", "max": "30d"}})


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (TOO_LONG, "rules.1.keep.any.max: 181d is longer than the 180d .* by law .general."),
        (rules({"post": "181d", "any": "60d"}), "rules.1.keep.post.max: 181d"),
        (rules({"post": "forever", "any": "60d"}), "rules.1.keep.post.max: for ever is longer"),
        (rules({"archive": "181d", "any": "60d"}, stores={}), "rules.1.stores: no such field"),
        ({**rules({"archive": "181d", "any": "60d"}), "stores": {"archive": {}}},
         "rules.1.keep.archive.max: 181d"),
        (rules({"any": {"min": "30d", "max": "60d", "events": {"max": "200d", "min": "30d"}}}),
         "rules.1.keep.any.events.max: 200d is longer"),
        ({"rules": [{"name": "alarms", "match": {"event": "alarm"}, "at_least": True,
                     "keep": {"any": "200d"}}, *GOOD["rules"]]}, "rules.0.keep.any.max: 200d"),
        ({"rules": [{"name": "gate", "match": {"camera": "g*"}, "keep": {"any": "366d"}},
                    *GOOD["rules"]]}, "rules.0.keep.any.max: 366d is longer than the 365d"),
        ({**rules({"centre": "30d"}), "levels": ["centre"]},
         "rules.1.keep: at this site's level 'post', which is none of the document's"),
        (TOO_SHORT, "rules.1.keep.any.min: 7d is less than the 30d that must be kept by law"),
        (rules({"any": "30d", "post": "29d"}), "rules.1.keep.post.min: 29d"),
        (rules({"post": "7d", "centre": "30d"}, replicate=[{"what": "events", "to": "centre"}])
         | {"levels": ["post", "centre"]}, "rules.1.keep.post.min: 7d"),
        (rules({"centre": "90d"}), "rules.1.keep: 0s is less"),
        ({**rules({"fast": "3d", "any": "60d"}), "stores": {"fast": {}}},
         "rules.1.keep.fast.min: 3d"),
        (rules({"any": "60d"}, thin={"after": "20d", "at": "post"}), "rules.1.thin.after: 20d is"),
        (rules({"any": "60d"},
               thin=[{"after": "40d", "at": "centre"}, {"after": "9d", "at": "post"}]),
         "rules.1.thin.1.after: 9d is"),
        ({**rules({"fast": "60d", "any": "60d", "post": "60d"}, thin={"after": "8d", "at": "post"}),
          "stores": {"fast": {}}}, "rules.1.thin.after: 8d is"),
        (rules({"any": {"min": "30d", "max": "60d", "events": {"min": "1d", "max": "60d"}}}),
         "rules.1.keep.any.min: 1d"),
        ({"rules": [{"name": "all", "keep": {"any": "89d"}}]},
         "rules.0.keep.any.min: 89d is less than the 90d .* by law .key targets."),
        (COUNTY, "rules.2.keep.any.min: 7d"),
    ],
)  # fmt: skip
def test_a_document_that_passes_a_limit_is_refused_by_the_path_of_the_line(
    document: dict[str, Any], said: str
) -> None:
    if "no such field" not in said:
        parse_policy(document)
    with pytest.raises(BadDocument, match=said):
        parse_policy(document, law=LAW)


@pytest.mark.parametrize(
    "document",
    [
        GOOD,
        rules({"post": "7d", "centre": "30d"}, replicate=[{"what": "all", "to": "centre"}])
        | {"levels": ["post", "centre"]},
        {"rules": [{"name": "alarms", "match": {"event": "alarm"}, "at_least": True,
                    "keep": {"any": {"min": "1d", "max": "180d"}}}, *GOOD["rules"]]},
        {"rules": [{"name": "key", "match": {"group": "key"}, "keep": {"any": "365d"}},
                   *GOOD["rules"][1:]]},
        rules({"any": {"min": "30d", "max": "60d"}}, thin={"after": "30d", "at": "post"}),
        rules({"any": {"min": "30d", "max": "60d"}},
              thin=[{"after": "31d", "at": "post"}, {"after": "40d", "at": "centre"}]),
    ],
)  # fmt: skip
def test_a_document_within_the_limits_is_taken(document: dict[str, Any]) -> None:
    assert parse_policy(document, law=LAW).rules
    assert parse_policy(COUNTY, law=Law()).rules, "without limits all is as it was"


ages = st.tuples(st.integers(0, 400), st.integers(0, 400)).map(
    lambda pair: {"min": f"{min(pair)}d", "max": f"{max(1, *pair)}d"}
)


@given(st.lists(st.tuples(st.sampled_from(["key", "k*", "gate"]), st.booleans(), ages),
                max_size=3), ages, st.sampled_from(["key", "gate"]), st.booleans())  # fmt: skip
def test_what_is_taken_keeps_all_footage_within_the_limits(
    first: list[tuple[str, bool, dict[str, str]]], last: dict[str, str], group: str, touched: bool
) -> None:
    document = {"rules": [
        *({"name": f"r{i}", "match": {"group": name, **({"event": "alarm"} if event else {})},
           "keep": {"any": keep}} for i, (name, event, keep) in enumerate(first)),
        {"name": "all", "keep": {"any": last}}]}  # fmt: skip
    policy = parse_policy(document, stored=True)
    if any(LAW.breaches(policy)):
        return
    decided = rules_for(policy, StreamId("s", "c", "main"), group, {"alarm"} if touched else ())
    kept = ages_at(decided, "main", "post", touched)
    low, high = (90, 365) if group == "key" else (30, 180)
    assert kept is not None
    assert low * DAY <= kept[0].min
    assert kept[0].max <= high * DAY


def test_limits_that_are_none_are_refused_at_the_start(tmp_path: Path) -> None:
    for odd in ({"min": "2d", "max": "1d"}, {"max": "soon"}, {"match": {"colour": "red"}}):
        path = tmp_path / "recorder.yaml"
        path.write_text(json.dumps({"retention": [{"name": "x", **odd}]}))
        with pytest.raises(ConfigError, match=r"retention\.0"):
            load_settings(path)


# -- the doors -------------------------------------------------------------------------------------


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "recorder.yaml"
    path.write_text(json.dumps({"data": str(tmp_path / "data"), "retention": LIMITS}))
    return path


@pytest.fixture
def app(config: Path) -> Iterator[App]:
    one = App(load_settings(config))
    yield one
    one.close()


@pytest.mark.parametrize("document", [TOO_LONG, TOO_SHORT])
def test_every_command_and_route_refuses_it(
    config: Path, app: App, tmp_path: Path, document: dict[str, Any]
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(yaml.safe_dump(document))
    for words in (["check", str(file)], ["set", str(file)], ["plan", "--file", str(file)],
                  ["forecast", "--file", str(file)]):  # fmt: skip
        ran = CliRunner().invoke(recorder, ["--config", str(config), "policy", *words])
        assert isinstance(ran.exception, BadDocument) or ran.exit_code == 78, ran.output
        assert "rules.1.keep.any" in ran.output + str(ran.exception)
    for method, path in (("PUT", ""), ("POST", "/check"), ("POST", "/plan"), ("POST", "/forecast")):
        answer = ask(app, method, f"/api/v1/policy{path}", json=document)
        assert answer.status_code == 422, path
        assert "rules.1.keep.any" in answer.json()["detail"], path
    assert app.catalog.documents.newest("policy") is None
    app.catalog.documents.put("policy", document, "ann", 1)  # before there were limits
    assert ask(app, "POST", "/api/v1/policy/apply", json={}).status_code == 422
    ran = CliRunner().invoke(recorder, ["--config", str(config), "policy", "apply", "--yes"])
    assert "rules.1.keep.any" in ran.output + str(ran.exception)
    said = [one.detail for one in examine(app) if one.subject == "law"]
    assert any("rules.1.keep.any" in one for one in said)


def test_nothing_is_deleted_by_a_policy_in_force_that_keeps_too_short(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept: list[object] = []
    monkeypatch.setattr(app.upkeep.janitor, "doubt", lambda *, vouched: "")
    monkeypatch.setattr(retention, "_each_store", lambda *_: swept.append(1))
    for document, sweeps, gauge in ((TOO_SHORT, 0, 1), (TOO_LONG, 1, 1), (GOOD, 1, 0)):
        swept.clear()
        app.catalog.documents.put("policy", document, "ann", 1)
        retention.sweep(app)
        assert len(swept) == sweeps, document
        assert telemetry.POLICY_UNLAWFUL._value.get() == gauge


def test_a_rebuild_takes_no_policy_back_that_the_law_forbids(config: Path, tmp_path: Path) -> None:
    app = App(load_settings(config))
    app.admit("main")
    app.catalog.documents.put("policy", TOO_LONG, "ann", 1)
    app.catalog.cameras.put(parse_camera("gate", {"url": "rtsp://x/y", "group": "key"}), 1, None)
    app.upkeep.keeper.keep(app.stores.values(), app.clock.now())
    app.close()
    for path in (tmp_path / "data").glob("catalog.db*"):
        path.unlink()
    ran = CliRunner().invoke(recorder, ["--config", str(config), "rebuild", "--yes"])
    assert ran.exit_code == 0, ran.output
    assert "not taken back: policy version 1: rules.1.keep.any.max: 181d" in ran.output
    app = App(load_settings(config))
    assert app.catalog.documents.newest("policy") is None
    assert app.catalog.cameras.groups()
    app.close()


def test_a_policy_from_above_that_the_law_here_forbids_is_not_put_in_force_and_that_is_said(
    child: SqlCatalog,  # noqa: F811
    centre: SqlCatalog,  # noqa: F811
) -> None:
    noted: list[tuple[Any, ...]] = []

    class Book:
        def note(self, *words: Any, **details: Any) -> None:
            noted.append((*words, details))

    def link() -> Link:
        return Link(
            Parent(centre, '"odd"'), child, MemoryStore("main"), FakeClock(NOW),  # type: ignore[arg-type]
            LinkSettings("post1", "post", "", law=LAW), nothing, nothing,
            above=FromAbove(lambda: Book()),  # type: ignore[arg-type, return-value]
        )  # fmt: skip

    made = link()
    centre.documents.put("policy", GOOD, "ann", 1)
    made.exchange()
    assert dict(child.documents.newest("policy").body) == GOOD  # type: ignore[union-attr]
    centre.documents.put("policy", TOO_LONG, "ann", 2)
    for _ in range(3):
        made.exchange()
    assert dict(child.documents.newest("policy").body) == GOOD  # type: ignore[union-attr]
    refused = [one for one in noted if "reason" in one[-1]]
    assert len(refused) == 1, "it is noted once"
    assert refused[0][-1]["reason"].startswith("rules.1.keep.any.max: 181d")
    facts = next(one.facts for one in centre.sites.all() if one.name == "post1")
    assert facts["policy_refused"].startswith("rules.1.keep.any.max: 181d"), "the parent is told"
    link().exchange()
    assert dict(child.documents.newest("policy").body) == GOOD, "so after a start"  # type: ignore[union-attr]
    centre.documents.put("policy", {**GOOD, "blast_radius": "5%"}, "ann", 3)
    for _ in range(2):
        made.exchange()
    assert child.documents.newest("policy").body["blast_radius"] == "5%"  # type: ignore[union-attr]
    facts = next(one.facts for one in centre.sites.all() if one.name == "post1")
    assert "policy_refused" not in facts


@pytest.mark.parametrize(
    ("body", "why"),
    [({**GOOD, "shine": 1}, "shine: no such field"), ({}, "rules"), ("all of it", "no document"),
     (None, "no document")],
)  # fmt: skip
def test_a_policy_from_above_that_is_not_understood_leaves_ours_in_force(
    child: SqlCatalog,  # noqa: F811
    body: object,
    why: str,
) -> None:
    heard = Heard(child, "post1", Law(), FromAbove())
    heard.policy("centre", {"body": GOOD, "author": "ann"}, 1)
    heard.policy("centre", {"body": body, "author": "ann"}, 2)
    assert why in heard.unlawful
    policy = policy_in_force(child.documents)
    assert policy is not None
    assert policy.version == 1
    heard.policy("centre", {"body": GOOD, "author": "ann"}, 3)
    assert heard.unlawful == ""


def test_a_hold_may_keep_footage_longer_and_that_is_told(app: App) -> None:
    groups = {CameraId("post1", "gate"): "key"}
    hold = Hold("h1", ("post1/gate", "post1/lane"), TimeRange(0, DAY), "7", "theft", "ann", 1)
    (said,) = beyond_law(LAW, groups, [hold])
    assert "hold h1 (case 7) keeps footage of post1/gate beyond the 365d" in said
    assert "it has no end" in said
    assert list(beyond_law(LAW, groups, [replace(hold, expires=180 * DAY)])) == []
    (said,) = beyond_law(LAW, groups, [replace(hold, expires=181 * DAY)])
    assert "post1/lane beyond the 180d" in said
    assert "no end" not in said
    body = {"cameras": ["gate"], "start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z",
            "case": "7", "reason": "theft", "owner": "ann"}  # fmt: skip
    app.catalog.cameras.put(parse_camera("gate", {"url": "rtsp://x/y"}), 1, None)
    answer = ask(app, "POST", "/api/v1/holds", json=body)
    assert answer.status_code == 201, "it is exempt"
    assert "180d that are the most by law" in answer.json()["notes"][0]
    assert any("180d" in one.detail for one in examine(app) if one.subject == "law")
