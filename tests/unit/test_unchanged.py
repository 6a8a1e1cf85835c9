"""What is read again only when somebody committed, and who may use that connection."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import update

from recorder.catalog import schema, unchanged
from recorder.catalog.database import Database
from recorder.catalog.readable import Unreadable
from recorder.catalog.sql import SqlCatalog
from recorder.catalog.states import SqlNodes
from recorder.catalog.unchanged import Remembered, Watch
from recorder.model.keys import StreamId
from recorder.ports import NodeBeat, StreamStatus
from tests.support.make import T0, segment


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


def test_what_was_known_holds_though_nobody_could_tell_for_a_moment() -> None:
    marks, reads = iter([1, None, 1, 2]), list[int]()
    remembered = Remembered(lambda: next(marks), lambda: reads.append(1))
    asked = [len(reads) for _ in range(4) if remembered.get() is None]
    assert asked == [1, 2, 2, 3]


def test_where_nobody_can_tell_the_same_answer_is_the_same_object() -> None:
    answers = iter(([1], [1], [2], [2]))
    remembered = Remembered(lambda: None, lambda: next(answers))
    first, second, third, fourth = (remembered.get() for _ in range(4))
    assert first is second
    assert third is fourth
    assert (first, third) == ([1], [2])


def test_segments_and_states_that_this_process_writes_have_it_read_nothing_again(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'catalog.db'}"
    ours, theirs = SqlCatalog(url), SqlCatalog(url)
    assert ours.cameras.all() == theirs.cameras.all() == []
    one = segment()
    said = StreamStatus(one.stream, "n1", "recording", "", "", "", T0, T0)
    before = ours.database.mark(), theirs.database.mark()
    ours.commits.add_segments([one], "spool:n1", T0)
    ours.commits.add_segment(one, "main", "", T0)
    ours.statuses.put([said], quiet=True)
    assert ours.database.mark() == before[0] is not None
    assert theirs.database.mark() != before[1], "another process hears of it"
    heard = ours.database.mark()
    ours.statuses.put([replace(said, stream=StreamId("below", "gate", "main"))])
    assert ours.database.mark() != heard


def test_what_is_written_quietly_is_written_as_all_else(tmp_path: Path) -> None:
    database, ours = opened(tmp_path)
    torn = Unreadable('{"torn"')
    ours.beat(NodeBeat("n1", "post", T0, {}))
    with database.write(quiet=True) as db:
        db.execute(update(schema.node).values(facts=torn))
    with database.read() as db:
        assert db.exec_driver_sql("SELECT facts FROM node").scalar_one() == torn.text


class Reading:
    """A connection in the middle of reading a mark, when another commits and is to be told."""

    def __init__(self, raw: sqlite3.Connection, theirs: SqlNodes) -> None:
        self._raw, self._theirs = raw, theirs
        self.begun, self.goes_on = threading.Event(), threading.Event()

    def execute(self, statement: str) -> sqlite3.Cursor:
        if self.begun.is_set():  # whoever comes after it, in whatever order
            return self._raw.execute(statement)
        cursor = self._raw.execute("SELECT node FROM node UNION ALL SELECT node FROM node")
        cursor.fetchone()  # the file as it is now, until it is closed
        beat(self._theirs, 7)
        self.begun.set()
        self.goes_on.wait(60)
        cursor.close()
        return self._raw.execute(statement)


def test_a_sign_of_life_is_written_while_a_mark_is_read_and_another_commits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, ours = opened(tmp_path)
    _, theirs = opened(tmp_path)
    beat(ours, 0)
    watch = cast(Watch, database._watch)
    assert database.mark() is not None
    assert watch._raw is not None
    reading = Reading(watch._raw, theirs)
    watch._raw = cast(sqlite3.Connection, reading)
    with ThreadPoolExecutor(3) as threads:
        marked = threads.submit(database.mark)
        assert reading.begun.wait(60)
        told = threads.submit(beat, ours, 9)
        assert not wait([told], 0.2).done, "it waits for its turn"
        assert database.mark() is None, "nobody can tell while another uses the connection"
        monkeypatch.setattr(unchanged, "PATIENCE_S", 60)
        waits = threads.submit(database.mark)
        assert not wait([waits], 0.2).done
        reading.goes_on.set()
        assert marked.result(60) is not None
        assert waits.result(60) is not None, "it was not for long"
        told.result(60)
    assert [one.at for one in theirs.all()] == [T0 + 9]
