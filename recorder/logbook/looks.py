"""Which looks at footage are one: a player asks hundreds of times for what a person sees once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from recorder.model.caller import Caller
from recorder.model.keys import StreamId
from recorder.model.timebase import TimeRange

SESSION_S = 600.0
"""A look that goes on is the same one; after so long a pause it is another."""
MOST = 50_000


@dataclass(slots=True)
class _Look:
    range: TimeRange
    last: float


class Looks:
    """The looks of late, by who looks at which stream in which way."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[Caller, str, StreamId], list[_Look]] = OrderedDict()

    def goes_on(
        self,
        caller: Caller,
        way: str,
        stream: StreamId,
        asked: TimeRange,
        now: float,
        *,
        live: bool = False,
        part: bool = False,
    ) -> bool:
        """Tell whether a look is part of one that has its entry.

        ``live``: its end moves on with time, so it widens the one it overlaps.  ``part``: of
        footage that was found in a playlist, so touching the one is enough.
        """
        key = (caller, way, stream)
        with self._lock:
            looks = [one for one in self._known.pop(key, ()) if now - one.last < SESSION_S]
            if looks:
                self._known[key] = looks
            for one in looks:
                if one.range == asked or ((live or part) and one.range.overlaps(asked)):
                    if live:
                        one.range = TimeRange(one.range.start, max(one.range.end, asked.end))
                    one.last = now
                    return True
            return False

    def know(
        self, caller: Caller, way: str, stream: StreamId, asked: TimeRange, now: float
    ) -> None:
        """Know a look from now on: its entry is written, so that more of it needs none."""
        with self._lock:
            self._known.setdefault((caller, way, stream), []).append(_Look(asked, now))
            while len(self._known) > MOST:
                self._known.popitem(last=False)
