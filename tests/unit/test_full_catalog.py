"""A catalog whose disk is full is told by the doctor, also from another process than the node's."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder.app import App
from recorder.config.settings import Settings
from recorder.doctor import Finding, examine, machine
from tests.support.disk import fill, small_disk


def test_a_catalog_that_takes_nothing_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "CATALOG_ROOM", 1 << 20)
    with small_disk(tmp_path / "disk", 8) as disk:
        where = f"sqlite:///{disk / 'catalog.db'}"
        app = App(Settings(site="north", node="n1", data=tmp_path / "data", catalog=where))

        def said() -> Finding:
            return next(one for one in examine(app) if one.subject == "catalog")

        assert said().level == "ok"
        filler = fill(disk)
        found = said()
        assert found.level == "bad"
        assert "full" in found.detail or "0 B left" in found.detail
        filler.unlink()
        (disk / "much").write_bytes(bytes(7 << 20))
        found = said()
        assert (found.level, "left" in found.detail) == ("bad", True), "before it takes nothing"
        (disk / "much").unlink()
        assert said().level == "ok"

        def refuse(*_: object) -> None:
            raise OSError("it is read-only")

        with monkeypatch.context() as patched:
            patched.setattr(app.catalog.progress, "put", refuse)
            assert said().level == "bad", "with room, and read-only"
        app.close()
