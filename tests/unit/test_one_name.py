"""Two that write what is called the same at once: one does, the other is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder.catalog.backup import write_backup
from recorder.catalog.sql import SqlCatalog
from recorder.cli.footage import _save
from recorder.durable import only_one
from recorder.errors import StateError
from recorder.export.sinks import bundle_at


@pytest.mark.parametrize("name", ["bundle", "bundle.zip"])
def test_two_bundles_of_one_name_are_not_made_at_once(tmp_path: Path, name: str) -> None:
    """They were made of each other's files, and what came out was not what was signed."""
    target = tmp_path / name
    with bundle_at(target) as sink:
        sink.put("clip.mp4", [b"one"])
        with pytest.raises(StateError, match="another process"), bundle_at(target) as other:
            other.keep(())
        sink.put("manifest.json", [b"of one"])
    assert target.exists()
    with pytest.raises(StateError, match="is there already"), bundle_at(target):
        pass
    assert [one.name for one in tmp_path.iterdir()] == [name], "nothing is left beside it"


def test_a_clip_is_not_mixed_with_another_of_its_name(tmp_path: Path) -> None:
    target = tmp_path / "clip.mp4"

    def blocks() -> list[bytes]:
        with pytest.raises(StateError, match="another process"):
            _save(target, [b"x"], 1)
        return [b"whole"]

    assert _save(target, (block for _ in [0] for block in blocks()), 5) == 5
    assert target.read_bytes() == b"whole"
    assert _save(target, [b"next"], 4) == 4, "one that is over is no other"


def test_what_a_process_that_died_left_is_nobodys(tmp_path: Path) -> None:
    part = tmp_path / "clip.mp4.part"
    part.write_bytes(b"half")
    with only_one(part):
        assert part.read_bytes() == b"half", "who goes on with it finds it"


def test_two_backups_of_one_name_are_not_written_at_once(tmp_path: Path) -> None:
    database = SqlCatalog(f"sqlite:///{tmp_path / 'catalog.db'}").database
    target = tmp_path / "backup"
    (tmp_path / ".backup.part").write_bytes(b"of one that died")
    with only_one(tmp_path / ".backup.part"), pytest.raises(StateError, match="another process"):
        write_backup(database, target)
    assert not target.exists()
    write_backup(database, target)
    assert target.stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / ".backup.part").exists()
    database.close()
