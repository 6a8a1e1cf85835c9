"""Turns: what only one at a time may do, by name."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator


class OneAtATime:
    """Turns by name: who wants one that is taken waits for it, and nobody else does.

    A turn may be kept while a disk or a store answers; the lock of this is held for no longer
    than a name is looked up.
    """

    def __init__(self) -> None:
        self._left = threading.Condition()
        self._taken: set[str] = set()

    @contextlib.contextmanager
    def wait(self, name: str) -> Iterator[None]:
        """Wait for a turn, and have it until this is left."""
        with self._left:
            self._left.wait_for(lambda: name not in self._taken)
            self._taken.add(name)
        try:
            yield
        finally:
            self._leave(name)

    @contextlib.contextmanager
    def now(self, name: str, patience_s: float = 0.0) -> Iterator[bool]:
        """Have a turn until this is left, if nobody has it, or not for longer than ``patience_s``:
        tell whether it is so.
        """
        with self._left:
            free = self._left.wait_for(lambda: name not in self._taken, patience_s)
            self._taken.add(name)
        try:
            yield free
        finally:
            if free:
                self._leave(name)

    def _leave(self, name: str) -> None:
        with self._left:
            self._taken.discard(name)
            self._left.notify_all()
