"""What comes round does so by the loop's clock, once at a time, and ends when it is told to."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta, tzinfo
from functools import partial
from time import monotonic, time
from typing import Any, Self, cast

import apscheduler.schedulers.base
import apscheduler.triggers.date
import pytest

import recorder.rounds
from recorder.errors import CatalogUnavailable
from recorder.rounds import AGAIN_S, Rounds


class MovedLoop(asyncio.SelectorEventLoop):
    """A loop whose clock stands, and is moved by hand."""

    now = 1000.0

    def time(self) -> float:
        return self.now

    async def move(self, seconds: float) -> None:
        """Let time pass, and what is due then begin."""
        self.now += seconds
        for _ in range(10):
            await asyncio.sleep(0)

    async def turn_until(self, so: Callable[[], bool]) -> None:
        """Wait for a thread, which has a minute of real time."""
        end = monotonic() + 60
        while not so():
            assert monotonic() < end
            await self.move(0)


def run(body: Callable[[MovedLoop, Rounds], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=MovedLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, MovedLoop)
        runner.run(body(loop, Rounds(loop.time)))


def _has(caplog: pytest.LogCaptureFixture, number: int) -> bool:
    return len(caplog.records) == number


def noting(seen: list[str]) -> Callable[[str], Coroutine[None, None, None]]:
    async def note(name: str) -> None:
        seen.append(name)

    return note


def test_what_is_due_together_begins_in_one_waking() -> None:
    async def body(loop: MovedLoop, rounds: Rounds) -> None:
        seen: list[str] = []
        note, wakings = noting(seen), 0
        rounds.every(2, note, "two")
        rounds.every(6, note, "six")
        rounds.every(60, note, "soon", first=4)
        look = rounds._scheduler._process_jobs

        def counted() -> float | None:
            nonlocal wakings
            wakings += 1
            return cast("float | None", look())

        rounds._scheduler._process_jobs = counted
        rounds.start()
        await loop.move(1.9)
        assert not seen
        await loop.move(0.1)
        assert seen == ["two"]
        await loop.move(2)
        await loop.move(2)
        assert sorted(seen) == ["six", "soon", "two", "two", "two"]
        assert wakings == 1 + 3, "the start, and one each"
        await rounds.stop(0)

    run(body)


def test_rounds_that_were_missed_are_not_made_up_for() -> None:
    async def body(loop: MovedLoop, rounds: Rounds) -> None:
        seen: list[str] = []
        rounds.every(2, noting(seen), "x")
        rounds.start()
        await loop.move(61)
        assert seen == ["x"]
        await loop.move(1)  # at 62, as it was counted from the start
        assert seen == ["x", "x"]
        await rounds.stop(0)

    run(body)


class SetClock(datetime):
    """The machine's clock, as somebody has set it."""

    by = timedelta()

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls.fromtimestamp(time() + cls.by.total_seconds(), tz)


@pytest.mark.parametrize(
    "by", [timedelta(hours=-1), timedelta(days=-7300), timedelta(hours=1), timedelta(days=7300)]
)
def test_what_is_planned_moves_with_the_machines_clock(
    by: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (recorder.rounds, apscheduler.schedulers.base):
        monkeypatch.setattr(module, "datetime", SetClock)

    async def body(loop: MovedLoop, rounds: Rounds) -> None:
        seen: list[str] = []
        rounds.every(2, noting(seen), "two")
        rounds.every(100, noting(seen), "hundred")
        rounds.start()
        await loop.move(2)
        assert seen == ["two"]
        with monkeypatch.context() as set_by:
            set_by.setattr(SetClock, "by", by)
            for number in (2, 3):
                await loop.move(2)
                assert seen == ["two"] * number
            for _ in range(47):
                await loop.move(2)
            assert seen.count("hundred") == 1, "and no sooner"
            await rounds.stop(0)

    run(body)


def test_a_clock_that_is_set_while_a_node_starts_puts_nothing_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (recorder.rounds, apscheduler.schedulers.base, apscheduler.triggers.date):
        monkeypatch.setattr(module, "datetime", SetClock)

    async def body(loop: MovedLoop, rounds: Rounds) -> None:
        seen: list[str] = []
        rounds.every(2, noting(seen), "two")
        rounds.once(seen.append, "once")
        monkeypatch.setattr(SetClock, "by", timedelta(hours=-1))
        rounds.start()
        await loop.turn_until(lambda: seen == ["once"])
        await loop.move(2)
        assert seen == ["once", "two"]
        await rounds.stop(0)

    run(body)


def test_a_waking_that_goes_wrong_is_not_the_last() -> None:
    async def body(loop: MovedLoop, rounds: Rounds) -> None:
        seen: list[str] = []
        told: list[object] = []
        loop.set_exception_handler(lambda _, said: told.append(said.get("exception")))
        rounds.every(2, noting(seen), "two")
        rounds.start()
        right = rounds._scheduler._process_jobs

        def wrong() -> float:
            rounds._scheduler._process_jobs = right
            raise OverflowError("a clock of the year 10000")

        rounds._scheduler._process_jobs = wrong
        await loop.move(2)
        assert seen == []
        assert [type(one) for one in told] == [OverflowError]
        await loop.move(AGAIN_S)
        assert seen == ["two"]
        await rounds.stop(0)

    run(body)


def test_a_round_that_still_runs_is_not_begun_anew() -> None:
    async def body(loop: MovedLoop, rounds: Rounds) -> None:
        seen: list[str] = []
        go_on = asyncio.Event()

        async def slow() -> None:
            seen.append("begun")
            await go_on.wait()

        rounds.every(2, slow)
        rounds.start()
        for _ in range(3):
            await loop.move(2)
        assert seen == ["begun"]
        go_on.set()
        await loop.move(0)
        await loop.move(2)
        assert seen == ["begun", "begun"]
        await rounds.stop(0)

    run(body)


@pytest.mark.parametrize("error", [CatalogUnavailable("away"), ZeroDivisionError("a mistake")])
def test_a_job_that_fails_is_logged_and_runs_again(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async def body(loop: MovedLoop, rounds: Rounds) -> None:
        seen: list[str] = []

        def fails() -> None:
            seen.append("run")
            raise error

        rounds.every_threaded(2, fails)
        rounds.start()
        await loop.move(2)
        await loop.turn_until(partial(_has, caplog, 1))
        await loop.move(2)
        await loop.turn_until(lambda: seen == ["run", "run"])
        assert {one.message for one in caplog.records} == {"job failed"}
        await rounds.stop(0)

    run(body)


def test_a_stop_waits_for_what_has_begun_but_for_what_hangs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def body(loop: MovedLoop, rounds: Rounds) -> None:
        ended: list[str] = []
        begun, hangs = threading.Semaphore(0), threading.Event()

        async def in_loop() -> None:
            await may_end.wait()
            ended.append("in the loop")

        def quick() -> None:
            begun.release()
            ending.wait()
            ended.append("quick")

        def hung() -> None:
            begun.release()
            hangs.wait()

        ending, may_end = threading.Event(), asyncio.Event()
        rounds.every(2, in_loop)
        rounds.every_threaded(2, quick)
        rounds.once(hung)
        rounds.start()
        await loop.move(2)
        for _ in range(2):
            assert await asyncio.to_thread(begun.acquire, timeout=60)
        stopping = asyncio.create_task(rounds.stop(10))
        await loop.move(0)
        assert ended == []
        may_end.set()
        await loop.move(0)
        assert ended == ["in the loop"]
        ending.set()
        await loop.turn_until(lambda: "quick" in ended)
        assert not stopping.done()
        await loop.move(10)
        await stopping
        await loop.move(100)
        assert ended == ["in the loop", "quick"]
        assert not [one for one in caplog.records if one.levelno >= logging.WARNING]
        hangs.set()

    run(body)
