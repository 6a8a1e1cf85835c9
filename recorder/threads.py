"""Threads for work that may hang.

A job has a thread of its own, named after it: one that hangs keeps no other waiting, and does
not keep the process from ending.  To start a thread costs more than most jobs at rest do, so some
wait for the next job.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from typing import Any, ClassVar, Generic, TypeVar, cast

from recorder.errors import CatalogUnavailable

A = TypeVar("A")
T = TypeVar("T")

MOST_IDLE = 4
"""So many threads wait for a job, at most; where more are needed at once, they are started."""
QUICK_S = 0.005
"""A job that takes longer is waited for by no other; a timeline of an hour takes a quarter."""


class _Worker(threading.Thread):
    """Does jobs one after another, named after each; ends when enough others are idle."""

    idle: ClassVar[deque[_Worker]] = deque()

    def __init__(self, name: str, job: Callable[[], None]) -> None:
        super().__init__(name=name, daemon=True)
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._jobs.put(job)

    @classmethod
    def give(cls, name: str, job: Callable[[], None]) -> None:
        """Have a job done by a thread that has no other."""
        try:
            worker = cls.idle.pop()
        except IndexError:
            cls(name, job).start()
            return
        worker.name = name
        worker._jobs.put(job)

    def run(self) -> None:
        """Do jobs."""
        while True:
            self._jobs.get()()
            if len(self.idle) >= MOST_IDLE:
                return
            self.name = "idle"
            self.idle.append(self)


def in_thread(name: str, work: Callable[..., T], *arguments: object) -> asyncio.Future[T]:
    """Run ``work`` in a thread of its own; who awaits it gets what it returns, or raises."""
    run, future = _told(work, arguments)
    _Worker.give(name, run)
    return future


def _told(
    work: Callable[..., T], arguments: tuple[object, ...], then: Callable[[], None] | None = None
) -> tuple[Callable[[], None], asyncio.Future[T]]:
    """Make what a thread is to run, and the future that then tells the running loop.

    The loop calls ``then`` when whoever awaited the future has gone on with it.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def put(setter: Callable[[object], None], value: object) -> None:
        if not future.done():  # nobody waits any more
            setter(value)
        if then is not None:
            loop.call_soon(then)

    def run() -> None:
        try:
            result = work(*arguments)
        except BaseException as exc:  # noqa: BLE001 - it is raised where it is awaited
            told: tuple[Callable[[Any], None], object] = (future.set_exception, exc)
        else:
            told = (future.set_result, result)
        with contextlib.suppress(RuntimeError):  # the loop is closed: the process ends
            loop.call_soon_threadsafe(put, *told)

    return run, future


class Pool:
    """Some threads that share a queue of work; one is started only when none is idle.

    Few of them serve more requests than many: each waits for Python's one lock, too.
    """

    def __init__(self, name: str, size: int) -> None:
        self.name, self.size = name, size
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._free = threading.Semaphore(0)
        self._threads = 0

    async def run(self, work: Callable[..., T], *arguments: object) -> T:
        """Run ``work`` in one of the threads; return what it returns, raise what it raises."""
        run, future = _told(work, arguments)
        self._queue.put(run)
        if not self._free.acquire(blocking=False) and self._threads < self.size:
            name = f"{self.name}-{self._threads}"
            self._threads += 1
            threading.Thread(target=self._serve, name=name, daemon=True).start()
        return await future

    @property
    def waiting(self) -> int:
        """How much work no thread has begun."""
        return self._queue.qsize()

    def _serve(self) -> None:
        run: Callable[[], None] | None = self._queue.get()
        while run is not None:
            run()
            try:
                run = self._queue.get_nowait()
            except queue.Empty:
                self._free.release()
                run = self._queue.get()

    def close(self) -> None:
        """Let the threads end when they have done what waits."""
        for _ in range(self._threads):
            self._queue.put(None)


class QuickPool:
    """Does quick jobs one after another; beside one that takes long, the next ones.

    The next begins when the loop has gone on with the last one's result.  Two at once, or one
    that begins while the loop still sends, wait for each other's turn at Python's one lock so
    often that each takes half as long again (bench ``door``).
    """

    def __init__(self, name: str, most: int) -> None:
        """``most``: so many at a time, slow ones included."""
        self.name, self.most = name, most
        self._lines: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Line]
        self._lines = weakref.WeakKeyDictionary()

    async def run(self, work: Callable[..., T], *arguments: object) -> T:
        """Run ``work`` in a thread; return what it returns, raise what it raises."""
        loop = asyncio.get_running_loop()
        line = self._lines.get(loop)
        if line is None:
            line = self._lines[loop] = _Line(self.name, self.most)
        return await line.join(work, arguments)

    @property
    def waiting(self) -> int:
        """How much work no thread has begun."""
        return sum(len(line) for line in self._lines.values())


class _Line:
    """Who waits, and who is at work; of one event loop, which alone touches it."""

    def __init__(self, name: str, most: int) -> None:
        self.name, self.most = name, most
        self._waiting: deque[tuple[Callable[[], None], Callable[[], bool]]] = deque()
        """What to run, and what tells whether nobody waits for it any more."""
        self._quick: Callable[[], None] | None = None
        self._slow = 0
        self._watched = False

    def __len__(self) -> int:
        return len(self._waiting)

    def join(self, work: Callable[..., T], arguments: tuple[object, ...]) -> asyncio.Future[T]:
        """Do a job when it is its turn."""
        run, future = _told(work, arguments, lambda: self._leave(run))
        self._waiting.append((run, future.done))
        self._go_on()
        return future

    def _go_on(self) -> None:
        while self._waiting and self._waiting[0][1]():
            self._waiting.popleft()
        if self._quick is None and self._slow < self.most and self._waiting:
            self._quick, _ = self._waiting.popleft()
            _Worker.give(self.name, self._quick)
        if self._waiting and self._quick is not None and not self._watched:
            self._watched = True
            asyncio.get_running_loop().call_later(QUICK_S, self._look, self._quick)

    def _leave(self, job: Callable[[], None]) -> None:
        if job is self._quick:
            self._quick = None
        else:
            self._slow -= 1
        self._go_on()

    def _look(self, job: Callable[[], None]) -> None:
        """Let the next begin when the one that was at work still is."""
        self._watched = False
        if job is self._quick:
            self._quick = None
            self._slow += 1
        self._go_on()


class SideBySide(Generic[A, T]):
    """Asks several at once, and waits no longer than for one; each has one question at a time.

    Who hangs is asked nothing more until it has answered, whoever wants to know: it costs one
    thread, not one for each who asks.
    """

    def __init__(self, name: str, ask: Callable[[A], T]) -> None:
        """``ask`` puts the question to one, in a thread called ``name``."""
        self.name, self._ask = name, ask
        self._lock = threading.Lock()
        self._open: weakref.WeakKeyDictionary[A, Future[T]] = weakref.WeakKeyDictionary()

    def ask(self, whom: Mapping[str, A], patience_s: float) -> dict[str, T]:
        """Return the answers that came within ``patience_s``, by name; raise what asking raised."""
        asked = {name: self._asked(one) for name, one in whom.items()}
        done, _ = wait(asked.values(), patience_s)
        return {name: one.result() for name, one in asked.items() if one in done}

    def _asked(self, one: A) -> Future[T]:
        with self._lock:
            known = self._open.get(one)
            if known is not None and not known.done():
                return known
            future: Future[T] = Future()
            self._open[one] = future

        def run() -> None:
            try:
                future.set_result(self._ask(one))
            except BaseException as exc:  # noqa: BLE001 - it is raised where it is awaited
                future.set_exception(exc)

        _Worker.give(self.name, run)
        return future


class Patience:
    """Asks what may hang, one question at a time, and waits no longer than ``patience_s``."""

    def __init__(self, name: str, patience_s: float) -> None:
        self.name, self.patience_s = name, patience_s
        self._asked: asyncio.Future[object] | None = None

    async def ask(self, work: Callable[..., T], *arguments: object) -> T:
        """Return what ``work`` returns.

        Raises: ``CatalogUnavailable`` when that takes too long, or an earlier question still
        waits for its answer; what ``work`` raises.
        """
        if self._asked is not None and not self._asked.done():
            raise CatalogUnavailable(f"{self.name}: the catalog has not answered yet")
        asked = in_thread(self.name, work, *arguments)
        self._asked = cast("asyncio.Future[object]", asked)
        asked.add_done_callback(_heard)
        done, _ = await asyncio.wait({asked}, timeout=self.patience_s)
        if not done:
            raise CatalogUnavailable(f"{self.name}: no answer within {self.patience_s:g} s")
        return asked.result()


def _heard(asked: asyncio.Future[T]) -> None:
    """Take note of an answer that came too late."""
    if not asked.cancelled():
        asked.exception()
