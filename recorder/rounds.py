"""What is done from time to time, whatever is done to the machine's clock.

APScheduler plans by the wall clock.  Put back by an hour it would call nothing until that hour had
come again, and after a leap of a year it would go through all the rounds that were missed, one by
one, for minutes, in the event loop.  Here what is planned moves as the clock does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import TypeVar, cast

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from recorder.errors import RecorderError
from recorder.failing import Failing
from recorder.threads import in_thread

log = logging.getLogger("recorder.rounds")

STEP = timedelta(seconds=0.5)
"""By so much the machine's clock may go otherwise than time, before it counts as set."""
AGAIN_S = 1.0

T = TypeVar("T")
Work = Callable[..., Coroutine[None, None, object]]


def _wall() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the very clock that the scheduler plans by


class _Scheduler(AsyncIOScheduler):  # type: ignore[misc]  # no types
    """A scheduler whose jobs are all added in its loop, and are due by that loop's clock."""

    _last: tuple[datetime, float] | None = None
    _moving = False

    def wakeup(self) -> None:
        """Begin what is due; at once, and not through a pipe to the thread that this is."""
        if self._moving:  # each job that is moved asks for it
            return
        self._stop_timer()
        wait_s: float | None = AGAIN_S  # whatever goes wrong here, jobs are begun again
        try:
            self._follow()
            wait_s = self._process_jobs()
        finally:
            self._start_timer(wait_s)

    def _follow(self) -> None:
        """Move all that is planned as the machine's clock was moved."""
        wall, steady = _wall(), self._eventloop.time()
        last, self._last = self._last, (wall, steady)
        if last is None:
            return
        step = wall - last[0] - timedelta(seconds=steady - last[1])
        if abs(step) > STEP:
            self._moving = True
            try:
                for job in self.get_jobs():
                    job.modify(next_run_time=job.next_run_time + step)
            finally:
                self._moving = False


class Rounds:
    """Work of one event loop, each never beside itself: a round that still runs is not begun anew.

    All count from one instant: what is due together costs one waking.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        """``now``: monotonic seconds."""
        self._failing = Failing(now)
        self._scheduler = _Scheduler(
            timezone=UTC,
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        self._planned: list[tuple[float, float, tuple[object, ...]]] = []
        self._jobs: set[asyncio.Future[object]] = set()
        self._ending = False

    def every(self, seconds: float, work: Work, *arguments: object, first: float = 0) -> None:
        """Have something done every so often; ``first``: the first time after so many seconds."""
        self._plan(seconds, first or seconds, self._alone, work, *arguments)

    def every_threaded(
        self, seconds: float, work: Callable[..., object], *arguments: object, first: float = 0
    ) -> None:
        """Have something done beside the loop."""
        self._plan(seconds, first or seconds, self.threaded, work, *arguments)

    def once(self, work: Callable[..., object], *arguments: object) -> None:
        """Have something done now, beside the loop."""
        self._plan(0, 0, self.threaded, work, *arguments)

    async def threaded(self, work: Callable[..., object], *arguments: object) -> None:
        """Run a job in a thread of its own."""
        await self._job(work.__name__, in_thread(work.__name__, work, *arguments))

    def start(self) -> None:
        """Begin; to be called in the loop."""
        begun = _wall()  # no sooner: the clock may be set while a node starts, unseen
        for seconds, first, job in self._planned:
            start = begun + timedelta(seconds=first)
            when = {"trigger": "interval", "seconds": seconds, "start_date": start}
            self._scheduler.add_job(
                self._run, args=job, name=_name(job[1]), **(when if seconds else {})
            )
        self._scheduler.start()

    async def stop(self, patience_s: float) -> None:
        """Begin nothing more, and wait for what has begun; what hangs is left."""
        self._ending = True
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        if self._jobs:
            await asyncio.wait(self._jobs, timeout=patience_s)

    def _plan(self, seconds: float, first: float, *job: object) -> None:
        self._planned.append((seconds, first, job))

    async def _alone(self, work: Work, *arguments: object) -> None:
        """Run a job in the loop."""
        await self._job(_name(work), asyncio.ensure_future(work(*arguments)))

    async def _job(self, name: str, doing: asyncio.Future[T]) -> None:
        """Wait for a job; what it raises is logged, and it runs again."""
        job = cast("asyncio.Future[object]", doing)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)
        try:
            await asyncio.shield(job)  # :meth:`stop` waits for it, though nobody else does
        except (RecorderError, OSError) as exc:
            self._failing.failed(name, exc)
        else:
            self._failing.passed(name)

    async def _run(self, how: Work, work: Callable[..., object], *arguments: object) -> None:
        try:
            await how(work, *arguments)
        except asyncio.CancelledError:
            if not self._ending:  # at the end the scheduler calls off who waits for a job
                raise
        except Exception:  # it runs again, and nothing else waits for it
            log.exception("job failed", extra={"job": _name(work)})


def _name(work: object) -> str:
    return getattr(work, "__name__", str(work))
