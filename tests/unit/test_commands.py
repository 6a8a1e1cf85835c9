"""Commands as a shell sees them: what they say on standard error, and their exit codes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from recorder import regular
from recorder.cli import context, main, recorder

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run the command line in this process; return its exit code and what it said of errors."""
    settings = tmp_path / "settings.yaml"
    settings.write_text(f"site: test\nnode: n1\ndata: {tmp_path / 'data'}\n")
    mask = os.umask(0o022)
    os.umask(mask)

    def go(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["recorder", "--config", str(settings), *arguments])
        try:
            with pytest.raises(SystemExit) as ended:
                main()
        finally:
            os.umask(mask)  # a command keeps what it writes to its owner
        code = ended.value.code
        assert isinstance(code, int)
        return code, capfd.readouterr().err

    return go


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["timeline", "none"], 66, "no camera"),
        (["timeline", "none", "--start", "2026-01-05T14:00:00"], 64, "no time zone"),
        (["clip"], 64, "Missing argument"),
        (["camera", "add", "x", "gopher://y"], 78, "scheme"),
        (["camera", "show", "none"], 66, "no camera"),
        (["store", "probe", "none"], 64, "no store"),
        (["policy", "plan"], 66, "no policy"),
        (["audit", "key"], 66, "no log is begun yet"),
        (["timeline", "none", "--start", "-1h", "--end", "-2h"], 64, "-2h is not after start -1h"),
        (["timeline", "none", "--start", "-1h", "--end", "-1h"], 64, "-1h is not after start -1h"),
        (["rebuild", "--store", "none"], 64, "no store"),
    ],
)
def test_commands_exit_with_sysexits_codes_and_one_sentence(
    arguments: list[str], code: int, said: str, run: Run
) -> None:
    found, told = run(*arguments)
    assert found == code, told
    assert said in told
    assert "Traceback" not in told


def test_a_command_whose_output_is_closed_does_what_it_should(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("stdin", "stdout", "stderr")
    for name in names:
        monkeypatch.setattr(sys, name, None)
    assert run("camera", "list") == (0, "")
    for name in names:
        getattr(sys, name).close()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["policy", "check", "/dev/zero"], 74),
        (["camera", "import", "/dev/zero"], 74),
        (["--config", "/dev/zero", "camera", "list"], 78),
    ],
    ids=str,
)
def test_a_file_without_end_is_not_read_to_its_end(
    arguments: list[str], code: int, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regular, "MOST_TEXT_BYTES", 1 << 20)
    found, told = run(*arguments)
    assert (found, "has more than 1 MiB" in told) == (code, True), told


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense: 1", "nonsense"), ("[1, 2]", "mapping"), ("site: a/b", "site"),
        ("api: {listen: '0.0.0.0:8600'}", "has no TLS"), ("spool: {max_size: lots}", "max_size"),
        ("stores: [{name: a, kind: s3}]", "endpoint"), ("ship: {store: none}", "ship.store"),
        ("capture: {segment: 0}", "segment"), ("a: [", "settings"), ("grace: soon", "grace"),
        ("stores: [{name: a, kind: s3, endpoint: 'x', bucket: y}]", "not a URL"),
        ("stores: [{name: a, kind: s3, endpoint: 'http://h/b', bucket: y}]", "a port alone"),
        ("stores: [{name: a, kind: s3, endpoint: 'http://k:s@h', bucket: y}]", "the keys into"),
        ("catalog: 'sqlite:////no/such/dir/x.db'", "unable to open"),
    ],
)  # fmt: skip
def test_bad_settings_are_refused_by_path(text: str, said: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text(text)
    code, told = run("check") if "URL" in said else run("camera", "list")
    assert code in (75, 78), told
    assert said in told
    assert "Traceback" not in told


def test_local_times_are_read_and_shown_in_the_zone_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(f"site: test\nzone: Asia/Tokyo\ndata: {tmp_path / 'data'}\n")

    def said(*words: str) -> str:
        done = CliRunner().invoke(recorder, ["--config", str(path), *words])
        assert done.exit_code == 0, done.output
        return done.output

    said("camera", "add", "cam", "rtsp://10.0.0.7/x")
    said("event", "add", "--camera", "cam", "--kind", "alarm", "--at", "2026-07-01T14:00:00")
    here = ("event", "list", "--start", "2026-07-01T13:00", "--end", "2026-07-01T15:00")
    berlin = ("event", "list", "--start", "2026-07-01T06:30", "--end", "2026-07-01T07:30")
    assert "2026-07-01T07:00:00.000+02:00" in said("--zone", "Europe/Berlin", *berlin)
    assert "2026-07-01T05:00:00.000Z" in said(*here), "in UTC where nobody looks"
    assert json.loads(said(*here, "--json"))[0]["start"] == "2026-07-01T05:00:00.000000Z"
    monkeypatch.setattr(context.Context, "looked_at", True)
    assert "2026-07-01T14:00:00.000+09:00" in said(*here), "by the settings on a terminal"
    assert json.loads(said(*here, "--json"))[0]["start"] == "2026-07-01T05:00:00.000000Z"
    done = CliRunner().invoke(recorder, ["--zone", "Mars/Base", "--config", str(path), *here])
    assert "Mars/Base" in str(done.exception)


def test_a_camera_is_replaced_only_as_it_was_read(run: Run, tmp_path: Path) -> None:
    document = tmp_path / "gate.yaml"
    document.write_text("url: rtsp://h/1\nversion: 1\n")
    assert run("camera", "add", "gate", "rtsp://h/1")[0] == 0
    assert run("camera", "set", "gate", "group=key")[0] == 0
    code, said = run("camera", "add", "gate", "--replace", "--file", str(document))
    assert (code, "it is at version 2, not 1" in said) == (75, True), said
    document.write_text("url: rtsp://h/1\nversion: 2\n")
    assert run("camera", "add", "gate", "--replace", "--file", str(document))[0] == 0
    assert run("camera", "add", "gate", "rtsp://h/2", "--replace")[0] == 0
    assert run("camera", "add", "new", "rtsp://h/2", "--replace")[0] == 0
