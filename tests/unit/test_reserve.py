"""A SQLite catalog has room of its own on its disk: who makes room writes into it first."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from recorder.catalog import reserve
from recorder.catalog.sql import SqlCatalog
from recorder.errors import CatalogUnavailable
from recorder.room import room_of
from tests.support.disk import fill, small_disk
from tests.support.make import T0


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reserve, "PARTS", 4)
    monkeypatch.setattr(reserve, "PART_BYTES", 1 << 18)
    monkeypatch.setattr(reserve, "PLENTY", 1 << 20)


def catalog_on(disk: Path) -> SqlCatalog:
    return SqlCatalog(f"sqlite:///{disk / 'catalog.db'}")


def keep(catalog: SqlCatalog) -> int:
    assert catalog.database.reserve is not None
    catalog.database.reserve.keep_reserve()
    return catalog.database.reserve.kept_bytes()


def begun(disk: Path) -> SqlCatalog:
    """Make a catalog with a whole reserve."""
    catalog = catalog_on(disk)
    catalog.progress.put("one", {"n": 1}, T0)
    assert keep(catalog) == 4 << 18
    return catalog


def test_a_catalog_on_a_disk_that_is_full_is_opened_and_written_by_its_reserve(
    tmp_path: Path,
) -> None:
    with small_disk(tmp_path / "disk", 8) as disk:
        begun(disk).close()
        filler = fill(disk)
        catalog = catalog_on(disk)
        assert catalog.progress.of("one")
        for number in range(50):
            catalog.progress.put("two", {"n": number}, T0)
        left = keep(catalog)
        assert 0 < left < 4 << 18, "no more went than was wanted, and none is made of nothing"
        filler.unlink()
        assert keep(catalog) == 4 << 18, "it is made again when there is room"
        catalog.close()


def test_what_did_not_fit_is_written_once_the_reserve_has_made_room_for_it(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 8) as disk:
        catalog = begun(disk)
        fill(disk)
        large = {"text": "x" * (300 << 10)}  # more than a part
        for _ in range(2):
            with pytest.raises(CatalogUnavailable) as refused:
                catalog.progress.put("large", large, T0)
            assert refused.value.hint == f"make room on the disk of {disk}: it is full"
        catalog.progress.put("large", large, T0)
        catalog.close()


def test_a_disk_without_a_file_left_has_some_for_a_catalog(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 8, "nr_inodes=30") as disk:
        begun(disk).close()
        with suppress(OSError):
            for number in range(30):
                (disk / str(number)).touch()
        assert room_of(disk)[0] == 0
        catalog = catalog_on(disk)
        while True:
            try:
                catalog.progress.put("two", {"n": 2}, T0)
                break
            except CatalogUnavailable:
                assert keep(catalog), "as long as there is any"
        assert catalog.progress.of("one")
        catalog.close()


def test_a_reserve_is_for_its_owner_alone_and_only_where_there_is_plenty(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 2) as disk:
        catalog = catalog_on(disk)
        catalog.progress.put("one", {"n": 1}, T0)
        kept = keep(catalog)
        assert kept < 4 << 18, "of a small disk it takes less"
        for path in disk.glob("catalog.db-reserve-*"):
            assert path.stat().st_mode & 0o777 == 0o600
            assert path.stat().st_blocks * 512 >= 1 << 18, "it takes the room that it shows"
        catalog.close()


def test_a_part_that_was_not_written_to_its_end_is_made_again(tmp_path: Path) -> None:
    catalog = begun(tmp_path)
    torn, empty = sorted(tmp_path.glob("catalog.db-reserve-*"))[:2]
    torn.write_bytes(bytes(1000))
    empty.write_bytes(b"")
    assert keep(catalog) == 4 << 18
    catalog.close()
