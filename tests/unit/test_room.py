"""A disk has room for bytes as far as it has files left to put them into."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from recorder.spool.disk import Spool
from recorder.store.files import FileStore


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
