"""A clock that moves only when it is told to."""

from __future__ import annotations

from recorder.model.timebase import SECOND, Instant


class FakeClock:
    """A :class:`recorder.ports.Clock`; sleeping moves it."""

    def __init__(self, now: Instant) -> None:
        self.at = now
        self.begin = now

    def now(self) -> Instant:
        return self.at

    def monotonic(self) -> float:
        return (self.at - self.begin) / SECOND

    def jitter(self) -> float:
        return 0.5

    def sleep(self, seconds: float) -> None:
        self.at += round(seconds * SECOND)
