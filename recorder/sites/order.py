"""Messages of the feed in the order in which they came, each child's by itself.

A child that has waited too long for an answer says it again, as things are by then.  What it
said before may still wait here, for a catalog that hangs: taken in later, it would undo the newer.
What another process of this site has taken in since is looked up in the catalog.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
from collections.abc import AsyncIterator
from concurrent.futures import Future

from recorder.errors import StateError, UnavailableError


class Order:
    """Gives turns to messages, by child: one at a time, and none after a newer one.

    Who waits keeps no thread: a child whose word hangs has one at most, however often it says it.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._newest: dict[str, int] = {}
        self._taken: set[str] = set()
        self._next: dict[str, Future[None]] = {}

    def came(self) -> int:
        """Number a message that has come in."""
        return next(self._numbers)

    @contextlib.asynccontextmanager
    async def turn(self, child: str, number: int) -> AsyncIterator[None]:
        """Wait until this message of a child is to be taken in.

        Raises: ``StateError`` when a newer one has come: its sender has given this one up.
        """
        mine = self._join(child, number)
        if mine is not None:
            try:
                await asyncio.wrap_future(mine)
            except asyncio.CancelledError:
                self._leave(child, mine)
                raise
        try:
            yield
        except BaseException:
            self._forget(child, number)  # it may be nobody's child
            raise
        finally:
            self._pass_on(child)

    def _join(self, child: str, number: int) -> Future[None] | None:
        """Take the turn, or wait for it instead of who does."""
        with self._lock:
            if number < self._newest.get(child, 0):
                raise _too_late(child)
            self._newest[child] = number
            if child not in self._taken:
                self._taken.add(child)
                return None
            before, mine = self._next.get(child), Future[None]()
            self._next[child] = mine
            if before is not None and before.set_running_or_notify_cancel():
                before.set_exception(_too_late(child))
            return mine

    def _pass_on(self, child: str) -> None:
        with self._lock:
            waits = self._next.pop(child, None)
            if waits is not None and waits.set_running_or_notify_cancel():
                waits.set_result(None)
            else:
                self._taken.discard(child)

    def _leave(self, child: str, mine: Future[None]) -> None:
        """Wait no more; a turn that has just come is passed on."""
        with self._lock:
            if self._next.get(child) is mine:
                del self._next[child]
        if not mine.cancelled() and mine.exception() is None:
            self._pass_on(child)

    def _forget(self, child: str, number: int) -> None:
        with self._lock:
            if self._newest.get(child) == number:
                del self._newest[child]


class Coming:
    """Counts the transfers that come in, by who sends them.

    One that sends nothing holds its place for two minutes: a child that does, for its line is bad
    or it means to, must not hold those of the others.
    """

    def __init__(self, most: int, of_one: int) -> None:
        self._most, self._of_one = most, of_one
        self._who: dict[object, str] = {}

    def check(self, child: str) -> None:
        """Let another one of a child come in.

        Raises: ``UnavailableError`` when there are enough, of it or altogether.
        """
        own = sum(one == child for one in self._who.values())
        if len(self._who) >= self._most or own >= self._of_one:
            raise UnavailableError(
                f"transfer: {len(self._who)} others come in already, {own} of {child or 'nobody'}"
            )

    def add(self, child: str, done: asyncio.Future[bool]) -> None:
        """Count one of a child until it is done."""
        self._who[done] = child
        done.add_done_callback(self._who.pop)


def _too_late(child: str) -> StateError:
    return StateError(f"feed: {child} has said something newer since")
