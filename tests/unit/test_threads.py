"""Threads of jobs."""

from __future__ import annotations

import asyncio
import threading

import pytest

from recorder import threads
from recorder.threads import QUICK_S, QuickPool, in_thread


def test_a_job_waits_for_no_other_and_threads_are_used_again() -> None:
    async def work() -> None:
        hangs, begun = threading.Event(), threading.Event()

        def hang() -> str:
            begun.set()
            hangs.wait(60)
            return threading.current_thread().name

        hung = in_thread("hangs", hang)
        assert await in_thread("begins", begun.wait, 60)
        seen = {await in_thread("idles", threading.current_thread) for _ in range(20)}
        assert len(seen) < 20
        assert await in_thread("named", lambda: threading.current_thread().name) == "named"
        hangs.set()
        assert await hung == "hangs"

    asyncio.run(work())


def test_quick_jobs_go_one_after_another_each_when_the_last_ones_result_was_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threads, "QUICK_S", 3600)

    async def work() -> None:
        pool, begun = QuickPool("quick", 2), threading.Event()

        async def ask() -> None:
            await pool.run(begun.set)
            begun.clear()
            assert not begun.wait(0.05), "the next began while this one's answer was sent"

        await asyncio.gather(ask(), ask(), ask())

    asyncio.run(work())


def test_a_job_that_takes_long_holds_up_the_next_for_a_moment_only_and_so_many_at_most() -> None:
    async def work() -> None:
        pool, goes_on = QuickPool("quick", 2), threading.Event()
        first = asyncio.create_task(pool.run(goes_on.wait, 60))
        assert await asyncio.wait_for(pool.run(lambda: "quick"), 30) == "quick"
        second = asyncio.create_task(pool.run(goes_on.wait, 60))
        third = asyncio.create_task(pool.run(goes_on.is_set))
        await asyncio.sleep(20 * QUICK_S)
        assert not third.done(), "two hang, and two are the most"
        goes_on.set()
        assert all(await asyncio.gather(first, second, third))
        assert await asyncio.gather(*(pool.run(lambda: 1) for _ in range(4))) == [1] * 4

    asyncio.run(work())


def test_what_nobody_waits_for_any_more_is_not_begun_and_takes_no_room() -> None:
    async def work() -> None:
        pool, goes_on, done = QuickPool("quick", 1), threading.Event(), list[int]()
        hung = asyncio.create_task(pool.run(goes_on.wait, 60))
        await asyncio.sleep(0)  # it is first
        for number in range(100):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(pool.run(done.append, number), 0.001)
        assert pool.waiting <= 1
        goes_on.set()
        assert await hung
        assert await pool.run(lambda: 1) == 1
        assert not done

    asyncio.run(work())


def test_an_error_is_raised_where_it_is_awaited_and_the_next_goes_on() -> None:
    async def work() -> None:
        pool = QuickPool("quick", 1)
        with pytest.raises(ZeroDivisionError):
            await pool.run(lambda: 1 // 0)
        assert await pool.run(lambda: 1) == 1

    asyncio.run(work())
    asyncio.run(work())  # of another loop: the first one's end leaves nothing behind


def test_a_loop_that_ended_with_a_job_at_work_holds_up_no_other() -> None:
    pool, goes_on = QuickPool("quick", 1), threading.Event()

    async def left() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pool.run(goes_on.wait, 60), 0.01)

    async def work() -> None:
        assert await asyncio.wait_for(pool.run(lambda: 1), 30) == 1

    asyncio.run(left())
    asyncio.run(work())
    goes_on.set()
