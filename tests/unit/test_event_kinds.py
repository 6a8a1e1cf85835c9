"""An event of a kind that no rule names is taken, and that is said: it may be misspelled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from recorder.app import App
from recorder.cli import recorder
from recorder.config import Settings
from recorder.doctor import site as doctor
from recorder.model.camera_document import parse_camera
from recorder.model.timebase import DAY
from tests.unit.test_guard import ask

POLICY = {
    "kinds": ["gunshot"],
    "rules": [
        {"name": "odd", "match": {"event": ["tamper-*"]}, "keep": {"any": "90d"}},
        {"name": "all", "keep": {"any": "30d"}},
    ],
}


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    one = App(Settings(site="north", node="n1", data=tmp_path / "data"))
    one.catalog.cameras.put(parse_camera("gate", {"url": "rtsp://x/y"}), 1, None)
    yield one
    one.close()


def report(app: App, kind: str) -> dict[str, Any]:
    answer = ask(app, "POST", "/api/v1/events", json={"camera": "gate", "kind": kind})
    assert answer.status_code == 201, "whoever it is may know more kinds than we do"
    return dict(answer.json())


@pytest.mark.parametrize("kind", ["alarm", "gunshot", "tamper-7"])
def test_a_kind_that_the_policy_names_is_none_to_warn_of(app: App, kind: str) -> None:
    app.catalog.documents.put("policy", POLICY, "ann", 1)
    assert "warnings" not in report(app, kind)
    assert doctor._kinds(app) == []


def test_a_kind_that_no_rule_names_is_told_to_who_reports_and_by_doctor(
    app: App, tmp_path: Path
) -> None:
    assert "warnings" not in report(app, "alram"), "without a policy nothing goes"
    app.catalog.documents.put("policy", POLICY, "ann", 1)
    (said,) = report(app, "alram")["warnings"]
    assert "'alram': there are motion, alarm, checkpoint, manual, gunshot" in said
    assert [one.detail for one in doctor._kinds(app)] == [said]
    given = ["--data", str(tmp_path / "data"), "event", "add"]
    ran = CliRunner().invoke(recorder, [*given, "--camera", "gate", "--kind", "alram"])
    assert (ran.exit_code, said in ran.output) == (0, True)


def test_of_a_kind_that_came_long_ago_nobody_is_told_any_more(app: App) -> None:
    app.catalog.documents.put("policy", POLICY, "ann", 1)
    report(app, "alram")
    assert app.catalog.event_ages.kinds(app.clock.now() - DAY) == ["alram"]
    assert app.catalog.event_ages.kinds(app.clock.now()) == []
