"""What a spool is told apart by is made once, whoever comes first."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder.errors import SpoolFull
from recorder.spool.instance import FILE, instance_of
from tests.support.disk import fill, small_disk


def test_a_spool_is_told_apart_by_what_was_written_first(tmp_path: Path) -> None:
    root = tmp_path / "spool"
    assert (instance_of(root, lambda: "a"), instance_of(root, lambda: "b")) == ("a", "a")
    assert [one.name for one in root.iterdir()] == [FILE], "nothing is left beside it"


def test_of_two_that_make_it_at_once_both_find_one(tmp_path: Path) -> None:
    def other_is_quicker() -> str:
        return "b" if instance_of(tmp_path, lambda: "a") else ""

    assert instance_of(tmp_path, other_is_quicker) == "a"


def test_an_empty_one_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / FILE).touch()
    assert instance_of(tmp_path, lambda: "a") == "a"


def test_a_disk_that_is_full_is_said_to_be(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1) as root:
        filler = fill(root)
        with pytest.raises(SpoolFull):
            instance_of(root, lambda: "a")
        filler.unlink()
        assert instance_of(root, lambda: "a") == "a"
