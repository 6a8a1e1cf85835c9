"""What the command line says of words, names and plans that are not what was thought."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from recorder.app import App
from recorder.cli import main, recorder
from recorder.config import Settings
from recorder.model.timebase import DAY
from tests.support.make import segment
from tests.support.plans import ALL


@pytest.mark.parametrize(
    ("words", "there"),
    [
        (["audit", "list"], "recorder audit has: begin, checkpoint, "),
        (["hold", "remove", "x"], "recorder hold has: add, list, release"),
        (["status"], "recorder has: access, "),
    ],
)
def test_a_command_that_is_none_is_answered_with_those_there_are(
    words: list[str],
    there: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.argv", ["recorder", *words])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 64
    assert there in capsys.readouterr().err


def test_a_plan_that_was_stopped_is_no_success(tmp_path: Path) -> None:
    app = App(Settings.model_validate({"data": str(tmp_path)}))
    app.admit("main")
    old = segment(0, 60, writer="n1.1")
    app.catalog.commits.add_segment(old, "main", "", old.end + DAY)
    app.catalog.documents.put("policy", {"rules": [ALL]}, "ann", old.end)
    app.close()
    words = ["--data", str(tmp_path), "policy", "apply"]
    done = CliRunner().invoke(recorder, words)
    assert (done.exit_code, "STOPPED" in done.output) == (75, True), done.output
    done = CliRunner().invoke(recorder, [*words, "--yes"])
    assert (done.exit_code, "condemned 1" in done.output) == (0, True), done.output


def test_an_event_under_the_id_of_another_is_refused_on_the_node_too(tmp_path: Path) -> None:
    words = ["--data", str(tmp_path)]
    for name in ("gate", "yard"):
        CliRunner().invoke(recorder, [*words, "camera", "add", name, "rtsp://10.0.0.7/x"])

    def told(camera: str) -> str:
        said = ["event", "add", "--camera", camera, "--kind", "alarm", "--id", "17"]
        done = CliRunner().invoke(recorder, [*words, *said])
        return str(done.exception or done.output)

    assert told("gate") == "event 17 recorded\n"
    assert told("gate") == "event 17 was known already\n", "when it was is said by the first"
    assert "its source is gate, not yard" in told("yard")
    CliRunner().invoke(recorder, [*words, "camera", "set", "gate", "group="])
    shown = CliRunner().invoke(recorder, [*words, "camera", "show", "gate", "--json"])
    assert json.loads(shown.output)["group"] == "general", "none is the usual one"
