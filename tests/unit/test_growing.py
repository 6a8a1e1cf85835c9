"""What is shown of a file that is still being written."""

from __future__ import annotations

import errno
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from recorder.app import App
from recorder.capture.command import Tracks
from recorder.config import load_settings
from recorder.model.timebase import MS, SECOND, format_instant
from recorder.reading.growing import GrowingFiles
from recorder.sealing import survey
from recorder.spool.disk import Spool
from tests.support.access import ask
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


def test_what_a_playlist_names_of_a_file_that_grows_is_there(
    files: list[bytes], tmp_path: Path
) -> None:
    app = App(load_settings(None, data=tmp_path, site="north", node="n1"))
    first, _ = files
    ends = survey(first)[1].table.ends
    path = app.spool.open_run(RUN) / "000000.mp4"
    path.write_bytes(first[: ends[1]])
    os.utime(path, ns=(T0 + 2 * SECOND, T0 + 2 * SECOND))
    playback = "/api/v1/cameras/cam07/playback.m3u8"
    about = {"start": format_instant(T0 - 60 * SECOND), "end": format_instant(T0 + 60 * SECOND)}
    said = ask(app, "GET", playback, params=about)
    assert said.status_code == 200, said.text
    named = set(re.findall(r"(objects/open/[^\n\"]+)", said.text))
    assert len(named) == 2, "an init segment, and two fragments that begin with one clean point"
    now = FakeClock(T0 + 4 * SECOND)  # the range is not over yet
    app.clock = now  # type: ignore[assignment]
    assert "objects" not in ask(app, "GET", playback, params=about).text, "they may still be more"
    path.write_bytes(first[: ends[2]])
    os.utime(path, ns=(T0 + 3 * SECOND, T0 + 3 * SECOND))
    for one in named:
        assert ask(app, "GET", f"/api/v1/{one}").status_code == 200, one
    (any_of_them, *_) = named
    for odd in ("9" * 19, "-5", "9" * 20):
        key = re.sub(r"/[0-9]+/", f"/{odd}/", any_of_them)
        assert ask(app, "GET", f"/api/v1/{key}").status_code == 404, odd
    for near, status in ((0, 404), (9223372000, 400), (T0 // SECOND + 30, 200), (-1, 400)):
        key = re.sub(r"near=[0-9]+", f"near={near}", any_of_them)
        assert ask(app, "GET", f"/api/v1/{key}").status_code == status, near
    app.close()


def test_a_first_fragment_that_was_shown_is_not_hidden_by_what_comes_of_the_next(
    files: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = survey(files[0])[1].table.ends
    came = [(ends[0], T0 - SECOND)]
    monkeypatch.setattr(Spool, "arrivals", lambda self, path: came)
    assert shown(tmp_path, "000000.mp4", files[0][: ends[0] + 100], 0) == 1
    came[0] = (ends[0], T0 - SECOND // 2)
    assert shown(tmp_path, "000000.mp4", files[0][: ends[0] + 100], 0) == 0


def test_while_a_spool_cannot_be_asked_what_lies_elsewhere_is_shown(
    files: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    spool = Spool(tmp_path)
    (spool.open_run(RUN) / "000000.mp4").write_bytes(files[0])
    growing = GrowingFiles(spool, FakeClock(T0))

    def fails(*_: object) -> Any:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(spool, "load_progress", fails)
    for _ in range(3):
        assert growing.of(RUN.stream).growing == []
    assert caplog.text.count("cannot be read") == 1, "said once"
    monkeypatch.undo()
    found = growing.of(RUN.stream)
    assert len(found.growing) == 1
    found.close()
