"""What is shown of a file that is still being written."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from recorder.capture.command import Tracks
from recorder.model.timebase import MS, SECOND
from recorder.reading.growing import GrowingFiles
from recorder.sealing import survey
from recorder.spool.disk import Spool
from tests.support.clock import FakeClock
from tests.support.make import T0
from tests.support.shelf import RUN, capture, make_film


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """The first two files of a run."""
    folder = tmp_path_factory.mktemp("growing")
    capture(make_film(folder), folder / "run", Tracks())
    return [path.read_bytes() for path in sorted((folder / "run").glob("*.mp4"))[:2]]


def shown(folder: Path, name: str, body: bytes, age_ns: int) -> int:
    """Say how many fragments are shown of a file that last grew so long ago."""
    spool, clock = Spool(folder), FakeClock(T0)
    path = spool.open_run(RUN) / name
    path.write_bytes(body)
    os.utime(path, ns=(clock.now() - age_ns, clock.now() - age_ns))
    found = GrowingFiles(spool, clock).of(RUN.stream)
    count = sum(len(one.table.offsets) for one in found.growing)
    found.close()
    return count


def test_a_sessions_first_fragment_is_shown_with_the_second_or_after_a_second(
    files: list[bytes], tmp_path: Path
) -> None:
    first, second = files
    ends = survey(first)[1].table.ends
    assert shown(tmp_path / "a", "000000.mp4", first[: ends[0]], 900 * MS) == 0
    assert shown(tmp_path / "b", "000000.mp4", first[: ends[0]], SECOND) == 1
    assert shown(tmp_path / "c", "000000.mp4", first[: ends[1]], 0) == 2
    ends = survey(second)[1].table.ends
    assert shown(tmp_path / "d", "000001.mp4", second[: ends[0]], 0) == 1


@pytest.mark.parametrize("moment", range(12))
def test_a_run_that_is_closed_at_any_moment_of_a_look_is_shown_or_not(
    files: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    spool = Spool(tmp_path)
    (spool.open_run(RUN) / "000000.mp4").write_bytes(files[0])
    looks = iter(range(100))
    scandir = os.scandir

    def closed_meanwhile(folder: Path) -> Any:
        if next(looks) == moment:
            shutil.rmtree(tmp_path / "open" / RUN.stream.site)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", closed_meanwhile)
    GrowingFiles(spool, FakeClock(T0)).of(RUN.stream).close()
    assert len(spool.runs()) <= 1
    assert spool.nameless() == []
    assert next(looks) > moment, "the look at which it was closed was one"
