"""Runs that nobody records any more: every one of them is sealed, in the end."""

from __future__ import annotations

import asyncio
import errno
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recorder.capture.command import Tracks
from recorder.capture.loop import CaptureLoop, _Worker
from recorder.capture.sealer import Sealer
from recorder.capture.settings import CaptureSettings
from recorder.capture.supervisor import Supervisor
from recorder.errors import SpoolFull
from recorder.model.cameras import StreamSource
from recorder.model.media import Segment
from recorder.model.runs import Run
from recorder.spool import runs
from recorder.spool.disk import Spool
from tests.support.clock import FakeClock
from tests.support.make import T0
from tests.support.ports import until
from tests.support.shelf import RUN, capture, make_film

SOURCE = StreamSource("rtsp://10.0.0.1/x")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_film(tmp_path_factory.mktemp("film"))


class SmallSpool(Spool):
    """A spool on a disk that is full until somebody frees it."""

    full = True

    def finish(self, *what: Any) -> Path:
        if self.full:
            raise SpoolFull("seal: no space left on the spool's disk")
        return super().finish(*what)


class Node:
    """A capture loop without cameras, and what it has sealed."""

    def __init__(self, folder: Path, film: Path) -> None:
        self.spool = SmallSpool(folder / "spool")
        self.folder = self.spool.open_run(RUN)
        capture(film, self.folder, Tracks())
        self.sealed: list[Segment] = []
        self.pool = ThreadPoolExecutor(1)
        settings = CaptureSettings("ffmpeg", "n1", RUN.term, stop_s=1)
        sealer = Sealer(self.spool, self.sealed.append)
        self.loop = CaptureLoop(settings, self.spool, sealer, FakeClock(T0), self.pool, "test")

    def adopt(self) -> int:
        return asyncio.run(self.loop.adopt())

    def records(self, run: Run) -> None:
        """Have a supervisor that records a run."""

        async def start() -> None:
            one = Supervisor(
                run.stream, SOURCE, self.loop.settings, self.spool, self.loop.sealer,
                self.loop.clock, self.pool, "node", lambda: run.number,
            )  # fmt: skip
            one._current = run.number
            task = asyncio.create_task(asyncio.sleep(0))
            self.loop._workers[run.stream] = _Worker(one, task, SOURCE)

        asyncio.run(start())


@pytest.fixture
def node(film: Path, tmp_path: Path) -> Iterator[Node]:
    one = Node(tmp_path, film)
    yield one
    one.pool.shutdown()


def test_what_could_not_be_sealed_for_want_of_room_is_sealed_when_there_is_some(
    node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    assert [node.adopt() for _ in range(3)] == [0, 0, 0]
    said = [one for one in caplog.records if one.message == "run not sealed yet"]
    assert len(said) == 1, "each is said once"
    assert "no space left" in said[0].__dict__["reason"]
    assert "no space left" in node.loop.unsealed()[RUN.stream]
    node.spool.full = False
    assert node.adopt() == 1
    assert node.loop.unsealed() == {}
    assert sum(one.frames for one in node.sealed) == 225
    assert node.spool.runs() == []
    assert node.adopt() == 0


@pytest.mark.parametrize("text", ["", "{", '{"stream": 1}', None])
def test_a_run_whose_description_is_torn_is_sealed_all_the_same(
    text: str | None, node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    node.spool.full = False
    described = node.folder / "run.json"
    described.unlink()
    if text is not None:
        described.write_text(text)
    node.spool.next_term("n7", 0)
    ((run, folder),) = node.spool.runs()
    assert (run.stream, run.term, run.number, run.node) == (RUN.stream, 1, 1, "n7")
    assert [one for one, _ in node.spool.runs(RUN.stream)] == [run]
    assert folder == node.folder
    assert node.adopt() == 1
    assert sum(one.frames for one in node.sealed) == 225
    assert "run without description" in caplog.text


def test_a_folder_that_is_being_made_is_no_run_yet(node: Node) -> None:
    other = replace(RUN, number=2)
    folder = node.spool.open_run(other)
    (folder / "run.json").unlink()
    assert [run.number for run, _ in node.spool.runs()] == [1]


def test_a_run_that_could_not_begin_leaves_nothing(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(runs, "write_durably", no_room)
    with pytest.raises(SpoolFull):
        node.spool.open_run(replace(RUN, number=2))
    assert list(node.folder.parent.iterdir()) == [node.folder]


def test_what_a_process_left_that_died_before_its_run_began_goes_at_the_next_start(
    node: Node,
) -> None:
    begun = node.spool.open_run(replace(RUN, number=2))
    died = node.spool.open_run(replace(RUN, number=3))
    heard = node.spool.open_run(replace(RUN, number=4))
    for folder in (died, heard):
        (folder / "run.json").unlink()
    (heard / "sound0" / "000000.mp4").write_bytes(b"x")
    node.spool.next_term("n1", 0)
    assert set(node.folder.parent.iterdir()) == {node.folder, begun, heard}


def test_a_run_that_is_recorded_is_left_alone(node: Node) -> None:
    node.spool.full = False
    node.records(RUN)
    assert node.adopt() == 0
    node.loop._workers.clear()
    assert node.adopt() == 1


def test_an_ffmpeg_whose_pid_nobody_noted_is_ended_before_its_files_are_sealed(
    node: Node,
) -> None:
    node.spool.full = False
    argv = [sys.executable, "-c", "import time; time.sleep(60)", str(node.folder / "%06d.mp4")]
    with subprocess.Popen(argv, start_new_session=True) as orphan:
        try:
            said = Path(f"/proc/{orphan.pid}/cmdline")  # empty for a moment after it has begun
            until(lambda: str(node.folder) in said.read_text(), 10, "its arguments")
            assert node.spool.runs()[0][0].pid == 0
            assert node.adopt() == 1
            assert orphan.wait(10) != 0
        finally:
            orphan.kill()


def test_a_copy_of_a_machine_writes_under_other_keys(tmp_path: Path) -> None:
    # both would begin their next run with the same number, and a camera's pictures at the same
    # instants: one object would take the other's place
    new = Spool(tmp_path / "new")
    first = new.next_term("n1", 0.5)
    copy = Spool(shutil.copytree(new.root, tmp_path / "copy"))
    terms = [spool.next_term("n1", chance) for spool, chance in ((new, 0.2), (copy, 0.9))]
    assert first == 1, "nobody has a copy of what was just made"
    assert terms == [202, 902]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"term": "x"}', None])
@pytest.mark.parametrize("left", ["open/s/c/m/7.3", "sealed/s", "cache/s"])
def test_a_node_that_lost_its_last_term_takes_none_that_it_may_have_had(
    text: str | None, left: str, tmp_path: Path
) -> None:
    spool = Spool(tmp_path)
    (tmp_path / left).mkdir(parents=True)
    if text is not None:
        (tmp_path / "node.json").write_text(text)
    had = 400_000  # a start a day for two years
    terms = [Spool(tmp_path).next_term("n1", 0.0)]
    (tmp_path / "node.json").write_text(text or "")
    terms.append(spool.next_term("n1", 0.7))
    assert min(terms) > 2 * had
    assert terms[1] - terms[0] > 2 * had, "nor two of them the same"
    assert spool.next_term("n1", 0.0) == terms[1] + 1
