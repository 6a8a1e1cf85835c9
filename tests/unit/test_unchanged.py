"""What is read again only when somebody committed, and who may use that connection."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import cast

from recorder.catalog.database import Database
from recorder.catalog.states import SqlNodes
from recorder.catalog.unchanged import Remembered, Watch
from recorder.ports import NodeBeat
from tests.support.make import T0


def opened(folder: Path) -> tuple[Database, SqlNodes]:
    database = Database(f"sqlite:///{folder / 'catalog.db'}")
    return database, SqlNodes(database)


def beat(nodes: SqlNodes, at: int) -> None:
    nodes.beat(NodeBeat("n1", "post", T0 + at, {}))


def test_a_mark_is_another_when_somebody_commits_but_for_our_signs_of_life(tmp_path: Path) -> None:
    database, ours = opened(tmp_path)
    _, theirs = opened(tmp_path)
    reads = list[int]()
    beat(ours, 0)
    remembered = Remembered(database.mark, lambda: reads.append(1))
    remembered.get()
    beat(ours, 1)
    remembered.get()
    assert len(reads) == 1
    beat(theirs, 2)
    remembered.get()
    ours.forget(["n1"])
    remembered.get()
    assert len(reads) == 3


class Reading:
    """A connection in the middle of reading a mark, when another commits and is to be told."""

    def __init__(self, raw: sqlite3.Connection, theirs: SqlNodes) -> None:
        self._raw, self._theirs = raw, theirs
        self.begun, self.goes_on = threading.Event(), threading.Event()

    def execute(self, statement: str) -> sqlite3.Cursor:
        cursor = self._raw.execute("SELECT node FROM node UNION ALL SELECT node FROM node")
        cursor.fetchone()  # the file as it is now, until it is closed
        beat(self._theirs, 7)
        self.begun.set()
        self.goes_on.wait(60)
        cursor.close()
        return self._raw.execute(statement)


def test_a_sign_of_life_is_written_while_a_mark_is_read_and_another_commits(
    tmp_path: Path,
) -> None:
    database, ours = opened(tmp_path)
    _, theirs = opened(tmp_path)
    beat(ours, 0)
    watch = cast(Watch, database._watch)
    assert database.mark() is not None
    assert watch._raw is not None
    reading = Reading(watch._raw, theirs)
    watch._raw = cast(sqlite3.Connection, reading)
    with ThreadPoolExecutor(2) as threads:
        marked = threads.submit(database.mark)
        assert reading.begun.wait(60)
        told = threads.submit(beat, ours, 9)
        assert not wait([told], 0.2).done, "it waits for its turn"
        assert database.mark() is None, "nobody can tell while another uses the connection"
        reading.goes_on.set()
        assert marked.result(60) is not None
        told.result(60)
    assert [one.at for one in theirs.all()] == [T0 + 9]
