"""The image of the Containerfile: built from Debian's packages, and started as a cluster does."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.image import Image, build, instructions, make_base, started
from tests.support.ports import free_port, until

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    folder = tmp_path_factory.mktemp("image")
    yield build(make_base(folder / "base"), folder)
    shutil.rmtree(folder)  # more than a gigabyte


@pytest.fixture
def running(image: Image, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int, Path]]:
    port = free_port()
    env = {"RECORDER_API__LISTEN": f"127.0.0.1:{port}"}
    with started(image, tmp_path, env) as process:
        yield process, port, tmp_path
        process.terminate()


def test_the_image_serves_as_nobody_special_with_nothing_to_write_but_its_volumes(
    image: Image, running: tuple[subprocess.Popen[bytes], int, Path]
) -> None:
    process, port, data = running

    def ready() -> bool:
        assert process.poll() is None, process.stderr and process.stderr.read().decode()
        try:
            return httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    until(ready, 60, "it is ready")
    facts = Path(f"/proc/{process.pid}/status").read_text().split("\n")
    said = dict(line.split(":\t", 1) for line in facts if ":\t" in line)
    assert said["Uid"].split() == ["10001"] * 4
    assert {int(said[name], 16) for name in ("CapEff", "CapPrm", "CapBnd")} == {0}
    assert said["NoNewPrivs"] == "1"
    assert os.statvfs(f"/proc/{process.pid}/root").f_flag & os.ST_RDONLY
    assert (data / "catalog.db").stat().st_uid == 10001
    process.terminate()
    assert process.wait(30) == 0


def test_the_image_has_what_a_recorder_needs_and_no_tools_of_builders(image: Image) -> None:
    held = {one.name for one in (image.root / "opt/recorder/bin").iterdir()}
    assert "recorder" in held
    assert "pytest" not in held
    assert not (image.root / "usr/bin/gcc").exists()
    assert (image.entry, image.command, image.user) == (["recorder"], ["serve"], "10001:10001")
    words = [word for word, _ in instructions("# a\nRUN a \\\n b\n\nCMD []\n")]
    assert words == ["RUN", "CMD"]
