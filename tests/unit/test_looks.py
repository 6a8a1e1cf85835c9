"""Streams are looked at together."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from recorder.capture import looks
from recorder.capture.looks import Looks


class One:
    """Looks in a thread, and judges in the loop."""

    def __init__(self, judge: Callable[[], None]) -> None:
        self.judge = judge

    def look(self) -> bool:
        assert threading.current_thread() is not threading.main_thread()
        return False

    def unanswered(self) -> None:
        raise AssertionError("the disk answers")


def test_all_streams_are_looked_at_by_one_waking_until_each_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(looks, "LOOK_S", 0.01)
    seen: list[str] = []
    plans, calls = list[str](), list[str]()

    class Counted(Looks):
        def _plan(self) -> None:
            plans.append("plan")
            super()._plan()

        def _call(self) -> None:
            calls.append("call")
            super()._call()

    async def run() -> None:
        both, enough = Counted(), asyncio.Event()

        def first() -> None:
            seen.append("first")
            if len(seen) >= 6:
                enough.set()

        with both.calling(One(first)):
            with both.calling(One(lambda: seen.append("second"))):
                await enough.wait()
            assert seen[:6] == ["first", "second"] * 3
            assert len(plans) <= 1 + len(calls), "one for all"
            seen.clear()
            enough.clear()
            await enough.wait()
            assert set(seen) == {"first"}
        assert both._timer is None, "nothing wakes a node without streams"
        again = asyncio.Event()
        with both.calling(One(again.set)):
            await again.wait()

    asyncio.run(asyncio.wait_for(run(), 30))


def test_what_changes_something_is_judged_before_the_next_look() -> None:
    async def run() -> None:
        judged = asyncio.Event()

        class Urgent(One):
            def look(self) -> bool:
                loop.call_soon_threadsafe(all_._timer.cancel)  # type: ignore[union-attr]
                return True

        loop, all_ = asyncio.get_running_loop(), Looks()
        with all_.calling(Urgent(judged.set)):
            await judged.wait()

    asyncio.run(asyncio.wait_for(run(), 30))
