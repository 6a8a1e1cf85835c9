"""A disk has room for bytes as far as it has files left to put them into."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from recorder.catalog.sql import SqlCatalog
from recorder.errors import CatalogUnavailable
from recorder.room import room_of
from recorder.spool.disk import Spool
from recorder.store.files import FileStore
from tests.support.disk import fill, small_disk


@pytest.mark.parametrize(
    ("files", "left", "free"),
    [
        (1000, 900, 600), (1000, 50, 50), (1000, 1, 1), (0, 0, 600), (1000, 1000, 600),
        (1000, 0, 600), (1000, 2**64 - 1, 600),
    ],
)  # fmt: skip
def test_a_disk_that_runs_out_of_files_has_little_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: int, left: int, free: int
) -> None:
    spool = Spool(tmp_path / "spool")
    facts = SimpleNamespace(f_frsize=1, f_blocks=1000, f_bavail=600, f_files=files, f_favail=left)
    monkeypatch.setattr(os, "statvfs", lambda _: facts)
    assert FileStore("main", tmp_path).free_bytes() == (free, 1000)
    assert spool.usage()["free"] == free


def test_a_disk_that_has_no_file_left_at_all_has_no_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 8, "nr_inodes=20") as disk:
        assert room_of(disk)[0] > 0
        with suppress(OSError):
            for number in range(20):
                (disk / str(number)).touch()
        assert room_of(disk)[0] == 0
        (disk / "0").unlink()
        assert room_of(disk)[0] > 0


def test_a_catalog_whose_disk_is_full_says_what_helps(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1) as disk:
        catalog = SqlCatalog(f"sqlite:///{disk / 'catalog.db'}")
        fill(disk)
        with pytest.raises(CatalogUnavailable) as refused:
            catalog.footage.streams()
        assert refused.value.hint.startswith("make room on the disk of ")
        catalog.close()
