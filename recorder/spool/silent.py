"""Whether the spool's disk answers: one that hangs (NFS without its server, a dying disk) is left.

A question to it (a name, a size, what lies in a folder) then holds its thread for as long as it
hangs.  So what was asked is noted, and while an answer is owed nobody else asks.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from recorder.errors import NoThread
from recorder.room import room_of
from recorder.threads import Pool, give

T = TypeVar("T")

SILENT_S = 5.0
"""A disk that owes somebody an answer for so long is silent."""
PATIENCE_S = 10.0
"""So long capture waits for what is written for it: as long as for its catalog."""
THREADS = 4


class Silence:
    """What one disk was asked, and has not answered."""

    def __init__(self, root: Path, now: Callable[[], float] = time.monotonic) -> None:
        self.root, self._now = root, now
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._asked: dict[int, float] = {}
        self.threads = Pool("spool", THREADS)

    @contextmanager
    def question(self) -> Iterator[None]:
        """Note a question, which a disk that is well answers at once: nothing that is synced.

        Raises: ``TimeoutError`` while others wait in vain.
        """
        self.check()
        with self.asking():
            yield

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Note the question of one who asks whatever others wait for, and never twice at once."""
        with self._lock:
            number = next(self._numbers)
            self._asked[number] = self._now()
        try:
            yield
        finally:
            with self._lock:
                del self._asked[number]

    @property
    def silent(self) -> bool:
        """Tell whether somebody waits in vain for an answer."""
        if not self._asked:
            return False
        with self._lock:
            since = next(iter(self._asked.values()), None)  # who has waited for the longest
        return since is not None and self._now() - since >= SILENT_S

    def probe(self) -> None:
        """Ask the disk something beside, unless an answer is owed: what is written asks nothing."""
        if not self._asked:
            with contextlib.suppress(NoThread):
                give("spool", self._probe)

    def _probe(self) -> None:
        with contextlib.suppress(OSError), self.asking():
            room_of(self.root)  # which no network file system answers from what it knew

    def check(self) -> None:
        """Raise ``TimeoutError``, which is an ``OSError``, while the disk is silent."""
        if self.silent:
            raise self._error()

    async def ask(self, work: Callable[..., T], *arguments: object) -> T:
        """Have a thread do something with the disk; return what ``work`` returns.

        Raises: as :meth:`within`.
        """
        loop = asyncio.get_running_loop()
        self.check()
        return await self.within(loop.run_in_executor(self.threads, work, *arguments))

    async def within(self, doing: Awaitable[T]) -> T:
        """Wait for what one of the ``threads`` does; what none has begun is called off then.

        Raises: ``TimeoutError`` where that takes too long, what it raises.
        """
        task = asyncio.ensure_future(doing)
        try:
            done, _ = await asyncio.wait({task}, timeout=PATIENCE_S)
        finally:
            task.cancel()
        if not done:
            raise self._error()
        return task.result()

    def _error(self) -> OSError:
        return OSError(errno.ETIMEDOUT, "the disk does not answer", str(self.root))
