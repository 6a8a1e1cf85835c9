"""A node starts on a full disk, for nobody else makes room there."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder.errors import SpoolFull, SpoolTaken
from recorder.spool.disk import Spool
from recorder.spool.owned import LOCK, owned
from tests.support.disk import fill, small_disk


def test_a_full_spool_is_owned_and_its_next_term_is_one_that_nobody_had(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1) as disk:
        with owned(disk):
            assert Spool(disk).next_term("n1", 0.0) == 1
        (disk / LOCK).write_bytes(b"")  # as after a power cut: it has no room of its own
        filler = fill(disk)
        for term in (2, 3):
            with owned(disk):
                assert Spool(disk).next_term("n1", 0.0) == term
                with pytest.raises(SpoolTaken), owned(disk):
                    pass
        filler.unlink()
        assert Spool(disk).next_term("n1", 0.0) == 4


def test_a_disk_that_was_full_before_the_first_start_is_said_to_be(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1) as disk:
        spool = Spool(disk)
        fill(disk)
        with pytest.raises(SpoolFull):
            spool.next_term("n1", 0.0)
