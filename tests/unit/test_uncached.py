"""Long files that are written past the page cache."""

from __future__ import annotations

import errno
import fcntl
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from recorder.uncached import ALIGNED, BUFFER, UncachedFile, Write


def blocks_of(rng: random.Random) -> list[bytes]:
    """Make blocks of all sizes, some longer than the buffer, some nothing."""
    sizes = (0, 1, rng.randrange(1, 5000), rng.randrange(1, BUFFER), BUFFER, BUFFER + 1, ALIGNED)
    return [rng.randbytes(rng.choice(sizes)) for _ in range(rng.randrange(12))]


def written(path: Path, blocks: list[bytes], write: Write = os.write) -> bytes:
    with UncachedFile(path, write) as file:
        for block in blocks:
            file.write(block)
        file.sync()
    return path.read_bytes()


@pytest.mark.parametrize("seed", range(12))
def test_a_file_is_what_was_written_into_it_in_blocks_of_any_size(
    tmp_path: Path, seed: int
) -> None:
    blocks = blocks_of(random.Random(seed))
    assert written(tmp_path / "file", blocks) == b"".join(blocks)


@pytest.mark.parametrize("seed", range(12))
def test_writes_that_take_a_part_only_are_gone_on_with(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    blocks = blocks_of(rng)

    def short(handle: int, view: memoryview) -> int:
        return os.write(handle, view[: rng.randrange(1, len(view) + 1)])

    assert written(tmp_path / "file", blocks, short) == b"".join(blocks)


def direct(handle: int) -> bool:
    return bool(fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_DIRECT)


def refusing(when: Callable[[int], bool], number: int, seen: list[bool]) -> Write:
    """A disk that refuses to be written to while ``when`` holds of the handle."""

    def write(handle: int, view: memoryview) -> int:
        seen.append(direct(handle))
        if when(handle):
            raise OSError(number, os.strerror(number))
        return os.write(handle, view)

    return write


def test_where_writes_past_the_cache_are_refused_the_cache_is_used(tmp_path: Path) -> None:
    blocks, seen = [os.urandom(BUFFER), os.urandom(3 * BUFFER + 17)], list[bool]()
    write = refusing(direct, errno.EINVAL, seen)
    assert written(tmp_path / "file", blocks, write) == b"".join(blocks)
    assert not any(seen[1:])


def test_a_file_system_that_cannot_open_past_its_cache_is_written_through_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = os.open

    def opening(path: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_DIRECT:
            raise OSError(errno.EINVAL, "Invalid argument")
        return really(path, flags, mode)

    monkeypatch.setattr(os, "open", opening)
    seen = list[bool]()
    body = os.urandom(BUFFER + 5)
    assert written(tmp_path / "file", [body], refusing(lambda _: False, 0, seen)) == body
    assert seen
    assert not any(seen)


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    full = refusing(lambda _: True, errno.ENOSPC, [])
    with (
        pytest.raises(OSError, match="No space left"),
        UncachedFile(tmp_path / "file", full) as file,
    ):
        file.write(bytes(BUFFER))


def test_what_was_written_is_synced_after_its_last_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, sizes = tmp_path / "file", list[int]()
    really = os.fsync

    def sync(handle: int) -> None:
        sizes.append(os.fstat(handle).st_size)
        really(handle)

    monkeypatch.setattr(os, "fsync", sync)
    written(path, [bytes(BUFFER), b"end"])
    assert sizes == [BUFFER + 3]


def test_all_but_a_files_end_is_written_past_the_cache_where_the_file_system_can(
    tmp_path: Path,
) -> None:
    try:
        os.close(os.open(tmp_path / "probe", os.O_WRONLY | os.O_CREAT | os.O_DIRECT))
        can = True
    except OSError:
        can = False
    seen = list[bool]()
    written(tmp_path / "file", [bytes(5 * BUFFER + 1)], refusing(lambda _: False, 0, seen))
    assert seen == [can] * 5 + [False]
