"""``recorder audit``: asked, exported, verified."""

from __future__ import annotations

import csv
import io
import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from recorder.app import App
from recorder.audit.entry import Entry, Subject
from recorder.audit.tree import leaf_hash
from recorder.cli import recorder
from recorder.config import Settings
from recorder.doctor import examine
from recorder.jobs.signing import make_key, sign_log
from recorder.logbook.keys import own_signer
from recorder.model.caller import Caller, CallerKind
from recorder.model.timebase import SECOND, TimeRange
from tests.support.make import T0

ANA = Caller(CallerKind.USER, "ana", "10.0.0.7", purpose="accident 7")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    app = App(Settings(data=folder, site="north", node="n1"))
    about = Subject("north", "gate", "main", TimeRange(T0, T0 + SECOND))
    other = Subject("north", "yard", "main", TimeRange(T0, T0 + SECOND))
    app.catalog.audit_log.write([
        Entry(T0, ANA, "footage.clip", about), Entry(T0 + SECOND, ANA, "footage.clip", other),
        Entry(T0 + 2 * SECOND, ANA, "hold.add", Subject(name="=h1")),
    ])  # fmt: skip
    sign_log(app)
    app.close()
    return folder


def run(data: Path, *words: str) -> Result:
    settings = data.parent / "settings.yaml"
    settings.write_text("site: north\nnode: n1\n")
    arguments = ["--config", str(settings), "--data", str(data), *words]
    return CliRunner().invoke(recorder, arguments, standalone_mode=False)


def test_it_says_who_watched_a_camera(data: Path) -> None:
    said = run(data, "audit", "show", "--camera", "gate", "--since", "2026-01-01T00:00:00Z").output
    (line,) = said.splitlines()
    assert "user:ana@10.0.0.7" in line
    assert "footage.clip" in line
    assert "north/gate/main 2026-01-05T14:03:07" in line
    assert "for 'accident 7'" in line
    later = run(data, "audit", "show", "--since", "2026-02-01T00:00:00Z", "--who", "user:ana")
    assert later.output == "no entries\n"
    assert len(json.loads(run(data, "audit", "show", "--json", "--limit", "2").output)) == 2


def test_an_export_has_every_entry_once_in_order_and_can_be_hashed_again(data: Path) -> None:
    lines = run(data, "audit", "export").output.splitlines()
    shown = [json.loads(line) for line in lines]
    assert [one["entry"]["action"] for one in shown] == [
        "footage.clip", "footage.clip", "hold.add", "log.begin"
    ]  # fmt: skip
    for one in shown:
        text = json.dumps(one["entry"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert leaf_hash(text.encode()).hex() == one["hash"]
    rows = list(csv.DictReader(io.StringIO(run(data, "audit", "export", "--format", "csv").output)))
    assert [(one["who"], one["camera"], one["name"]) for one in rows[:3]] == [
        ("user:ana", "gate", ""), ("user:ana", "yard", ""), ("user:ana", "", "=h1")
    ]  # fmt: skip


def test_the_key_is_there_to_be_copied_before_there_is_a_log_and_no_other_is_made_after(
    tmp_path: Path,
) -> None:
    app, key = App(Settings(data=tmp_path, site="north")), tmp_path / "audit.key"
    make_key(app)
    made = key.read_bytes()
    assert key.stat().st_mode & 0o777 == 0o600
    app.admit("main")
    sign_log(app)
    assert key.read_bytes() == made
    key.unlink()  # as at a second node that nobody has copied it to
    make_key(app)
    assert not key.exists()
    app.close()


def test_of_two_nodes_that_start_at_once_the_one_that_signs_makes_the_key(tmp_path: Path) -> None:
    catalog = f"sqlite:///{tmp_path / 'catalog.db'}"
    nodes = [
        App(Settings(data=tmp_path / name, site="north", node=name, catalog=catalog))
        for name in ("n1", "n2")
    ]
    for app in nodes:
        app.settings.data.mkdir()
        make_key(app)
    assert [(tmp_path / name / "audit.key").exists() for name in ("n1", "n2")] == [True, False]
    for app in nodes:
        app.close()


def test_it_proves_the_log_since_a_checkpoint_that_was_kept(data: Path, tmp_path: Path) -> None:
    kept, other = tmp_path / "kept", tmp_path / "other"
    kept.write_text(run(data, "audit", "checkpoint").output)
    key = run(data, "audit", "key").output.strip()
    done = run(data, "audit", "verify", "--since", str(kept), "--key", key)
    assert done.exit_code == 0
    assert "clean: 4 entries of spanstore/north/" in done.output
    other.write_text(kept.read_text().replace("\n4\n", "\n5\n"))
    done = run(data, "audit", "verify", "--since", str(other))
    assert done.return_value == 65
    assert "cut: 1 entry after 4 is gone" in done.output
    assert "key: the checkpoint of 5 entries has no signature of its key" in done.output


def test_a_bundle_that_was_changed_is_told_by_verify_and_check(data: Path) -> None:
    (bundle,) = (data / "store").rglob("entries/*/*")
    bundle.write_bytes(bundle.read_bytes().replace(b"ana", b"bob"))
    said = json.loads(run(data, "audit", "verify", "--json").output)
    assert not said["clean"]
    assert {one["kind"] for one in said["faults"]} == {"changed", "tree"}
    assert "L14  audit log, changed" in run(data, "check").output


def test_what_is_done_on_the_node_is_of_the_unix_user(data: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("rules: [{name: all, keep: {any: 30d}}]\n")
    assert run(data, "policy", "set", str(policy)).exception is None
    assert run(data, "camera", "add", "gate", "rtsp://10.0.0.1/x").exception is None
    assert run(data, "camera", "set", "gate", "group=key").exception is None
    assert run(data, "camera", "remove", "gate").exception is None
    shown = json.loads(run(data, "audit", "show", "--json", "--limit", "4").output)
    assert [one["entry"]["action"] for one in shown] == [
        "camera.remove", "camera.change", "camera.add", "policy.set"
    ]  # fmt: skip
    name = pwd.getpwuid(os.getuid()).pw_name
    assert all(one["entry"]["who"] == {"kind": "machine", "name": name} for one in shown)
    assert all(one["leaf"] is None for one in shown), "not signed before the node is"


def test_a_new_log_is_begun_by_the_operators_word_alone(data: Path) -> None:
    (data / "audit.key").unlink()
    app = App(Settings(data=data, site="north", node="n1"))
    with pytest.raises(Exception, match="this node has"):
        sign_log(app)
    app.close()
    assert run(data, "audit", "begin", "--why", "the disk died").exception is None
    app = App(Settings(data=data, site="north", node="n1"))
    sign_log(app)
    app.close()
    assert run(data, "audit", "verify").output.startswith("clean: 2 entries")


def test_the_program_in_the_documents_verifies_a_log_without_our_code(
    data: Path, tmp_path: Path
) -> None:
    page = Path(__file__).resolve().parents[2] / "docs/design/audit.md"
    program = tmp_path / "verify.py"
    program.write_text(page.read_text().split("```python\n")[1].split("```")[0])
    (folder,) = (data / "store/spanstore.audit/north").glob("*/")

    def said() -> str:
        done = subprocess.run(
            [sys.executable, "-I", str(program), str(folder)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.strip()

    assert said() == "as signed"
    (bundle,) = folder.rglob("entries/*/*")
    bundle.write_bytes(bundle.read_bytes().replace(b"ana", b"bob"))
    assert said() == "NOT what was signed"


def test_the_doctor_says_that_a_node_has_another_key(data: Path) -> None:
    app = App(Settings(data=data, site="north", node="n1"))
    assert [one.level for one in examine(app) if one.subject == "audit log"] == ["ok"]
    (data / "audit.key").unlink()
    own_signer(data / "audit.key")
    (found,) = [one for one in examine(app) if one.subject == "audit log"]
    assert (found.level, "audit begin" in found.advice) == ("bad", True)
    app.close()


def sign(data: Path) -> None:
    app = App(Settings(data=data, site="north", node="n1"))
    sign_log(app)
    app.close()


def test_a_rebuild_takes_the_log_up_and_it_goes_on(data: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text(run(data, "audit", "checkpoint").output)
    for file in data.glob("catalog.db*"):
        file.unlink()
    done = run(data, "store", "adopt", "main", "--yes")
    done = run(data, "rebuild")
    assert done.exception is None, done.output
    assert "audit log: spanstore/north/" in done.output
    assert run(data, "audit", "show", "--who", "user:ana").output.count("user:ana") == 3
    sign(data)
    done = run(data, "audit", "verify", "--since", str(kept))
    assert done.output.startswith("clean: 6 entries"), "one log, and what was done since"


def test_a_restore_loses_no_entry_that_is_signed_nowhere(data: Path, tmp_path: Path) -> None:
    assert run(data, "backup", str(tmp_path / "backup")).exception is None
    assert run(data, "camera", "add", "gate", "rtsp://10.0.0.1/x").exception is None
    done = run(data, "restore", "--replace", str(tmp_path / "backup"))
    assert done.exception is None, done.output
    sign(data)
    lines = run(data, "audit", "export").output.splitlines()
    actions = [json.loads(line)["entry"]["action"] for line in lines]
    assert sorted(actions) == sorted([
        "footage.clip", "footage.clip", "hold.add", "log.begin", "catalog.backup", "camera.add",
        "catalog.restore",
    ])  # fmt: skip
    assert run(data, "audit", "verify").output.startswith("clean: 7 entries")
