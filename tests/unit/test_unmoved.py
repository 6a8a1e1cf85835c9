"""A catalog whose file was taken away while it was open promises nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from recorder.catalog.sql import SqlCatalog
from recorder.errors import CatalogUnavailable
from recorder.model.keys import StreamId
from tests.support.make import T0, segment


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalog.db"


def removed(path: Path) -> None:
    path.rename(path.with_name("away"))


def replaced(path: Path) -> None:
    other = SqlCatalog(f"sqlite:///{path.with_name('other.db')}")
    other.cameras.all()
    other.close()
    removed(path)
    path.with_name("other.db").rename(path)


@pytest.mark.parametrize("how", [removed, replaced])
def test_nothing_is_read_or_written_where_the_file_is_not_the_one_that_was_opened(
    path: Path, how: Callable[[Path], None]
) -> None:
    catalog = SqlCatalog(f"sqlite:///{path}")
    catalog.commits.add_segment(segment(), "main", "", T0)
    how(path)
    with pytest.raises(CatalogUnavailable, match="its file was removed") as refused:
        catalog.commits.add_segment(segment(60), "main", "", T0)
    assert "waits in the spool" in refused.value.hint
    with pytest.raises(CatalogUnavailable, match="its file was removed"):
        catalog.footage.streams()
    with pytest.raises(CatalogUnavailable), catalog.database.snapshot():
        pass
    path.with_name("away").rename(path)
    catalog.commits.add_segment(segment(60), "main", "", T0)
    assert catalog.footage.streams() == [StreamId("north", "cam07", "main")]
    catalog.close()
