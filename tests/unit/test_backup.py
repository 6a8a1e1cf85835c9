"""A backup holds all of a catalog, is proven whole, and is put back all or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from recorder.access.approvals import Request
from recorder.access.permissions import Permission
from recorder.app import App
from recorder.catalog import schema
from recorder.catalog.backup import read_backup, write_backup
from recorder.catalog.documents import CATALOG, SITE
from recorder.catalog.sql import SqlCatalog
from recorder.cli import recorder
from recorder.config import Settings
from recorder.errors import IntegrityError, RequestError, StateError
from recorder.janitor.departed import check_stopped
from recorder.model.camera_document import parse_camera
from recorder.model.holds import Hold
from recorder.model.keys import CameraId, StreamId
from recorder.model.places import PARENT
from recorder.model.timebase import SECOND, TimeRange
from recorder.ports import Credential, NodeBeat, SiteBeat
from tests.support.keys import PassingKeys
from tests.support.make import STREAM, T0, segment

ALL = TimeRange(0, T0 + 10**18)
HOLD = Hold("h1", ("cam07",), TimeRange(T0, T0 + SECOND), "case 7", "theft", "ann", T0)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqlCatalog]:
    one = SqlCatalog(f"sqlite:///{tmp_path / 'catalog.db'}", parent=True, keys=PassingKeys())
    fill(one)
    yield one
    one.close()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[SqlCatalog]:
    one = SqlCatalog(f"sqlite:///{tmp_path / 'other.db'}", keys=PassingKeys())
    yield one
    one.close()


def fill(catalog: SqlCatalog) -> None:
    catalog.commits.add_segment(segment(), "main", "etag", T0)
    catalog.cameras.put(parse_camera("cam07", {"url": "rtsp://ann:pw@10.0.0.7/x"}), T0, None)
    catalog.holds.add(HOLD)
    catalog.documents.put("policy", {"keep": "9d"}, "ann", T0)


def rows(catalog: SqlCatalog) -> dict[str, list[tuple[Any, ...]]]:
    with catalog.database.read() as db:
        return {
            table.name: sorted((tuple(row) for row in db.execute(select(table))), key=repr)
            for table in schema.metadata.sorted_tables
        }


def test_a_backup_put_back_is_the_same_catalog(
    catalog: SqlCatalog, other: SqlCatalog, tmp_path: Path
) -> None:
    file = tmp_path / "backup"
    write_backup(catalog.database, file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert sorted(one.name for one in tmp_path.glob("*backup*")) == ["backup"], "it is one file"
    assert file.read_bytes()[18] == 1, "no file beside it is needed to read it"
    done = read_backup(file, other.database, 10)
    assert (done["segment"], done["hold"], done["camera"]) == (1, 1, 1)
    assert rows(other) == rows(catalog)
    other.commits.add_segment(segment(60, stream=STREAM), "main", "", T0)


def test_what_may_have_been_ended_since_is_not_put_back(
    catalog: SqlCatalog, other: SqlCatalog, tmp_path: Path
) -> None:
    for kind in ("session", "token", "invitation"):
        catalog.credentials.add(Credential(kind, kind, "ana", kind, T0, T0 + SECOND))
    camera, range_ = CameraId("north", "cam07"), TimeRange(T0, T0 + SECOND)
    catalog.approvals.add(
        Request("r", "user:ana", Permission.FOOTAGE_VIEW, camera, range_, "x", T0, T0 + SECOND)
    )
    write_backup(catalog.database, tmp_path / "backup")
    read_backup(tmp_path / "backup", other.database, 10)
    assert [one.kind for one in other.credentials.of()] == ["token"]
    assert other.approvals.all() == []


def test_a_catalog_put_back_is_another_for_the_sites_below(
    catalog: SqlCatalog, other: SqlCatalog, tmp_path: Path
) -> None:
    assert catalog.identities.register(CATALOG, "first") == "first"
    catalog.identities.register("main", "store-1")
    write_backup(catalog.database, tmp_path / "backup")
    read_backup(tmp_path / "backup", other.database, 10)
    assert other.identities.of(CATALOG) is None
    assert other.identities.of("main") == "store-1"


def test_a_catalog_put_back_believes_nothing_of_the_sites_above_and_tells_them_all_anew(
    catalog: SqlCatalog, other: SqlCatalog, tmp_path: Path
) -> None:
    one = segment()
    catalog.commits.add_segment(one, "../main", "", T0)
    catalog.sites.put(SiteBeat(PARENT, "centre", "", T0, {"site": "top"}))
    write_backup(catalog.database, tmp_path / "backup")
    read_backup(tmp_path / "backup", other.database, 10)
    assert [copy.place for copy in other.footage.copies([one])[one.key]] == ["main"]
    told = [(row["k"], row.get("what")) for row in other.outbox.take(100, 10)[1]]
    assert {("segment", None), ("anew", "begin"), ("anew", "end")} <= set(told)


def test_a_catalog_that_has_something_is_replaced_only_when_told_to(
    catalog: SqlCatalog, other: SqlCatalog, tmp_path: Path
) -> None:
    file = tmp_path / "backup"
    write_backup(catalog.database, file)
    other.documents.put("policy", {"keep": "1d"}, "ben", T0)
    before = rows(other)
    with pytest.raises(StateError, match="not empty"):
        read_backup(file, other.database, 10)
    assert rows(other) == before
    read_backup(file, other.database, 10, replace=True)
    assert rows(other) == rows(catalog)


def test_a_backup_of_another_site_is_refused_and_nothing_is_replaced(
    catalog: SqlCatalog, other: SqlCatalog, tmp_path: Path
) -> None:
    catalog.identities.register(SITE, "north")
    write_backup(catalog.database, tmp_path / "backup")
    other.identities.register(SITE, "south")
    other.holds.add(HOLD)
    before = rows(other)
    with pytest.raises(StateError, match="of site north, and this is site south"):
        read_backup(tmp_path / "backup", other.database, T0, replace=True)
    assert rows(other) == before


def test_what_is_no_backup_changes_nothing(other: SqlCatalog, tmp_path: Path) -> None:
    fill(other)
    before = rows(other)
    (tmp_path / "text").write_text("no backup at all" * 100)
    with pytest.raises(IntegrityError):
        read_backup(tmp_path / "text", other.database, 10, replace=True)
    (tmp_path / "empty").touch()
    with pytest.raises(RequestError, match="not a backup"):
        read_backup(tmp_path / "empty", other.database, 10, replace=True)
    assert rows(other) == before


def test_the_file_of_a_living_catalog_is_no_backup_of_it(
    catalog: SqlCatalog, other: SqlCatalog, tmp_path: Path
) -> None:
    """What was written last lies beside it, and would be lost: here all of it."""
    file, before = tmp_path / "catalog.db", rows(catalog)
    for into in (catalog, other):
        with pytest.raises(RequestError, match=r"catalog.db-wal holds what was written last"):
            read_backup(file, into.database, T0, replace=True)
    assert rows(catalog) == before
    catalog.close()
    assert read_backup(file, other.database, T0, replace=True)["segment"] == 1, "it ended cleanly"


def test_a_file_that_is_there_is_not_overwritten(catalog: SqlCatalog, tmp_path: Path) -> None:
    file = tmp_path / "backup"
    file.write_text("dear")
    with pytest.raises(RequestError, match="already"):
        write_backup(catalog.database, file)
    assert file.read_text() == "dear"


def test_a_folder_that_is_not_there_is_said(catalog: SqlCatalog, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="No such file"):
        write_backup(catalog.database, tmp_path / "none" / "backup")


def test_footage_that_is_recorded_on_after_a_catalog_was_put_back_is_its_cameras_own(
    catalog: SqlCatalog, tmp_path: Path
) -> None:
    file = tmp_path / "backup"
    second, third = (StreamId("north", camera, "main") for camera in ("cam08", "cam09"))
    write_backup(catalog.database, file)
    catalog.commits.add_segment(segment(60, stream=second), "main", "", T0)
    assert catalog.footage.segments(second, ALL) != []
    read_backup(file, catalog.database, 10, replace=True)  # as another process does
    assert catalog.footage.segments(second, ALL) == []
    catalog.commits.add_segment(segment(120, stream=third), "main", "", T0)
    catalog.commits.add_segment(segment(180, stream=second), "main", "", T0)
    for stream in (second, third):
        found = catalog.footage.segments(stream, ALL)
        assert [one.stream for one in found] == [stream]


def test_nobody_lives_by_what_a_backup_says(catalog: SqlCatalog, tmp_path: Path) -> None:
    catalog.nodes.beat(NodeBeat("n1", "north", T0, {"state": "running"}))
    with pytest.raises(StateError, match="node n1 runs by this catalog"):
        check_stopped(catalog.nodes, "north", T0)
    check_stopped(catalog.nodes, "south", T0)
    write_backup(catalog.database, tmp_path / "backup")
    read_backup(tmp_path / "backup", catalog.database, T0, replace=True)
    check_stopped(catalog.nodes, "north", T0)
    assert [one.node for one in catalog.nodes.all()] == ["n1"]


def test_a_restore_under_a_running_node_is_refused(tmp_path: Path) -> None:
    app = App(Settings(site="north", node="n1", data=tmp_path / "data"))
    write_backup(app.catalog.database, tmp_path / "backup")
    config = tmp_path / "recorder.yaml"
    config.write_text(f"{{site: north, node: n1, data: {tmp_path / 'data'}}}")
    words = ["--config", str(config), "restore", "--replace", str(tmp_path / "backup")]
    for state in ("running", "stopped"):
        app.catalog.nodes.beat(NodeBeat("n1", "north", app.clock.now(), {"state": state}))
        done = CliRunner().invoke(recorder, words)
        assert (done.exit_code == 0) == (state == "stopped"), done.output
    app.close()
