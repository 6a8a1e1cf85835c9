"""Bytes that are lent, not read: the same bytes, from the same copies, as by reading them."""

from __future__ import annotations

import errno
import os
import random
from array import array
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import cast

import pytest

from recorder.catalog.sql import SqlCatalog
from recorder.errors import CopyMissing, StoreUnavailable
from recorder.export.virtual import VirtualFile
from recorder.model.media import Segment
from recorder.ports import ObjectStore
from recorder.reading.copies import Copies
from recorder.reading.extent import Blocks, Extent, lend, read_blocks
from recorder.spool.disk import Spool
from recorder.store.files import FileStore
from tests.support.make import T0, segment

BODY = bytes(random.Random(7).randbytes(300_000))
ONE = segment(size_bytes=len(BODY))


class Shelves:
    """A segment in a spool and in two directory stores, ``near`` and ``far``."""

    def __init__(self, folder: Path) -> None:
        self.spool = Spool(folder / "spool")
        self.catalog = SqlCatalog("sqlite://")
        self.paths = {"spool": self.spool.root / "cache" / ONE.key}
        stores: dict[str, ObjectStore] = {}
        for name in ("far", "near"):
            stores[name] = FileStore(name, folder / name)
            self.paths[name] = folder / name / ONE.key
            self.catalog.commits.add_segment(ONE, name, "", T0)
        for path in self.paths.values():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(BODY)
        self.copies = Copies(self.catalog.footage, self.spool, stores, ONE.stream.site)

    def read(self) -> Blocks:
        return self.copies.read(ONE, 0, len(BODY), ["near", "far"])


@pytest.fixture
def shelves(tmp_path: Path) -> Iterator[Shelves]:
    found = Shelves(tmp_path)
    yield found
    found.catalog.close()


def take(extent: Extent, most: int) -> bytes:
    """Take some of an extent, as the door does."""
    got = b""

    def some(at: int, end: int) -> int:
        nonlocal got
        piece = os.pread(extent.handle, min(end - at, most - len(got)), at)
        got += piece
        return len(piece)

    extent.take(some)
    return got


def test_a_virtual_file_has_the_same_bytes_lent_and_read(tmp_path: Path) -> None:
    chance = random.Random(3)
    path = tmp_path / "one"
    path.write_bytes(BODY)

    def lending(_: Segment, offset: int, length: int) -> Blocks:
        return lend(FileIO(path), offset, length, "one")

    def giving(_: Segment, offset: int, length: int) -> Blocks:
        while length > 0:
            size = min(length, chance.randrange(1, 20_000))
            yield BODY[offset : offset + size]
            offset, length = offset + size, length - size

    for _ in range(40):
        parts, offsets, lengths, at = array("q"), array("q"), array("q"), 0
        while at < 250_000:
            at += chance.choice([0, 0, 1, 700, 40_000])
            size = chance.choice([1, 900, 12_000])
            parts.append(chance.choice([0, 0, 0, 1]) if not parts else max(parts[-1], 0))
            offsets.append(at)
            lengths.append(size)
            at += size
        file = VirtualFile(b"head", [ONE, ONE], parts, offsets, lengths)
        start = chance.randrange(file.size)
        end = chance.randrange(start, file.size + 1)
        lent = b"".join(read_blocks(file.read(start, end, lending)))
        given = b"".join(read_blocks(file.read(start, end, giving)))
        assert lent == given
        assert len(lent) == end - start


@pytest.mark.parametrize("break_at", [1, 900, 40_000, 40_900, 41_800, 99_999])
def test_a_virtual_file_goes_on_where_a_copy_broke_off(shelves: Shelves, break_at: int) -> None:
    columns = [array("q", one) for one in ([0] * 120, range(0, 120_000, 1000), [900] * 120)]
    file = VirtualFile(b"", [ONE], *columns)
    whole = b"".join(BODY[at : at + 900] for at in columns[1])
    source = file.read(450, file.size, lambda one, at, length: shelves.copies.read(one, at, length))
    extent = cast(Extent, next(source))
    got = take(extent, break_at - break_at // 3) + take(extent, break_at // 3)
    extent.problem = OSError(5, "Input/output error")
    assert got + b"".join(read_blocks(source)) == whole[450:]


def test_what_lies_in_a_file_here_is_lent_not_read(shelves: Shelves) -> None:
    for name in ("spool", "near"):
        assert isinstance(next(shelves.read()), Extent)
        assert b"".join(read_blocks(shelves.read())) == BODY
        shelves.paths[name].unlink()


def test_a_file_that_is_evicted_while_it_is_read_is_read_to_its_end(shelves: Shelves) -> None:
    source = shelves.read()
    extent = cast(Extent, next(source))
    begun = take(extent, 1000)
    for path in shelves.paths.values():
        path.unlink()
    assert begun + take(extent, len(BODY)) == BODY
    assert list(source) == []


@pytest.mark.parametrize("first", ["spool", "near"])
def test_another_copy_goes_on_where_one_ends_too_soon(shelves: Shelves, first: str) -> None:
    if first == "near":
        shelves.paths["spool"].unlink()
    source = shelves.read()
    extent = cast(Extent, next(source))
    got = take(extent, 70_001)
    os.truncate(shelves.paths[first], 70_000)
    assert take(extent, len(BODY)) == b""
    assert got + b"".join(read_blocks(source)) == BODY


def test_another_copy_goes_on_where_one_cannot_be_read(shelves: Shelves) -> None:
    source = shelves.read()
    extent = cast(Extent, next(source))
    got = take(extent, 5)
    extent.problem = OSError(5, "Input/output error")
    assert got + b"".join(read_blocks(source)) == BODY


def test_a_copy_that_is_too_short_is_passed_over_before_its_first_byte(shelves: Shelves) -> None:
    for name in ("spool", "near"):
        os.truncate(shelves.paths[name], 10)
    assert len(list(read_blocks(shelves.read()))) > 1
    assert b"".join(read_blocks(shelves.read())) == BODY


def test_no_copy_left_says_what_each_lacked(shelves: Shelves) -> None:
    for name in ("spool", "near"):
        os.truncate(shelves.paths[name], 10)
    shelves.paths["far"].unlink()
    with pytest.raises(CopyMissing, match=r"shorter.*near.*shorter.*far: no such object"):
        list(shelves.read())
    source = lend(FileIO(shelves.paths["near"]), 0, 10, "x")
    cast(Extent, next(source)).problem = OSError(5, "Input/output error")
    with pytest.raises(StoreUnavailable, match="Input/output"):
        next(source)


@pytest.mark.parametrize("where", ["path_of", "open"])
def test_a_spool_whose_disk_fails_hides_no_copy_that_lies_elsewhere(
    shelves: Shelves, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def fails(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    if where == "path_of":
        monkeypatch.setattr(shelves.spool, "path_of", fails)
    else:
        path = shelves.paths["spool"]
        opens = Path.open
        monkeypatch.setattr(
            Path,
            "open",
            lambda one, *how, **more: fails() if one == path else opens(one, *how, **more),
        )
    assert b"".join(read_blocks(shelves.read())) == BODY
    ways = [way for way in shelves.copies.sources(ONE, "")]
    assert ways
    for way in ways[1 if where == "open" else 0 :]:
        assert b"".join(way()) == BODY
    if where == "open":
        with pytest.raises(StoreUnavailable, match="this node's spool: Input/output error"):
            b"".join(ways[0]())
    assert shelves.copies.far([ONE]) == {}, "no other site need be asked"
    for name in ("near", "far"):
        shelves.paths[name].unlink()
    with pytest.raises(StoreUnavailable, match="this node's spool: Input/output error"):
        b"".join(read_blocks(shelves.read()))
