"""Transfers that fail by themselves: each rests, longer each time, and the others go on."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any

from recorder import telemetry
from recorder.errors import BadDocument, IntegrityError, RecorderError
from recorder.model.media import SegmentId
from recorder.ports import Clock
from recorder.ship.rests import BACKOFF_S, Rests

log = logging.getLogger("recorder.sites")

MOST_IN_A_ROW = 3
"""So many in a row that fail without a fault of their own: it is not them, the round ends."""
MOST_WHY = 300


class Unsent:
    """What could not be sent, and why."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._bad = Rests[SegmentId]()
        self._perhaps = Rests[SegmentId](BACKOFF_S)
        self._why: dict[SegmentId, str] = {}
        self._in_a_row = 0

    def resting(self, name: SegmentId) -> bool:
        """Tell whether a transfer is not to be tried yet."""
        now = self._clock.monotonic()
        return self._bad.resting(name, now) or self._perhaps.resting(name, now)

    def failed(self, name: SegmentId, exc: RecorderError) -> bool:
        """Set a transfer aside; true when that is news.

        Raises: ``exc`` when others failed just before: then all would.
        """
        is_news = name not in self._why
        own_fault = isinstance(exc, (IntegrityError, BadDocument))
        rests = self._bad if own_fault else self._perhaps
        rests.begin(name, self._clock.monotonic(), self._clock.jitter())
        self._why.pop(name, None)
        self._why[name] = str(exc)
        telemetry.UNSENT.set(len(self._why))
        if is_news:
            said = {"segment": str(name), "reason": str(exc)}
            log.error("transfer set aside, the others go on", extra=said)
        if not own_fault:
            self._in_a_row += 1
            if self._in_a_row >= MOST_IN_A_ROW:
                self._in_a_row = 0
                raise exc
        return is_news

    def passed(self, name: SegmentId) -> None:
        """Note that a transfer went on, so that parent and store are there."""
        self._in_a_row = 0
        if name in self._why:
            self._forget(name)

    def keep(self, wanted: Collection[SegmentId]) -> None:
        """Forget what is not to be sent any more."""
        for name in [one for one in self._why if one not in wanted]:
            self._forget(name)

    def _forget(self, name: SegmentId) -> None:
        self._bad.forget(name)
        self._perhaps.forget(name)
        del self._why[name]
        telemetry.UNSENT.set(len(self._why))

    @property
    def facts(self) -> dict[str, Any]:
        """How many are set aside, and why the last one; empty when none is."""
        why = list(self._why.values())[-1:]
        return {"count": len(self._why), "why": why[0][:MOST_WHY]} if why else {}
