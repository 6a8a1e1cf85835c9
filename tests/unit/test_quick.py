"""What tests make quickly is what a recorder makes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from recorder.catalog.database import Database
from tests.support import quick
from tests.support.nodes import Node


def said(path: Path) -> list[str]:
    """Write a SQLite file as SQL."""
    with closing(sqlite3.connect(path)) as one:
        return list(one.iterdump())


def made(path: Path) -> list[str]:
    """Make a catalog in a file; return it as SQL."""
    one = Database(f"sqlite:///{path}")
    one.prepare()
    one.engine.dispose()
    return said(path)


def test_a_catalog_made_quickly_is_as_the_steps_make_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quickly = made(tmp_path / "quick.db")
    monkeypatch.setattr(Database, "_upgrade", quick._STEPS)
    assert quickly == made(tmp_path / "steps.db")


def test_a_catalog_that_is_there_takes_the_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = list[Database]()
    monkeypatch.setattr(quick, "_STEPS", taken.append)
    made(tmp_path / "new.db")
    assert not taken
    with closing(sqlite3.connect(tmp_path / "old.db")) as one:
        one.execute("CREATE TABLE other (x)")
    made(tmp_path / "old.db")
    assert len(taken) == 1


def test_a_forked_recorder_makes_its_catalog_as_one_that_starts_from_nothing(
    node: Node, tmp_path: Path
) -> None:
    other = Node(tmp_path / "other")
    other.env["SPANSTORE_TEST_LONG"] = "1"
    for one in (node, other):
        assert one.run("camera", "list").returncode == 0
    warm, cold = (said(next(one.folder.rglob("catalog.db"))) for one in (node, other))
    assert warm == cold
