"""A file counts with the room it takes: nothing makes way for a hole of a terabyte."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from recorder.room import taken_bytes
from recorder.spool.disk import Spool

TERA = 1 << 40


@pytest.mark.parametrize("folder", ["sealed/a", "quarantine", "incoming", "nobody"])
def test_what_lies_in_a_spool_counts_with_the_room_it_takes(tmp_path: Path, folder: str) -> None:
    spool = Spool(tmp_path)
    where = tmp_path / folder
    where.mkdir(exist_ok=True)
    with (where / "sparse.mp4").open("wb") as file:
        file.write(b"x" * 100_000)
        file.truncate(TERA)
    (where / "plain.mp4").write_bytes(b"x" * 3_000_000)
    spool.recount()
    usage = spool.usage()  # once: what is free is another a moment later
    used = sum(usage.values()) - usage["free"]
    assert 3_000_000 <= used < 4_000_000


def test_what_a_file_system_counts_late_counts_by_its_length(tmp_path: Path) -> None:
    """As ZFS does: the blocks of what was written just now are not there yet, nor is a hole."""
    path = tmp_path / "new.mp4"
    path.write_bytes(b"x" * 3_000_000)
    facts = path.stat()
    late = os.stat_result((*facts[:10],), {"st_blocks": 1, "st_mtime_ns": facts.st_mtime_ns})
    assert (late.st_blocks, taken_bytes(path, late)) == (1, 3_000_000)
    assert taken_bytes(tmp_path / "gone.mp4", late) == 3_000_000
