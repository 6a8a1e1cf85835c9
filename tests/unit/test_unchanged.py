"""What is asked again and again is read again when it changed, and only then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, event

from recorder.catalog.begun import make_schema
from recorder.catalog.migrate import upgrade
from recorder.catalog.sql import SqlCatalog
from recorder.model.cameras import Camera, StreamSource
from recorder.model.exports import Export, ExportState
from recorder.model.timebase import SECOND
from recorder.ports import NodeBeat
from tests.contract.exports import ANA, WANTED
from tests.support.make import T0

CAMERA = Camera("gate", {"main": StreamSource("rtsp://gate/main")})
BEAT = NodeBeat("n1", "north", T0, {"state": "running"})


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqlCatalog]:
    one = SqlCatalog(f"sqlite:///{tmp_path}/catalog.db", site="north")
    one.cameras.all()
    yield one
    one.close()


def other(tmp_path: Path) -> SqlCatalog:
    """Another process's, for all that SQLite knows."""
    return SqlCatalog(f"sqlite:///{tmp_path}/catalog.db", site="north")


def reads(catalog: SqlCatalog, ask: Callable[[], object]) -> int:
    """Count the statements that a question costs."""
    said = list[str]()

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        said.append(statement)

    event.listen(catalog.database.engine, "before_cursor_execute", note)
    ask()
    event.remove(catalog.database.engine, "before_cursor_execute", note)
    return len(said)


def test_what_nobody_changed_is_not_read_again(catalog: SqlCatalog) -> None:
    exports, documents, stores = catalog.exports, catalog.documents, catalog.identities
    questions: list[Callable[[], object]] = [
        catalog.cameras.all, exports.present, exports.counts,
        lambda: documents.newest("policy"), lambda: stores.of("main"),
    ]  # fmt: skip
    for ask in questions:
        ask()
        assert reads(catalog, ask) == 0


def test_a_change_is_seen_at_once_whoever_made_it(catalog: SqlCatalog, tmp_path: Path) -> None:
    beside = other(tmp_path)
    for number, one in enumerate((beside, catalog, beside), 1):
        one.cameras.put(replace(CAMERA, name=f"cam{number}"), T0, None)
        one.documents.put("policy", {"number": number}, "me", T0)
        one.identities.register("main", str(number), replace=True)
        one.exports.add(Export(f"e{number}", ANA, WANTED, T0, T0 + SECOND))
        assert len(catalog.cameras.all()) == len(catalog.exports.present()) == number
        assert sum(catalog.exports.counts().values()) == number
        newest = catalog.documents.newest("policy")
        assert newest is not None
        assert newest.body == {"number": number}
        assert catalog.identities.of("main") == str(number)
    beside.close()


def test_what_is_committed_while_it_is_read_is_read_again(
    catalog: SqlCatalog, tmp_path: Path
) -> None:
    beside, late = other(tmp_path), [CAMERA]

    def put(*_: Any) -> None:
        if late:
            beside.cameras.put(late.pop(), T0, None)

    event.listen(catalog.database.engine, "commit", put)
    event.listen(catalog.database.engine, "rollback", put)
    beside.documents.put("policy", {}, "me", T0)  # so that it is read
    catalog.cameras.all()
    assert not late
    assert [one.name for one in catalog.cameras.all()] == ["gate"]
    beside.close()


def test_a_sign_of_life_is_told_to_others_and_makes_its_own_node_read_nothing(
    catalog: SqlCatalog, tmp_path: Path
) -> None:
    beside = other(tmp_path)
    for one in (catalog, beside) * 2:
        one.cameras.all()
    catalog.nodes.beat(BEAT)
    catalog.leases.take("n1", ["janitor"], [], T0, T0 + SECOND)
    assert reads(catalog, catalog.cameras.all) == 0
    assert reads(beside, beside.cameras.all) > 0, "to it, it is as any other"
    assert [one.node for one in beside.nodes.all()] == ["n1"]
    later = replace(BEAT, at=T0 + 1)
    catalog.nodes.beat(later)
    assert beside.nodes.all() == catalog.nodes.all() == [later], "who lives is never remembered"
    beside.close()


def test_an_export_that_is_over_is_present_no_more(catalog: SqlCatalog) -> None:
    one = Export("e1", ANA, WANTED, T0, T0 + SECOND)
    catalog.exports.add(one)
    assert catalog.exports.present() == [one]
    catalog.exports.change(one.ends(ExportState.FAILED, T0), one)
    assert catalog.exports.present() == []


def _shape(path: Path, make: Callable[[Any], None]) -> dict[tuple[str, str], object]:
    """Return what a database is made of; the order of columns means nothing."""
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as db:
        make(db)
        ask = db.exec_driver_sql
        found: dict[tuple[str, str], object] = {}
        for kind, name, text in ask("SELECT type, name, sql FROM sqlite_master").all():
            if kind == "table":
                columns = {tuple(row)[1:] for row in ask(f'PRAGMA table_info("{name}")')}
                keys = {tuple(row)[2:] for row in ask(f'PRAGMA foreign_key_list("{name}")')}
                words = ("WITHOUT ROWID", "CHECK", "UNIQUE", "AUTOINCREMENT")
                found[kind, name] = (columns, keys, [word in text for word in words])
            else:
                found[kind, name] = " ".join(str(text).split())
        found["row", "version"] = ask("SELECT version_num FROM alembic_version").all()
    engine.dispose()
    return found


def test_a_catalog_that_begins_is_what_the_steps_lead_to(tmp_path: Path) -> None:
    begun, stepped = _shape(tmp_path / "a", make_schema), _shape(tmp_path / "b", upgrade)
    assert len(begun) > 60
    assert begun == stepped


def test_what_is_read_again_and_says_the_same_is_the_same_object(
    catalog: SqlCatalog, tmp_path: Path
) -> None:
    catalog.cameras.put(CAMERA, T0, None)
    kept = catalog.kept.take()
    beside = other(tmp_path)
    beside.progress.put("anything", {"at": 1}, T0)
    assert reads(catalog, catalog.kept.take) > 0
    assert catalog.kept.take() is kept
    beside.cameras.put(replace(CAMERA, name="yard"), T0, None)
    assert catalog.kept.take() != kept
    beside.close()
