"""A rebuild beside a node that records leaves it room."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder.errors import SpoolFull
from recorder.janitor.foreign import read_foreign
from recorder.model.keys import parse_key
from tests.support.make import T0
from tests.unit.test_rebuild import KEY, film, foreign

__all__ = ["film"]


def test_an_object_that_would_fill_the_disk_beside_who_records_there_is_not_fetched(
    film: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts, (store, info) = parse_key(KEY), foreign(film, 1 << 20)
    assert parts is not None
    free = 2 * info.size - 1
    monkeypatch.setattr("recorder.janitor.foreign.room_of", lambda _: (free, free))
    with pytest.raises(SpoolFull, match="bytes to be fetched"):
        read_foreign(store, info, parts, "north", T0, tmp_path)
    assert store.given == 0
    free += 1
    read_foreign(store, info, parts, "north", T0, tmp_path)
