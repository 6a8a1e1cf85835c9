"""The systemd unit that a node writes for itself."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from recorder.cli import recorder


def unit(folder: Path, **settings: object) -> Result:
    """Print the unit of a node with these settings."""
    values = {"site": "post1", "node": "n1", "data": "/var/lib/recorder"} | settings
    path = folder / "recorder.yaml"
    path.write_text(json.dumps(values))
    return CliRunner().invoke(recorder, ["--config", str(path), "unit"])


def test_a_unit_runs_serve_with_its_settings_and_writes_only_where_it_must(tmp_path: Path) -> None:
    stores = [
        {"name": "main", "path": "/srv/foot age"},
        {"name": "near", "path": "/var/lib/recorder/store"},
        {"name": "old", "path": "/mnt/old", "readonly": True},
    ]
    text = unit(tmp_path, stores=stores, spool={"path": "/var/spool/100%"}).stdout
    lines = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    assert lines["ExecStart"].endswith(f"/recorder --config {tmp_path / 'recorder.yaml'} serve")
    assert Path(lines["ExecStart"].split()[0]).is_file()
    assert lines["ReadWritePaths"] == '"/srv/foot age" /var/lib/recorder /var/spool/100%%'
    assert lines["User"] == "recorder"
    assert (lines["KillMode"], lines["UMask"]) == ("mixed", "0077")


def test_systemd_finds_nothing_to_say_of_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    assert program is not None, "scripts/debian installs it"
    path = tmp_path / "recorder.service"
    path.write_text(unit(tmp_path).stdout.replace("User=recorder", "User=daemon"))
    said = subprocess.run(
        [program, "verify", "--man=no", str(path)], capture_output=True, text=True, check=False
    )
    ours = [line for line in said.stderr.splitlines() if "recorder.service" in line]
    assert [line for line in ours if "Cannot add dependency" not in line] == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"data": "recorder-data"}, "relative path"), ({"nonsense": 1}, "nonsense")],
)
def test_a_unit_is_not_written_for_settings_that_would_not_run(
    tmp_path: Path, settings: dict[str, object], said: str
) -> None:
    done = unit(tmp_path, **settings)
    assert done.exit_code != 0
    assert said in str(done.exception)
