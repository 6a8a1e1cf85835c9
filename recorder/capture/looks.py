"""Streams are looked at twice a second, all at the same instants: the loop wakes once for them.

The disk is asked in a thread, for it may hang; it is not asked again before it has answered.  To
be told by it would wake the loop once more: most of what it says is taken in at the next look.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Protocol

from recorder.capture.ending import LOOK_S
from recorder.errors import NoThread
from recorder.spool.silent import SILENT_S
from recorder.threads import give

log = logging.getLogger("recorder.capture")


class Looking(Protocol):
    """One that wants to look."""

    def look(self) -> bool:
        """Ask the disk, in a thread; tell whether to judge at once, not when looked next."""

    def judge(self) -> None:
        """Say what follows from the last looks; in the event loop."""

    def unanswered(self) -> None:
        """Say that the disk does not answer; in the event loop, once for each time it would have
        been looked.
        """


def next_look_s() -> float:
    """Return how long it is until streams are looked at again."""
    return LOOK_S - asyncio.get_running_loop().time() % LOOK_S


async def next_look() -> None:
    """Sleep until streams are looked at again."""
    await asyncio.sleep(next_look_s())


class Looks:
    """Calls all that want to look, one after the other; a task each would cost as much again."""

    def __init__(
        self, asking: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext
    ) -> None:
        """``asking`` is entered while the disk is asked."""
        self._asking = asking
        self._all: dict[object, Looking] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._looking = self._seen = False
        """Whether the disk is being asked; whether it has said something that is not judged."""
        self._since_s = 0.0

    @contextlib.contextmanager
    def calling(self, one: Looking) -> Iterator[None]:
        """Have one look, and judge, until this is left."""
        mark = object()
        self._all[mark] = one
        if self._timer is None:
            self._plan()
        try:
            yield
        finally:
            del self._all[mark]
            if not self._all and self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _plan(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(next_look_s(), self._call)

    def _call(self) -> None:
        self._timer, loop = None, asyncio.get_running_loop()
        now_s, all_ = loop.time(), tuple(self._all.values())
        try:
            if self._looking and now_s - self._since_s >= SILENT_S:
                for one in all_:
                    one.unanswered()
            elif not self._looking:
                self._judge()
        finally:  # whatever goes wrong once, for want of memory say
            if self._all and self._timer is None:
                self._plan()
        if self._all and not self._looking:  # at last: who wakes meanwhile waits for Python's lock
            self._looking, self._since_s = True, now_s
            try:
                give("looks", partial(self._look, loop, all_))
            except NoThread:  # the next time, then
                self._looking = False

    def _look(self, loop: asyncio.AbstractEventLoop, all_: tuple[Looking, ...]) -> None:
        urgent = False
        try:
            with self._asking():
                for one in all_:
                    try:
                        urgent = one.look() or urgent
                    except Exception:  # the others are looked at all the same
                        log.exception("not looked at")
        finally:
            self._looking, self._seen = False, True
        if urgent:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the process ends
                loop.call_soon_threadsafe(self._judge)

    def _judge(self) -> None:
        if self._seen:
            self._seen = False
            for one in tuple(self._all.values()):
                one.judge()
