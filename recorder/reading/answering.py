"""Which stores answer: one that hangs is read from no more until it has answered.

Each read holds a thread as long as its store is silent, half a minute with S3; without an end to
that, who asks for what lies there keeps those waiting who ask for what lies elsewhere.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from recorder.errors import StoreUnavailable

T = TypeVar("T")

SILENT_S = 5.0
"""A store that owes somebody an answer for so long is silent."""
SLOW_S, MOST_OPEN = 1.0, 64
"""One that owes one for so long has no more questions than these: half of the threads that read
footage for clients are left for what lies elsewhere, however many ask at once."""


class Answering:
    """Reads from places; who is silent has one question at a time, until it answers."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now, self._numbers = now, itertools.count()
        self._lock = threading.Lock()
        self._asked: dict[str, dict[int, float]] = {}
        self._silent: set[str] = set()

    def read(self, place: str, begin: Callable[[], Iterator[T]]) -> Iterator[T]:
        """Yield what a place gives; ``begin`` asks it.

        Raises: ``StoreUnavailable`` at once while others wait in vain for its answer.
        """
        with self._question(place, first=True):
            blocks = begin()
            block = next(blocks, None)
        while block is not None:
            yield block
            with self._question(place, first=False):
                block = next(blocks, None)

    def ask(self, place: str, one: Callable[[], T]) -> T:
        """Return what a place gives at once, such as an open file.

        Raises: ``StoreUnavailable`` at once while others wait in vain for its answer.
        """
        with self._question(place, first=True):
            return one()

    @contextmanager
    def _question(self, place: str, *, first: bool) -> Iterator[None]:
        number, answered = self._ask(place, first=first), True
        try:
            yield
        except StoreUnavailable:
            answered = False
            raise
        finally:
            self._heard(place, number, answered=answered)

    def _ask(self, place: str, *, first: bool) -> int:
        """Note a question; what was begun is gone on with."""
        now = self._now()
        with self._lock:
            asked = self._asked.setdefault(place, {})
            owes_s = now - min(asked.values(), default=now)
            busy = owes_s >= SLOW_S and len(asked) >= MOST_OPEN
            if first and asked and (busy or place in self._silent or owes_s >= SILENT_S):
                raise StoreUnavailable(
                    f"store {place} is silent: others wait for its answer", hint="is it running?"
                )
            number = next(self._numbers)
            asked[number] = now
            return number

    def _heard(self, place: str, number: int, *, answered: bool) -> None:
        now = self._now()
        with self._lock:
            since = self._asked[place].pop(number)
            if answered:
                self._silent.discard(place)
            elif now - since >= SILENT_S:
                self._silent.add(place)
