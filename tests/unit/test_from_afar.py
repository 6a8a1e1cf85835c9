"""Every command works from afar, or says that it does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from recorder.cli import context, recorder
from recorder.cli.permitted import HERE, NEEDED, ON_NODE
from recorder.errors import RecorderError

PAGE = Path(__file__).resolve().parents[2] / "docs/guide/afar.md"
NOBODY = "http://127.0.0.1:9"
WORDS = {
    "access explain": "ana camera.read", "approval approve": "r1", "approval refuse": "r1",
    "approval withdraw": "r1",
    "approval ask": "gate --start 2026-01-05T14:00:00Z --end 2026-01-05T15:00:00Z --purpose p",
    "audit begin": "--why w", "camera add": "gate rtsp://x",
    "camera import": "{csv}", "camera probe": "gate", "camera set": "gate group=x",
    "clip": "gate --start 2026-01-05T14:00:00Z --end 2026-01-05T15:00:00Z -o {out}",
    "coverage": "--start 2026-01-05T14:00:00Z --end 2026-01-05T15:00:00Z",
    "event add": "--camera gate --kind alarm", "frame": "gate --at 2026-01-05T14:00:00Z -o {out}",
    "export create": "--camera gate --start -2h --end -1h --case 1 --purpose p -o {out}",
    "event change": "e1 --end 2026-01-05T15:00:00Z --attribute seen=yes",
    "export get": "x -o {out}", "export show": "x", "export remove": "x",
    "event list": "--start 2026-01-05T14:00:00Z --end 2026-01-05T15:00:00Z",
    "hold add": "gate --start 2026-01-05T14:00:00Z --end 2026-01-05T15:00:00Z --case 1 --reason r",
    "hold release": "h1", "point add": "door --camera gate", "policy check": "{policy}",
    "policy explain": "gate --at 2026-01-05T14:00:00Z", "policy set": "{policy}",
    "site admit": "post1 c", "timeline": "gate --start 2026-01-05T14:00:00Z",
    "token rotate": "t", "user add": "ana --role viewer", "user redeem": "",
}  # fmt: skip
NAMED = frozenset({
    "camera show", "event show", "event remove", "camera remove", "node drain", "node remove",
    "node undrain", "point remove", "site invite", "site expel",
    "site remove", "store probe", "store adopt",
    "token add", "token end", "user close", "user grant", "user invite",
})  # fmt: skip


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody answers, and nobody is waited for."""
    monkeypatch.setattr(context, "PATIENCE_S", 0.0)


def ask(command: str, folder: Path) -> Result:
    policy, csv = folder / "policy.yaml", folder / "cameras.csv"
    policy.write_text("rules: [{name: all, keep: {any: 30d}}]")
    csv.write_text("name,url\ngate,rtsp://10.0.0.7/x\n")
    words = "gate" if command in NAMED else WORDS.get(command, "")
    words = str(policy) if command in ("backup", "restore") else words
    words = words.format(csv=csv, policy=policy, out=folder / "out")
    arguments = ["--server", NOBODY, *command.split(), *words.split()]
    return CliRunner().invoke(recorder, arguments, input="word\npassword\n")


@pytest.mark.parametrize("command", sorted(NEEDED.keys() - ON_NODE - HERE))
def test_a_command_is_asked_of_the_server(command: str, tmp_path: Path) -> None:
    done = ask(command, tmp_path)
    error = done.exception
    assert isinstance(error, RecorderError), (command, done.output)
    assert error.exit_code == 75, (command, str(error))
    assert "does not answer" in str(error)


@pytest.mark.parametrize("command", sorted(ON_NODE))
def test_what_is_done_on_the_node_says_so_in_one_sentence_with_a_hint(
    command: str, tmp_path: Path
) -> None:
    done = ask(command, tmp_path)
    error = done.exception
    assert isinstance(error, RecorderError), (command, done.output)
    assert str(error) == "this is done on the node itself, not over --server"
    assert error.exit_code == 64
    assert error.hint.startswith("run it there")


def test_the_guide_lists_what_stays_on_the_node() -> None:
    said = PAGE.read_text().split("is done there:")[1].split("From afar")[0]
    assert set(said.split("`")[1::2]) == set(ON_NODE)


def test_no_command_is_here_and_on_the_node() -> None:
    assert NEEDED.keys() >= HERE | ON_NODE
    assert not HERE & ON_NODE
