"""Streams are looked at twice a second, all at the same instants: the loop wakes once for them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator

from recorder.capture.ending import LOOK_S


def next_look_s() -> float:
    """Return how long it is until streams are looked at again."""
    return LOOK_S - asyncio.get_running_loop().time() % LOOK_S


async def next_look() -> None:
    """Sleep until streams are looked at again."""
    await asyncio.sleep(next_look_s())


class Looks:
    """Calls all that want to look, one after the other; a task each would cost as much again."""

    def __init__(self) -> None:
        self._all: dict[object, Callable[[], None]] = {}
        self._timer: asyncio.TimerHandle | None = None

    @contextlib.contextmanager
    def calling(self, look: Callable[[], None]) -> Iterator[None]:
        """Call ``look``, which raises nothing, until this is left."""
        mark = object()
        self._all[mark] = look
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
        self._timer = None
        for look in tuple(self._all.values()):
            look()
        if self._all:
            self._plan()
