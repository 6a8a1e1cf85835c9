"""Files that are written once: whole, by whoever comes first, for their owner alone."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier, BrokenBarrierError

import pytest

from recorder.durable import make_once


@pytest.mark.parametrize("number", [0, errno.EPERM, errno.ENOTSUP, errno.ENOSYS])
def test_of_those_who_write_a_file_at_once_one_wins_and_nothing_else_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    if number:
        monkeypatch.setattr(os, "link", no_links)
    path, together = tmp_path / "key", Barrier(8)

    def write(number: int) -> bytes:
        together.wait(10)
        make_once(path, b"%d\n" % number * 1000)
        return path.read_bytes()

    with ThreadPoolExecutor(8) as pool:
        seen = set(pool.map(write, range(8)))
    assert len(seen) == 1
    assert len(set(seen.pop().split())) == 1
    assert path.stat().st_mode & 0o077 == 0
    assert [one.name for one in tmp_path.iterdir()] == ["key"]


def test_what_a_crash_left_beside_a_file_stands_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / f".key.{os.getpid()}").write_text("half")
    make_once(tmp_path / "key", b"whole")
    assert (tmp_path / "key").read_bytes() == b"whole"


def test_a_file_that_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        make_once(tmp_path / "key", b"whole")
    assert list(tmp_path.iterdir()) == []


def test_without_hard_links_nobody_looks_while_another_gives_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    met, right, both = Barrier(2), Path.exists, list[Path]()

    def slowly(path: Path) -> bool:
        there = right(path)
        with suppress(BrokenBarrierError):  # with a lock nobody else comes
            met.wait(0.2)
            both.append(path)
        return there

    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    monkeypatch.setattr(Path, "exists", slowly)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda number: make_once(tmp_path / "key", b"%d" % number), range(2)))
    assert both == []
