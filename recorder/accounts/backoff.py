"""Wrong passwords cost time: more each time, and never for ever.

Who tries from one address waits for that address alone, so that nobody locks another out; of all
addresses together a name is tried a few times a minute at most, and its owner gets in between.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from recorder.errors import TooMany
from recorder.limits import LimitsPart
from recorder.model.timebase import SECOND

FREE_OF_ALL, LONGEST_OF_ALL_S = 50, 10.0
"""Of one name, from wherever."""
FORGOTTEN_S = 3600.0
MOST = 10_000


@dataclass(slots=True)
class _Tries:
    count: int = 0
    until: float = 0.0
    last: float = 0.0


class Backoff:
    """Who may try again, and when; in memory, of this process."""

    def __init__(self, now: Callable[[], float], limits: LimitsPart | None = None) -> None:
        """``now``: monotonic seconds."""
        part = limits or LimitsPart()
        self._now, self._free = now, part.mistakes
        self._longest_s = part.longest_wait_ns / SECOND
        self._tries: OrderedDict[tuple[str, str], _Tries] = OrderedDict()

    def check(self, name: str, address: str) -> None:
        """Refuse who must wait.

        Raises: ``TooMany``, saying how long.
        """
        now = self._now()
        waits = [one.until - now for key in _keys(name, address) if (one := self._tries.get(key))]
        wait = max(waits, default=0.0)
        if wait > 0:
            raise TooMany(
                "there were too many wrong passwords",
                hint="wait, then try again; nobody is locked out for ever",
                retry_after_s=int(wait) + 1,
            )

    def wrong(self, name: str, address: str) -> None:
        """Note a wrong password."""
        own, all_ = _keys(name, address)
        self._again(own, self._free, self._longest_s)
        self._again(all_, FREE_OF_ALL, LONGEST_OF_ALL_S)

    def right(self, name: str, address: str) -> None:
        """Forget the mistakes of who got in."""
        own, all_ = _keys(name, address)
        self._tries.pop(own, None)
        together = self._tries.get(all_)
        if together is not None:
            together.count -= 1  # it was noted as wrong until it was right
            together.until = together.until if together.count > FREE_OF_ALL else 0.0

    def _again(self, key: tuple[str, str], free: int, longest: float) -> None:
        now, one = self._now(), self._tries.pop(key, _Tries())
        if now - one.last > FORGOTTEN_S:
            one.count = 0
        one.count, one.last = one.count + 1, now
        over = one.count - free
        one.until = now + min(longest, 2.0 ** min(over - 1, 30)) if over > 0 else 0.0
        self._tries[key] = one
        while len(self._tries) > MOST:
            self._tries.popitem(last=False)


def _keys(name: str, address: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return (name, address), (name, "")
