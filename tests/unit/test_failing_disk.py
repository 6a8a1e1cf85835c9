"""A disk that fails under what was recorded: nothing is forgotten, guessed or held up for it."""

from __future__ import annotations

import asyncio
import errno
import mmap
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from recorder.capture import run_seals
from recorder.capture.command import Tracks
from recorder.capture.growth import Growth
from recorder.capture.run_seals import RunSeals
from recorder.capture.sealer import READ_TRIES, Sealer
from recorder.mapped import UnreadableFile, mapped
from recorder.model.media import Segment
from recorder.spool.disk import Spool
from tests.support.clock import FakeClock
from tests.support.make import T0
from tests.support.shelf import RUN, capture, make_film

PASSING = (errno.EMFILE, errno.ENFILE, errno.ESTALE, errno.EACCES)


@pytest.fixture(scope="module")
def captured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a run with sound."""
    film = make_film(tmp_path_factory.mktemp("film"))
    folder = film.with_name("captured")
    capture(film, folder, Tracks(sounds=("copy",)))
    return folder


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a run without sound: each becomes its segment where it lies."""
    film = make_film(tmp_path_factory.mktemp("silent"))
    folder = film.with_name("captured")
    capture(film, folder, Tracks())
    return folder


class Disk:
    """What it refuses: opening files by a part of their names, for a reason."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.refused: dict[str, int] = {}
        real = Path.open

        def open_(path: Path, *how: Any, **more: Any) -> Any:
            for name, number in self.refused.items():
                if name in str(path):
                    raise OSError(number, os.strerror(number), str(path))
            return real(path, *how, **more)

        patch.setattr(Path, "open", open_)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def open_run(folder: Path, captured: Path) -> tuple[Spool, Path]:
    spool = Spool(folder / "spool")
    run = spool.open_run(RUN)
    shutil.copytree(captured, run, dirs_exist_ok=True)
    for one in spool.files(run):
        one.with_suffix(".arrivals").touch()
    return spool, run


def seal(spool: Spool, folder: Path) -> list[Segment]:
    told: list[Segment] = []
    Sealer(spool, told.append).finish_run(folder, RUN)
    return told


def adopt(spool: Spool) -> None:
    for run, folder in spool.runs():
        Sealer(spool, lambda _: None).finish_run(folder, run)


def test_a_file_that_its_disk_does_not_give_is_an_error_and_no_signal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    path.write_bytes(bytes(100_000))
    real = mmap.mmap

    def shrinks(*how: Any, **more: Any) -> mmap.mmap:
        view = real(*how, **more)
        os.truncate(path, 0)  # to read the view would end this process now
        return view

    with path.open("rb") as file, mapped(file) as view:
        assert len(view) == 100_000
    monkeypatch.setattr("recorder.mapped.mmap.mmap", shrinks)
    with path.open("rb") as file, pytest.raises(UnreadableFile) as said:
        mapped(file)
    assert said.value.errno == errno.EIO
    assert str(path) in str(said.value)


def test_where_the_kernel_cannot_say_a_file_is_read_before_it_is_mapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Old(mmap.mmap):
        def madvise(self, *_: int) -> None:
            raise OSError(errno.EINVAL, "what is that?")

    def fails(*_: object) -> int:
        raise OSError(errno.EIO, "a bad sector")

    path = tmp_path / "x"
    path.write_bytes(bytes(1 << 20))
    monkeypatch.setattr("recorder.mapped.mmap.mmap", Old)
    with path.open("rb") as file, mapped(file) as view:
        assert len(view) == 1 << 20
    monkeypatch.setattr("recorder.mapped.os.preadv", fails)
    with path.open("rb") as file, pytest.raises(UnreadableFile):
        mapped(file)


@pytest.mark.parametrize("number", PASSING)
@pytest.mark.parametrize("name", ["sound0", "span.json", "run.json", ".arrivals", "000002.mp4"])
def test_what_cannot_be_read_for_a_moment_is_not_taken_for_what_is_not_there(
    captured: Path, tmp_path: Path, disk: Disk, name: str, number: int
) -> None:
    """Sealed without its sound, at guessed times, or twice: nobody could put that right."""
    spool, folder = open_run(tmp_path / "right", captured)
    right = {one.key: one.digest for one in seal(spool, folder)}
    spool, folder = open_run(tmp_path / "failing", captured)
    first = Sealer(spool, lambda _: None).seal_file(spool.files(folder)[0], RUN)
    disk.refused = {f"/{RUN.term}.{RUN.number}/{name}" if name != ".arrivals" else name: number}
    with pytest.raises(OSError, match=os.strerror(number)):
        adopt(spool)
    disk.refused = {}
    found = {one.key: one.digest for one in [*first.segments, *seal(spool, folder)]}
    assert found == right


def test_a_small_file_that_is_damaged_for_good_holds_up_no_footage(
    captured: Path, tmp_path: Path, disk: Disk
) -> None:
    spool, folder = open_run(tmp_path, captured)
    disk.refused = {"/sound0": errno.EIO, "/run.json": errno.EIO, ".arrivals": errno.EUCLEAN}
    ((run, _),) = spool.runs()
    assert run.stream == RUN.stream
    told: list[Segment] = []
    Sealer(spool, told.append).finish_run(folder, run)
    assert len(told) >= 5


def test_a_file_that_a_disk_cannot_read_is_kept_what_it_gives_is_sealed_and_the_next_do_not_wait(
    captured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool, folder = open_run(tmp_path, captured)
    bad, told = spool.files(folder)[1], list[Segment]()
    whole, inode = bad.stat().st_size, bad.stat().st_ino
    good = whole * 2 // 3
    mapped_, blocks = mapped, spool_blocks(bad, good)

    def unreadable(file: Any) -> Any:
        if os.fstat(file.fileno()).st_ino == inode:
            raise UnreadableFile(errno.EIO, "Input/output error", str(bad))
        return mapped_(file)

    monkeypatch.setattr("recorder.spool.raw.mapped", unreadable)
    monkeypatch.setattr("recorder.spool.disk.readable_blocks", blocks)
    sealer = Sealer(spool, told.append)
    for _ in range(READ_TRIES - 1):
        with pytest.raises(UnreadableFile):
            sealer.finish_run(folder, RUN)
    assert bad.stat().st_ino == inode, "a cable may be put back"
    sealer.finish_run(folder, RUN)
    assert not folder.exists()
    aside = [one for one in (spool.root / "quarantine").iterdir() if one.stat().st_ino == inode]
    assert [one.stat().st_size for one in aside] == [whole]
    right, run = open_run(tmp_path / "right", captured)
    lost = {one.counter: one.frames for one in seal(right, run)}
    frames = {one.counter: one.frames for one in told}
    assert frames.keys() == lost.keys()
    less = [counter for counter in lost if frames[counter] < lost[counter]]
    assert len(less) == 1


def spool_blocks(bad: Path, good: int) -> Any:
    """Make what reads a file up to where its disk ends."""

    def blocks(path: Path) -> Iterator[bytes]:
        yield path.read_bytes()[: good if path == bad else None]

    return blocks


def test_what_can_be_read_is_read_up_to_the_bad_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from recorder.spool import salvaged

    body, path = os.urandom(3 * salvaged.BLOCK), tmp_path / "x"
    path.write_bytes(body)
    bad = salvaged.BLOCK + 5 * salvaged.LEAST

    class File:
        def __init__(self) -> None:
            self.place = 0

        def __enter__(self) -> File:
            return self

        def __exit__(self, *_: object) -> None: ...

        def seek(self, place: int) -> None:
            self.place = place

        def read(self, size: int) -> bytes:
            if self.place + size > bad:
                raise OSError(errno.EIO, "a bad sector")
            return body[self.place : self.place + size]

    monkeypatch.setattr(Path, "open", lambda *_, **__: File())
    assert b"".join(salvaged.readable_blocks(path)) == body[:bad]


def test_a_folder_that_could_not_be_read_once_is_sealed_from_all_the_same(
    captured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run goes on for weeks: so must the sealing of its files."""
    spool, folder = open_run(tmp_path, captured)
    real, asked, told = spool.files, [], list[Segment]()
    said, unsealed = list[str](), Mock()

    def files(of: Path) -> list[Path]:
        asked.append(of)
        said.append(unsealed())
        if len(asked) == 1:
            raise OSError(errno.EMFILE, "Too many open files", str(of))
        return real(of)

    monkeypatch.setattr(spool, "files", files)
    monkeypatch.setattr(run_seals, "AGAIN_S", 0.01)

    async def record() -> None:
        loop, two = asyncio.get_running_loop(), asyncio.Event()

        def take(segment: Segment) -> None:
            told.append(segment)
            if len(told) == 2:
                loop.call_soon_threadsafe(two.set)

        with ThreadPoolExecutor(1) as pool:
            seals = RunSeals(RUN.stream, spool, Sealer(spool, take), FakeClock(T0), pool)
            unsealed.side_effect = lambda: seals.failing
            task = asyncio.create_task(seals.as_closed(folder, RUN, Growth(folder, spool, 0)))
            waits = asyncio.create_task(two.wait())
            await asyncio.wait({task, waits}, return_when=asyncio.FIRST_COMPLETED)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            said.append(seals.failing)

    asyncio.run(asyncio.wait_for(record(), 60))
    assert len(told) >= 2
    assert [said[0], said[-1]] == ["", ""]
    assert said[1].startswith("[Errno 24] Too many open files")


def test_a_run_goes_on_while_nothing_can_be_noted_of_it(
    captured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No descriptor is left, say: ffmpeg has its own, and goes on recording."""
    spool, folder = open_run(tmp_path, captured)

    def refuse(*_: object) -> Any:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(spool, "note_arrival", refuse)
    monkeypatch.setattr(spool, "sounds", refuse)
    growth = Growth(folder, spool, 0.0)
    assert growth.look(1.0) > 0
    assert growth.footage


def test_a_run_whose_files_could_not_all_be_removed_is_closed_again(
    captured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its description nobody would know whose that is, and look after it."""
    spool, folder = open_run(tmp_path, captured)
    seal(spool, folder)
    assert not folder.exists()
    spool, folder = open_run(tmp_path, captured)
    inside = Path.iterdir
    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", lambda path: iter(sorted(inside(path))))
        patch.setattr("recorder.spool.runs.shutil.rmtree", Mock(side_effect=OSError(errno.EIO, "")))
        seal(spool, folder)
    adopt(spool)
    assert not list((spool.root / "open").iterdir())


@pytest.mark.parametrize("which", ["captured", "silent"])
@pytest.mark.parametrize("name", ["sync", "file", "beside", "sound"])
def test_what_has_its_name_is_told_though_what_came_after_that_failed(
    which: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    """Nobody else would tell of it until the next start."""
    spool, folder = open_run(tmp_path, request.getfixturevalue(which))
    told: list[Segment] = []
    sealer = Sealer(spool, told.append)
    spool.contents.recount()

    def fails(*_: object) -> None:
        raise OSError(errno.EIO, "once")

    def refuse_beside(path: Path, *, missing_ok: bool = False) -> None:
        if path.suffix == ".arrivals":
            fails()
        os.unlink(path)  # noqa: PTH108

    what = {
        "sync": ("recorder.spool.disk.sync_directory", fails),
        "file": ("recorder.spool.disk.Spool.drop", fails),
        "beside": ("recorder.spool.runs.Path.unlink", refuse_beside),
        "sound": ("recorder.capture.sealer.Sealer._drop_sound", fails),
    }[name]
    first = spool.files(folder)[0]
    with monkeypatch.context() as patch:
        patch.setattr(*what)
        with pytest.raises(OSError, match="once"):
            sealer.seal_file(first, RUN)
    sealer.finish_run(folder, RUN)
    lies = [key for key, _ in spool.keys("sealed") if not key.endswith("_end")]
    assert sorted(one.key for one in told) == sorted(lies)
    assert len(told) == 5
    assert spool.contents.recount() == {}, "and it is counted"

    key = told[0].key
    with monkeypatch.context() as patch:
        patch.setattr("recorder.spool.disk.sync_directory", fails)
        with pytest.raises(OSError, match="once"):
            spool.shipped(key)
    assert spool.contents.recount() == {}, "once, where it lies"


def test_a_file_whose_seal_failed_half_way_is_of_the_time_that_it_was(
    silent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When its last byte came is when it was written last: here that was the seal."""
    spool, folder = open_run(tmp_path / "right", silent)
    right = [one.key for one in seal(spool, folder)]
    spool, folder = open_run(tmp_path / "failing", silent)
    with monkeypatch.context() as patch:
        patch.setattr("recorder.spool.disk.os.fsync", Mock(side_effect=OSError(errno.EIO, "once")))
        patch.setattr(spool, "save_progress", Mock())
        with pytest.raises(OSError, match="once"):
            seal(spool, folder)
    assert [one.key for one in seal(spool, folder)] == right
