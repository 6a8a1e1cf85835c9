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
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from typing import Any, ClassVar, Generic, TypeVar

from recorder.errors import CatalogUnavailable

A = TypeVar("A")
T = TypeVar("T")

MOST_IDLE = 4
"""So many threads wait for a job, at most; where more are needed at once, they are started."""


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


async def in_thread(name: str, work: Callable[..., T], *arguments: object) -> T:
    """Run ``work`` in a thread of its own; return what it returns, raise what it raises."""
    run, future = _told(work, arguments)
    _Worker.give(name, run)
    return await future


def _told(
    work: Callable[..., T], arguments: tuple[object, ...]
) -> tuple[Callable[[], None], asyncio.Future[T]]:
    """Make what a thread is to run, and the future that then tells the running loop."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def put(setter: Callable[[object], None], value: object) -> None:
        if not future.done():  # nobody waits any more
            setter(value)

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
    def now(self, name: str) -> Iterator[bool]:
        """Have a turn until this is left, if nobody has it: tell whether it is so."""
        with self._left:
            free = name not in self._taken
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


class Patience:
    """Asks what may hang, one question at a time, and waits no longer than ``patience_s``."""

    def __init__(self, name: str, patience_s: float) -> None:
        self.name, self.patience_s = name, patience_s
        self._asked: asyncio.Task[object] | None = None

    async def ask(self, work: Callable[..., T], *arguments: object) -> T:
        """Return what ``work`` returns.

        Raises: ``CatalogUnavailable`` when that takes too long, or an earlier question still
        waits for its answer; what ``work`` raises.
        """
        if self._asked is not None and not self._asked.done():
            raise CatalogUnavailable(f"{self.name}: the catalog has not answered yet")
        asked = asyncio.create_task(in_thread(self.name, work, *arguments))
        self._asked = asked
        asked.add_done_callback(_heard)
        done, _ = await asyncio.wait({asked}, timeout=self.patience_s)
        if not done:
            raise CatalogUnavailable(f"{self.name}: no answer within {self.patience_s:g} s")
        return asked.result()


def _heard(task: asyncio.Task[object]) -> None:
    """Take note of an answer that came too late."""
    if not task.cancelled():
        task.exception()
