"""Nothing is done faster than it may be, whoever does it."""

from __future__ import annotations

import threading

from recorder.throttle import Throttle
from tests.support.clock import FakeClock


def test_what_comes_later_waits_for_what_went_before() -> None:
    clock = FakeClock(0)
    throttle, begun = Throttle(clock, 100, clock.sleep), []
    for units in (50, 200, 1):
        throttle.take(units)
        begun.append(clock.monotonic())
    assert [one - begun[0] for one in begun] == [0, 0.5, 2.5]


def test_nothing_is_saved_up_while_nobody_asks() -> None:
    clock = FakeClock(0)
    throttle = Throttle(clock, 100, clock.sleep)
    throttle.take(100)
    clock.sleep(3600)
    begin = clock.monotonic()
    throttle.take(100)
    throttle.take(100)
    assert clock.monotonic() - begin == 1


def test_several_threads_share_one_limit() -> None:
    clock, waits = FakeClock(0), list[float]()
    throttle = Throttle(clock, 10, waits.append)
    threads = [threading.Thread(target=throttle.take, args=(5,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(waits) == [0.5 * i for i in range(8)]


def test_without_a_limit_nobody_waits_and_all_ends_at_once_when_told() -> None:
    ending, clock = threading.Event(), FakeClock(0)
    throttle, slow = Throttle(clock, 0, ending.wait), Throttle(clock, 1, ending.wait)
    assert throttle.take(10**12)
    assert slow.take(3600)
    ending.set()
    assert not slow.take(1)
    assert not throttle.take(1)
