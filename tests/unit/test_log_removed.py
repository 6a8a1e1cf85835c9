"""A SQLite catalog whose write-ahead log somebody removes loses nothing that was committed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from recorder.catalog.sql import SqlCatalog
from recorder.errors import CatalogUnavailable
from tests.support.make import T0


def committed(file: Path, beside: Path) -> set[str]:
    """Read what a machine finds that stops now: the file, and the log that lies beside it."""
    for one in file.parent.glob(f"{file.name}*"):
        if not one.name.endswith("-shm"):
            shutil.copy(one, beside / one.name)
    catalog = SqlCatalog(f"sqlite:///{beside / file.name}")
    found = {name for name in ("one", "two", "three") if catalog.progress.of(name)}
    catalog.close()
    return found


def test_what_stands_in_a_log_that_is_removed_is_in_the_file_with_the_next_question(
    tmp_path: Path,
) -> None:
    file, beside = tmp_path / "catalog.db", tmp_path / "beside"
    beside.mkdir()
    catalog = SqlCatalog(f"sqlite:///{file}")
    catalog.progress.put("one", {"n": 1}, T0)
    assert catalog.database.mark() is not None
    file.with_name("catalog.db-wal").unlink()
    catalog.progress.put("two", {"n": 2}, T0)
    catalog.progress.put("three", {"n": 3}, T0)
    assert catalog.database.mark() is not None
    assert committed(file, beside) == {"one", "two", "three"}
    assert file.with_name("catalog.db-wal").exists()
    catalog.close()


def test_while_others_read_by_a_log_that_was_removed_nothing_new_begins(tmp_path: Path) -> None:
    file = tmp_path / "catalog.db"
    catalog = SqlCatalog(f"sqlite:///{file}")
    catalog.progress.put("one", {"n": 1}, T0)
    with catalog.database.read() as reading:
        assert reading.exec_driver_sql("SELECT count(*) FROM progress").scalar() == 1
        file.with_name("catalog.db-wal").unlink()
        with pytest.raises(CatalogUnavailable, match="log was removed"):
            catalog.progress.put("two", {"n": 2}, T0)
    catalog.progress.put("two", {"n": 2}, T0)
    assert catalog.progress.of("two")
    catalog.close()
