"""Footage that something of ours reads for long: held meanwhile, by holds that follow one another.

A hold is never changed: before one ends the next is placed, then it is released.  So each is told
to sites below like any other, and one whose maker is gone ends by itself.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from recorder.errors import RecorderError
from recorder.model.holds import Hold
from recorder.model.timebase import DAY, SECOND, TimeRange, format_instant
from recorder.ports import Clock, Holds

log = logging.getLogger("recorder.janitor")

HELD_NS = DAY
"""So long footage stays held whose reader was killed."""
LOOK_S = 60.0
"""How often it is looked whether a hold is still in force."""
SWEPT_NS = 2 * DAY
"""A hold that has ended is shown for so long: sites below have heard of its end by then."""


@dataclass(frozen=True, slots=True)
class Pin:
    """What is held, and for whom; the names of its holds are ``name`` and the second of each."""

    holds: Holds
    clock: Clock
    name: str
    cameras: tuple[str, ...]
    range: TimeRange
    case: str
    reason: str
    owner: str

    def keep(self) -> str:
        """See that a hold is in force for half its time at least; say who released the last one.

        Empty when nobody did.
        """
        now, own = self.clock.now(), self._own()
        last = own[-1] if own else None
        if last is not None and last.live(now) and (last.expires or 0) - now >= HELD_NS // 2:
            return ""
        self.holds.add(self._next())
        if last is None or not last.live(now):
            return _said(last)
        self.holds.release(last.hold_id, self.owner, now)
        return ""

    def let_go(self) -> None:
        """Release what is held."""
        now = self.clock.now()
        for one in self._own():
            if one.live(now):
                self.holds.release(one.hold_id, self.owner, now)

    def _own(self) -> list[Hold]:
        own = (one for one in self.holds.all() if one.hold_id.startswith(f"{self.name}-"))
        return sorted(own, key=lambda one: (one.created, one.hold_id))

    def _next(self) -> Hold:
        now = self.clock.now()
        return Hold(
            f"{self.name}-{now // SECOND}",
            self.cameras,
            self.range,
            self.case,
            self.reason,
            self.owner,
            now,
            now + HELD_NS,
        )

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Hold while something is done here, however long it takes; then let go."""
        self.keep()
        over = threading.Event()

        def go_on() -> None:
            while not over.wait(LOOK_S):
                try:
                    said = self.keep()
                except RecorderError as exc:  # the hold goes on for hours; asked again soon
                    said = str(exc)
                if said:
                    log.warning("hold looked at", extra={"hold": self.name, "reason": said})

        threading.Thread(target=go_on, name="pin", daemon=True).start()
        try:
            yield
        finally:
            over.set()
            self.let_go()


def _said(last: Hold | None) -> str:
    if last is None or last.released is None:
        return ""
    when = format_instant(last.released, 0)
    return f"its hold {last.hold_id} was released by {last.released_by} at {when}; placed again"
