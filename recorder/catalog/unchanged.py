"""What is asked again and again is read again only when something was committed since."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Generic, TypeVar

from sqlalchemy import Engine, event

from recorder.turns import OneAtATime

CONNECTION = "connection"
PATIENCE_S = 0.02
"""So long a mark waits for another, which takes 0.05 ms, and for a sign of life: what is asked
every few seconds is asked at the same moments.  A commit may hang."""
K = TypeVar("K")
T = TypeVar("T")


class Watch:
    """A connection to a SQLite file that sees whether others commit, without reading anything.

    What is written through it (:meth:`quiet`) it does not see: signs of life, states of streams
    and segments, which are most of what a catalog is told, and which nobody remembers.
    """

    def __init__(self, engine: Engine) -> None:
        """``engine``: of one connection, that is for this alone."""
        self.engine = engine
        self._turns = OneAtATime()
        self._raw: sqlite3.Connection | None = None
        event.listen(engine, "connect", self._note)
        event.listen(engine, "close", self._forget)

    def _note(self, raw: sqlite3.Connection, _: object) -> None:
        self._raw = raw

    def _forget(self, raw: sqlite3.Connection, _: object) -> None:
        if self._raw is raw:
            self._raw = None

    @contextmanager
    def quiet(self) -> Iterator[Engine]:
        """Have the connection alone, and write.

        While it reads a mark it sees the file as it was before another's commit, and SQLite
        refuses a transaction that would write on that at once (``SQLITE_BUSY_SNAPSHOT``).
        """
        with self._turns.wait(CONNECTION):
            yield self.engine

    def mark(self) -> object | None:
        """Return what is another once somebody committed; ``None`` where nobody can tell.

        Raises: what SQLAlchemy raises when there is no connection.
        Source: SQLite, ``PRAGMA data_version``: of one connection, but for its own commits.
        """
        with self._turns.now(CONNECTION, PATIENCE_S) as free:
            return self._read() if free else None

    def _read(self) -> object | None:
        raw = self._raw
        if raw is None:
            with self.engine.connect():
                raw = self._raw
        if raw is None:
            return None
        try:
            cursor = raw.execute("PRAGMA data_version")
            (version,) = cursor.fetchone()
            cursor.close()  # else it goes on reading what is old by and by
        except sqlite3.Error:
            return None
        return raw, version


class Remembered(Generic[T]):
    """An answer of the catalog, as long as it holds."""

    def __init__(self, mark: Callable[[], object | None], read: Callable[[], T]) -> None:
        self._mark, self._read = mark, read
        self._known: tuple[object, T] | None = None

    def get(self) -> T:
        """Return the answer; it is the same object until it is another."""
        mark = self._mark()  # before it is read: what is committed meanwhile counts as later
        known = self._known
        if known is not None and mark is not None and known[0] == mark:
            return known[1]
        found = self._read()
        if known is not None and known[1] == found:  # somebody wrote, but nothing of this
            found = known[1]
        if mark is not None or known is None or known[0] is None:
            self._known = (mark, found)  # else what was known holds, if nothing is committed since
        return found


class RememberedEach(Generic[K, T]):
    """Answers to a question about one thing or another; each as long as it holds."""

    def __init__(self, mark: Callable[[], object | None], read: Callable[[K], T]) -> None:
        self._mark, self._read = mark, read
        self._each: dict[K, Remembered[T]] = {}

    def get(self, name: K) -> T:
        """Return the answer about one."""
        if name not in self._each:
            self._each[name] = Remembered(self._mark, partial(self._read, name))
        return self._each[name].get()
