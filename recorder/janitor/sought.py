"""Footage that a store which was put back should have: looked for, and mended where it lacks."""

from __future__ import annotations

import logging

from recorder import telemetry
from recorder.janitor.put_back import Look, look_of, note_look
from recorder.janitor.scrub import PAGE, Pass, Scrubber
from recorder.model.media import Copy
from recorder.model.timebase import DAY
from recorder.ports import LockingStore
from recorder.store.verify import is_there

log = logging.getLogger("recorder.janitor")


class Seeker:
    """Asks for each copy that a store may have lost as it was put back."""

    def __init__(self, scrubber: Scrubber) -> None:
        """``scrubber``: what mends them."""
        self._scrubber = scrubber

    def run(self, store: LockingStore, until: float) -> None:
        """Go on with the look, where there is one, until ``until`` (monotonic).

        Raises: ``StoreUnavailable``.
        """
        catalog, clock = self._scrubber.catalog, self._scrubber.clock
        look, found = look_of(catalog.progress, store.name), Pass(clock.now())
        while look is not None and clock.monotonic() < until:
            page = catalog.planning.copies_at(store.name, look.after, PAGE)
            last = None
            for copy in page:
                if not self._seek(store, copy, look.since, found):
                    break
                last = copy.segment.id
            if last is not None:
                look = Look(look.since, last)
            elif page:
                return  # all is to end
            else:
                look = None
                log.warning("looked for all that it should have", extra={"store": store.name})
            note_look(catalog.progress, store.name, look, clock.now())
        if found.checked:
            telemetry.DAMAGED.labels(store.name).set(catalog.integrity.damaged(store.name))

    def _seek(self, store: LockingStore, copy: Copy, since: int, found: Pass) -> bool:
        """Ask for one; false when all is to end.

        What was read whole a day before is there still, whoever's clock wrote that.
        """
        living = copy.condemned_at is None and copy.damaged_at is None
        if not living or copy.verified_at < since - DAY:
            return True
        found.checked += 1
        if is_there(store, copy.segment.key) is False:
            if not self._scrubber.throttle.take(copy.segment.size_bytes):
                return False
            self._scrubber.mend(store, copy, found, "")
        return True
