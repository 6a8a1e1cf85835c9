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
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ClassVar, TypeVar

from recorder.errors import NoThread

T = TypeVar("T")

MOST_IDLE = 4
"""So many threads wait for a job, at most; where more are needed at once, they are started."""
QUICK_S = 0.005
"""A job that takes longer is waited for by no other; a timeline of an hour takes a quarter."""
HANGS_S = 5.0
"""One that takes so long hangs, perhaps: others have its place."""


def launch(thread: threading.Thread) -> None:
    """Start a thread.

    Raises: ``NoThread``: for a moment perhaps, so nothing may count on one that did not begin.
    """
    try:
        thread.start()
    except RuntimeError as exc:
        hint = "raise the limits of the service (tasks, memory)"
        raise NoThread("no thread can be begun here", hint=hint) from exc


class _Worker(threading.Thread):
    """Does jobs one after another, named after each; ends when enough others are idle."""

    idle: ClassVar[deque[_Worker]] = deque()

    def __init__(self, name: str, job: Callable[[], None]) -> None:
        super().__init__(name=name, daemon=True)
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._jobs.put(job)

    @classmethod
    def give(cls, name: str, job: Callable[[], None]) -> None:
        """Have a job done by a thread that has no other.  Raises: ``NoThread``."""
        try:
            worker = cls.idle.pop()
        except IndexError:
            launch(cls(name, job))
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
    try:
        _Worker.give(name, run)
    except NoThread as exc:
        future.set_exception(exc)
    return future


def give(name: str, job: Callable[[], None]) -> None:
    """Have something done in a thread of its own that nobody waits for.  Raises: ``NoThread``."""
    _Worker.give(name, job)


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


class Pool(Executor):
    """Some threads that share a queue of work; one is started only when none is idle.

    Few of them serve more requests than many: each waits for Python's one lock, too.  None
    keeps the process from ending.
    """

    def __init__(self, name: str, size: int) -> None:
        self.name, self.size = name, size
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._free = threading.Semaphore(0)
        self._threads = 0

    async def run(self, work: Callable[..., T], *arguments: object) -> T:
        """Run ``work`` in one of the threads; return what it returns, raise what it raises."""
        run, future = _told(work, arguments)
        self._give(run)
        return await future

    def submit(self, fn: Callable[..., T], /, *args: object, **more: object) -> Future[T]:
        """Do the same for whoever knows executors; from the event loop, as :meth:`run`."""
        future: Future[T] = Future()

        def run() -> None:
            if future.set_running_or_notify_cancel():
                settle(future, fn, *args, **more)

        self._give(run)
        return future

    def _give(self, run: Callable[[], None]) -> None:
        """Have one of the threads run it.  Raises: ``NoThread`` while there is not even one."""
        if not self._free.acquire(blocking=False) and self._threads < self.size:
            name = f"{self.name}-{self._threads}"
            try:
                launch(threading.Thread(target=self._serve, name=name, daemon=True))
            except NoThread:
                if not self._threads:
                    raise  # else those that there are do it
            else:
                self._threads += 1
        self._queue.put(run)

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
        """``most``: so many at a time, slow ones included; and as many again that hang."""
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
        self._waiting: deque[
            tuple[Callable[[], None], Callable[[], bool], Callable[[Exception], None]]
        ] = deque()
        """What to run, what tells whether nobody waits for it any more, whom to tell otherwise."""
        self._quick: Callable[[], None] | None = None
        self._slow = set[Callable[[], None]]()
        self._hung = set[Callable[[], None]]()
        self._watched = False

    def __len__(self) -> int:
        return len(self._waiting)

    def join(self, work: Callable[..., T], arguments: tuple[object, ...]) -> asyncio.Future[T]:
        """Do a job when it is its turn."""
        run, future = _told(work, arguments, lambda: self._leave(run))
        self._waiting.append((run, future.done, future.set_exception))
        self._go_on()
        return future

    def _go_on(self) -> None:
        while self._waiting and (self._waiting[0][1]() or self._has_place()):
            job, is_over, failed = self._waiting.popleft()
            if is_over():
                continue
            try:
                _Worker.give(self.name, job)
            except NoThread as exc:
                failed(exc)
            else:
                self._quick = job
        if self._waiting and self._quick is not None and not self._watched:
            self._watched = True
            asyncio.get_running_loop().call_later(QUICK_S, self._look, self._quick)

    def _has_place(self) -> bool:
        return self._quick is None and len(self._slow) < self.most

    def _leave(self, job: Callable[[], None]) -> None:
        if job is self._quick:
            self._quick = None
        self._slow.discard(job)
        self._hung.discard(job)
        self._go_on()

    def _look(self, job: Callable[[], None]) -> None:
        """Let the next begin when the one that was at work still is."""
        self._watched = False
        if job is self._quick:
            self._quick = None
            self._slow.add(job)
            asyncio.get_running_loop().call_later(HANGS_S, self._pass_by, job)
        self._go_on()

    def _pass_by(self, job: Callable[[], None]) -> None:
        if job in self._slow and len(self._hung) < self.most:
            self._slow.discard(job)
            self._hung.add(job)
            self._go_on()


def settle(future: Future[T], work: Callable[..., T], *args: object, **more: object) -> None:
    """Tell a future what ``work`` returns, or raises."""
    try:
        future.set_result(work(*args, **more))
    except BaseException as exc:  # noqa: BLE001 - it is raised where it is awaited
        future.set_exception(exc)
