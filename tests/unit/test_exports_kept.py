"""Room for bundles, and names that may not be taken."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from recorder.errors import BadDocument, RequestError, UnavailableError
from recorder.export.kept import BESIDE, Bundles
from recorder.model.holds import parse_hold
from tests.support.exporting import id_of
from tests.support.make import T0


def test_room_is_looked_at_before_anything_is_written(tmp_path: Path) -> None:
    small = Bundles(tmp_path / "small", 100 << 20, 0)
    with pytest.raises(RequestError, match=r"may have 105\.? ?"):
        small.promise(id_of(1), 50 << 20)
    small.promise(id_of(1), 10 << 20)
    with pytest.raises(UnavailableError, match="bundles take"):
        small.promise(id_of(2), 10 << 20)
    small.clear(id_of(1))
    small.promise(id_of(2), 10 << 20)
    full = Bundles(tmp_path / "full", 1 << 60, 1 << 60)
    with pytest.raises(UnavailableError, match="to spare"):
        full.promise(id_of(1), 1)


def test_room_that_others_were_promised_is_not_promised_again_and_what_lies_here_is_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    floor, one = 1 << 30, 2 * (10 << 20) + BESIDE  # what ten MiB of footage ask for
    free = [floor + 3 * one]  # for two at once: each has its zip beside it while it is made
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free[0]))
    bundles = Bundles(tmp_path, 1 << 40, floor)
    bundles.promise(id_of(1), 10 << 20)
    bundles.promise(id_of(2), 10 << 20)
    with pytest.raises(UnavailableError, match="to spare"):
        bundles.promise(id_of(3), 10 << 20)
    bundles.unpromise(id_of(2))
    part = bundles.part(id_of(1)) / "native.mp4"
    part.write_bytes(bytes(1 << 20))
    free[0] = floor + 2 * one - (1 << 20)
    bundles.promise(id_of(1), 10 << 20)  # it goes on: what it has written is of its own room
    part.unlink()
    with pytest.raises(UnavailableError, match="to spare"):
        bundles.promise(id_of(1), 10 << 20)


def test_a_name_that_leads_out_of_the_folder_is_none(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="is not a name"):
        Bundles(tmp_path, 1, 0).zip("../../etc/passwd")


def test_nobody_names_a_hold_so_that_its_record_would_be_forgotten() -> None:
    body = {"cameras": ["gate"], "start": "2026-01-05T14:00:00Z", "end": "2026-01-05T15:00:00Z",
            "case": "1", "reason": "r", "owner": "o", "id": "export-1"}  # fmt: skip
    with pytest.raises(BadDocument, match="holds of exports alone"):
        parse_hold(body, "h1", T0)


def test_every_byte_in_the_folder_of_bundles_is_counted(tmp_path: Path) -> None:
    bundles = Bundles(tmp_path, 10**9, 0)
    assert bundles.bytes_lying() == 0
    (bundles.part(id_of(1)) / "natives").mkdir()
    (bundles.part(id_of(1)) / "natives" / "a.mp4").write_bytes(b"x" * 100)
    (bundles.aside(id_of(1)) / "b.mp4").write_bytes(b"x" * 20)
    (tmp_path / f"{id_of(1)}.zip.part").write_bytes(b"x" * 3)
    (tmp_path / "somebody's").write_bytes(b"x" * 4000)
    assert bundles.bytes_lying() == 4123
    assert bundles.usage() == (0, 0), "none is whole"
