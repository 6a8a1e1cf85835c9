"""The verifier as a package of its own: it works where there is no recorder."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.bundles import natives
from tests.support.exhibit import Exhibit

ROOT = Path(__file__).parents[2]
BUILDER = ROOT / "scripts/verifier.py"
ALONE = """
import sys
sys.path.insert(0, sys.argv[1])
sys.meta_path[:] = [one for one in sys.meta_path if "ditable" not in repr(one)]  # no recorder here
from recorder.evidence.command import main
code = main(sys.argv[2:])
ours = [one for name, one in sys.modules.items() if name.partition(".")[0] == "recorder"]
strange = [one.__file__ for one in ours if not one.__file__.startswith(sys.argv[1])]
assert not strange, strange
assert "sqlalchemy" not in sys.modules and "click" not in sys.modules
sys.exit(code)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("verifier")
    subprocess.run([sys.executable, BUILDER, folder, "--alone"], check=True)
    (made,) = folder.glob("spanstore_verify-*-py3-none-any.whl")
    with zipfile.ZipFile(made) as file:
        file.extractall(folder / "unpacked")
    return made


def test_what_it_needs_goes_out_with_it_to_where_there_is_no_network() -> None:
    needed = {one.partition("==")[0] for one in runpy.run_path(str(BUILDER))["needed"]()}
    assert needed >= {"cryptography", "cffi", "pycparser", "rfc3161-client", "typing-extensions"}


def verify(wheel: Path, *words: object) -> subprocess.CompletedProcess[str]:
    alone = [sys.executable, "-c", ALONE, str(wheel.parent / "unpacked"), *map(str, words)]
    return subprocess.run(alone, capture_output=True, text=True, cwd=wheel.parent, check=False)


def test_it_verifies_a_bundle_without_a_recorder_and_names_what_is_broken(
    wheel: Path, tmp_path: Path
) -> None:
    exhibit = Exhibit(tmp_path / "exhibit")
    bundle = exhibit.bundle(tmp_path / "bundle")
    exhibit.close()
    whole = verify(wheel, bundle)
    assert (whole.returncode, whole.stderr) == (0, "")
    assert whole.stdout.startswith("PROVEN\n")
    assert "those that were sealed" in whole.stdout
    path = natives(bundle)[1]
    raw = bytearray(path.read_bytes())
    raw[-9] ^= 1
    path.write_bytes(raw)
    broken = verify(wheel, bundle, "--json")
    assert (broken.returncode, json.loads(broken.stdout)["whole"]) == (65, False)
    assert "is NOT what was handed out" in broken.stderr
    assert verify(wheel, tmp_path / "none").returncode == 66
    refused = verify(wheel, bundle, "--key", "7")
    assert (refused.returncode, "is no SHA-256 fingerprint" in refused.stderr) == (64, True)


def test_it_is_small_and_has_nothing_of_the_service(wheel: Path) -> None:
    assert wheel.stat().st_size < 200_000
    with zipfile.ZipFile(wheel) as file:
        rooms = {name.split("/")[1] for name in file.namelist() if name.count("/") > 1}
    assert rooms == {"audit", "bmff", "evidence", "model", "segment", "licenses"}
