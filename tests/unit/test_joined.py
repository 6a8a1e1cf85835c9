"""An answer's head leaves with its body; deadlines that cost no timer each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from recorder.api.connections import Deadline
from recorder.api.joined import SMALL, Joined


class Line(asyncio.Transport):
    """Notes what is done to it."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[Any] = []

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        self.done.append(bytes(data))

    def close(self) -> None:
        self.done.append("closed")

    def abort(self) -> None:
        self.done.append("aborted")


def on_a_line(test: Callable[[Joined, list[Any]], None]) -> list[Any]:
    """Run something with a line; return what was done to it in that step of the loop and after."""
    line = Line()

    async def run() -> None:
        test(Joined(line, asyncio.get_running_loop()), line.done)
        line.done.append("later")
        await asyncio.sleep(0)

    asyncio.run(run())
    return line.done


def test_a_head_and_what_follows_it_at_once_are_one_write() -> None:
    def test(line: Joined, _: list[Any]) -> None:
        for head in (b"one ", b"two "):
            line.head_comes()
            line.write(head)
            line.write(b"body")
            line.write(b"more")

    assert on_a_line(test) == [b"one body", b"more", b"two body", b"more", "later"]


def test_a_head_that_nothing_follows_at_once_goes_alone() -> None:
    def test(line: Joined, _: list[Any]) -> None:
        line.head_comes()
        line.write(b"head")

    assert on_a_line(test) == ["later", b"head"]


def test_a_large_body_is_not_copied_to_join_a_head() -> None:
    body = bytes(SMALL + 1)

    def test(line: Joined, _: list[Any]) -> None:
        line.head_comes()
        line.write(b"head")
        line.write(body)

    assert on_a_line(test) == [b"head", body, "later"]


@pytest.mark.parametrize(
    ("end", "done"), [("close", [b"head", "closed", "later"]), ("abort", ["aborted", "later"])]
)
def test_a_head_that_is_kept_is_written_before_a_close_and_not_after_an_abort(
    end: str, done: list[Any]
) -> None:
    def test(line: Joined, _: list[Any]) -> None:
        line.head_comes()
        line.write(b"head")
        getattr(line, end)()

    assert on_a_line(test) == done


def test_two_heads_in_turn_stay_in_turn() -> None:
    def test(line: Joined, _: list[Any]) -> None:
        for head in (b"one", b"two"):
            line.head_comes()
            line.write(head)

    assert on_a_line(test) == [b"one", "later", b"two"]


class Loop:
    """A loop whose time is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, look: Callable[[], None]) -> Timer:
        self.timers.append(Timer(self, when, look))
        return self.timers[-1]

    def move(self, seconds: float) -> None:
        self.now += seconds
        for one in [one for one in self.timers if one.at <= self.now]:
            self.timers.remove(one)
            one.look()


class Timer:
    def __init__(self, loop: Loop, at: float, look: Callable[[], None]) -> None:
        self.loop, self.at, self.look = loop, at, look

    def when(self) -> float:
        return self.at

    def cancel(self) -> None:
        self.loop.timers.remove(self)


def begun() -> tuple[Loop, Deadline, list[str]]:
    loop = Loop()
    return loop, Deadline(loop), []  # type: ignore[arg-type]


def test_a_deadline_that_is_put_off_again_and_again_leaves_one_timer() -> None:
    loop, deadline, over = begun()
    for _ in range(100):
        deadline.set(15, lambda: over.append("kept"))
        assert len(loop.timers) == 1
        deadline.lift()
        loop.move(1)
    assert not over
    deadline.set(15, lambda: over.append("kept"))
    loop.move(14.9)
    assert not over
    loop.move(0.2)
    loop.move(15)
    assert over == ["kept"]
    assert not loop.timers


def test_a_deadline_that_is_nearer_than_the_last_is_kept() -> None:
    loop, deadline, over = begun()
    deadline.set(15, lambda: over.append("kept"))
    loop.move(1)
    deadline.set(10, lambda: over.append("head"))
    loop.move(9.9)
    assert not over
    loop.move(0.2)
    assert over == ["head"]
    loop.move(20)
    assert over == ["head"]


def test_a_deadline_that_was_lifted_or_ended_does_nothing() -> None:
    loop, deadline, over = begun()
    deadline.set(1, lambda: over.append("lifted"))
    deadline.lift()
    loop.move(2)
    deadline.set(1, lambda: over.append("ended"))
    deadline.end()
    assert not loop.timers
    loop.move(2)
    assert not over
