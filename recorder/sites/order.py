"""Messages of the feed in the order in which they came, each child's by itself.

A child that has waited too long for an answer says it again, as things are by then.  What it
said before may still wait here, for a catalog that hangs: taken in later, it would undo the newer.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Iterator

from recorder.errors import StateError
from recorder.turns import OneAtATime


class Order:
    """Gives turns to messages, by child: one at a time, and none after a newer one."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._newest: dict[str, int] = {}
        self._turns = OneAtATime()

    def came(self) -> int:
        """Number a message that has come in."""
        return next(self._numbers)

    @contextlib.contextmanager
    def turn(self, child: str, number: int) -> Iterator[None]:
        """Wait until this message of a child is to be taken in.

        Raises: ``StateError`` when a newer one has come: its sender has given this one up.
        """
        with self._lock:
            self._newest[child] = max(number, self._newest.get(child, 0))
        with self._turns.wait(child):
            with self._lock:
                if self._newest.get(child) != number:
                    raise StateError(f"feed: {child} has said something newer since")
            try:
                yield
            except BaseException:
                self._forget(child, number)  # it may be nobody's child
                raise

    def _forget(self, child: str, number: int) -> None:
        with self._lock:
            if self._newest.get(child) == number:
                del self._newest[child]
