"""Scrub: read every copy again within a set time, prove its digest, repair what differs.

A pass walks a store's copies in the order of the catalog and remembers where it is, so it may
be stopped anywhere.  What is damaged or gone is written again from another copy (spool,
another store, another site) and said in the audit log.  What nobody has any more is suspected,
asked for again for hours, and then becomes a gap: a few a day, the rest waits for a person.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from recorder import telemetry
from recorder.errors import IntegrityError, StoreRefused, StoreUnavailable
from recorder.janitor.doubted import doubt_spools
from recorder.janitor.missed import Missed
from recorder.janitor.told import entry_of
from recorder.janitor.worker import CachedFiles, WorkCatalog, Worker, drop_altered, put_again
from recorder.model.causes import Cause
from recorder.model.keys import StreamId
from recorder.model.media import Copy, SegmentId
from recorder.model.timebase import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    Instant,
    format_duration,
    format_instant,
)
from recorder.ports import Clock, LockingStore, Progress
from recorder.reading.view import View
from recorder.spool.lost import tell_lost
from recorder.store.verify import LONGER, check_answers, is_there, told_alone
from recorder.throttle import Throttle

log = logging.getLogger("recorder.janitor")

PAGE = 100


@dataclass(slots=True)
class Pass:
    """One walk over a store.  ``finished`` is 0 while it goes on; ``after`` is where it is."""

    began: Instant
    finished: Instant = 0
    after: tuple[str, Instant, str] | None = None
    checked: int = 0
    bytes_read: int = 0
    repaired: int = 0
    damaged: int = 0
    lost: int = 0


def pass_of(progress: Progress, store: str) -> Pass | None:
    """Return the present or last pass over a store."""
    facts = progress.of(f"scrub:{store}")
    if not facts:
        return None
    after = facts.pop("after")
    return Pass(**facts, after=tuple(after) if after else None)


LOOK_AGAIN = 10 * MINUTE
SUSPECTED = 6 * HOUR
"""So long a copy must be missing before it is called lost."""
LOOKS = 10
"""Pages of suspects that are asked for at a time; the next time goes on behind them."""
LOST_A_DAY = 20
"""More copies than these are not called lost in a day without a person (``check``)."""


class Scrubber(Worker):
    """Walks stores."""

    def __init__(
        self,
        catalog: WorkCatalog,
        view: View,
        clock: Clock,
        scratch: Path,
        throttle: Throttle,
        spool: CachedFiles,
    ) -> None:
        super().__init__(catalog, view, clock, scratch, throttle)
        self._spool = spool
        # by what never steps: a clock that leaps loses nothing
        self._looked: dict[str, float] = {}
        self._lost: list[float] = []
        self._missed = Missed(clock)
        self._suspected: dict[str, Copy] = {}

    def run(self, store: LockingStore, within_ns: int, until: float) -> Pass:
        """Go on with a pass until ``until`` (monotonic), or begin one when it is time.

        ``within_ns``: a new pass begins so long after the last one began.
        """
        now = self.clock.now()
        state = pass_of(self.catalog.progress, store.name)
        if state is None or (state.finished and not 0 <= now - state.began < within_ns):
            state = Pass(now)
        self._look_again(store, state, until)
        while not state.finished and self.clock.monotonic() < until:
            after = state.after
            seen = None if after is None else SegmentId(StreamId(*after[0].split("/")), *after[1:])
            page = self.catalog.planning.copies_at(store.name, seen, PAGE)
            if not page:
                state.finished, state.after = self.clock.now(), None
            self._page(store, page, state, until)
            self.catalog.progress.put(f"scrub:{store.name}", asdict(state), self.clock.now())
        telemetry.SCRUB_BEGAN.labels(store.name).set(state.began / 1e9)
        telemetry.DAMAGED.labels(store.name).set(self.catalog.integrity.damaged(store.name))
        return state

    def _page(self, store: LockingStore, page: list[Copy], state: Pass, until: float) -> None:
        good = []
        for copy in page:
            if self.clock.monotonic() >= until:
                break
            segment = copy.segment
            if not self.throttle.take(segment.size_bytes):
                break
            if copy.condemned_at is None:
                found = told_alone(store, segment)
                if found != segment.digest:
                    self.mend(store, copy, state, found)
                elif copy.damaged_at is None:
                    good.append(copy)
                else:
                    self.believe_again(store, copy)
                state.checked += 1
                state.bytes_read += segment.size_bytes
                telemetry.SCRUBBED_BYTES.inc(segment.size_bytes)
            state.after = (str(segment.stream), segment.start, segment.writer)
        self.catalog.integrity.mark_verified(good, self.clock.now())

    def mend(self, store: LockingStore, copy: Copy, state: Pass, found: str) -> None:
        """Write a damaged or missing copy again from another, or say what is lost.

        ``found``: its digest, or why there is none.
        """
        segment, place = copy.segment, store.name
        known = self.catalog.planning.copies_by_id(place, [segment.id])
        if not known or known[0].condemned_at is not None:
            return  # policy let it go while this page of copies was being read
        gone = is_there(store, segment.key) is False
        what = "is not there" if gone else "does not match its digest"
        what = found if " " in found else what
        why = self._write_again(store, copy, state, what)
        if not why:
            return
        if copy.damaged_at is None:  # said once, and from then on it is suspected
            self._say(copy, "missing" if gone else "damaged", f"{what}, and {why}")
            self.catalog.integrity.mark_damaged([copy], self.clock.now())
        if gone:
            self._missed.for_s(copy.place, segment.key)
        state.damaged += 1

    def _write_again(self, store: LockingStore, copy: Copy, state: Pass, what: str) -> str:
        """Write a copy again from another; say why not, nothing when it is whole now."""
        but = "" if what == LONGER else store.name  # one that is only too long has all of itself
        source = self.fetch(copy.segment, but) or self.fetch_earlier(copy.segment, store)
        if source is None:
            return "no other copy could be read"
        try:
            self._say(copy, "repaired", f"{what}; written again from another copy")
            if copy.damaged_at is None:  # until it is held, too, wherever this process dies
                self.catalog.integrity.mark_damaged([copy], self.clock.now())
            put_again(store, copy.segment, source)
        except IntegrityError as exc:  # of this one: the pass goes on
            return str(exc)
        except (StoreUnavailable, StoreRefused) as exc:
            check_answers(store, exc)
            return str(exc)
        finally:
            source.unlink(missing_ok=True)
        self.catalog.integrity.mark_verified([copy], self.clock.now())
        if drop_altered(self._spool, copy.segment):
            cached = Copy(copy.segment, self.view.copies.place)
            self.catalog.commits.forget([cached], Cause.SPOOL_FULL)
        doubt_spools(self.catalog, copy.segment, self.view.copies.place, self.clock.now())
        state.repaired += 1
        return ""

    def _look_again(self, store: LockingStore, state: Pass, until: float) -> None:
        """Ask for what was missing once more, hours later; only then call it lost.

        One answer of a store proves nothing, and many copies do not go at once without a reason
        that a person should look at: so few are lost in a day, and none that the store lists.
        All suspects have their turn, however many there are.
        """
        present, name = self.clock.monotonic(), store.name
        if present < self._looked.get(name, present):
            return
        self._looked[name] = present + LOOK_AGAIN / SECOND
        self._lost = [one for one in self._lost if present - one < DAY / SECOND]
        before, kept = self.clock.now() - LOOK_AGAIN, 0
        for _ in range(LOOKS):
            seen = self._suspected.get(name)
            page = self.catalog.integrity.suspects(name, before, PAGE, seen)
            for copy in page:
                kept += self._ask_again(store, copy, state)
                self._suspected[name] = copy
            if len(page) < PAGE:
                self._suspected.pop(name, None)
                self._missed.went_round(name)
                break
            if self.clock.monotonic() >= until:
                break
        if kept:
            why = "so many are missing that a person should look: recorder check"
            log.error("not called lost", extra={"place": name, "copies": kept, "reason": why})

    def _ask_again(self, store: LockingStore, copy: Copy, state: Pass) -> bool:
        """Ask for one that is suspected; true when it is lost, and not called so today."""
        now = self.clock.now()
        if is_there(store, copy.segment.key) is not False:
            self._missed.over(copy.place, copy.segment.key)
            self._read_again(store, copy, state)
        elif self._missed_long(copy, now) and not self._mended(store, copy, state):
            if len(self._lost) >= LOST_A_DAY:
                return True
            self._lose(store, copy, state, now)
        return False

    def _mended(self, store: LockingStore, copy: Copy, state: Pass) -> bool:
        """Write one that is missing again, where another copy can be read by now.

        True also where all is to end: it is neither mended nor lost then.
        """
        name = copy.segment.key, store.name
        if not self.again.may(name):
            return False
        if not self.throttle.take(copy.segment.size_bytes):
            return True
        if self._write_again(store, copy, state, "is not there"):
            self.again.failed(name)
            return False
        self.again.worked(name)
        self._missed.over(copy.place, copy.segment.key)
        return True

    def _missed_long(self, copy: Copy, now: Instant) -> bool:
        """Tell whether a copy is missing for so long, by the clock and by what never steps."""
        since = now - copy.damaged_at if copy.damaged_at is not None else 0
        missed_s = self._missed.for_s(copy.place, copy.segment.key)
        return since >= SUSPECTED and missed_s * SECOND >= SUSPECTED

    def _read_again(self, store: LockingStore, copy: Copy, state: Pass) -> None:
        """Believe again in a copy that is whole by now, or that another can mend by now.

        One that is not rests, longer each time.
        """
        name = copy.segment.key, store.name
        if not self.again.may(name) or not self.throttle.take(copy.segment.size_bytes):
            return
        found = told_alone(store, copy.segment)
        if found == copy.segment.digest:
            done = self.believe_again(store, copy)
        else:
            why = found if " " in found else "is not what it should be"
            done = not self._write_again(store, copy, state, why)
        (self.again.worked if done else self.again.failed)(name)

    def _lose(self, store: LockingStore, copy: Copy, state: Pass, now: Instant) -> None:
        key = copy.segment.key
        if any(info.key == key for info in store.list(key)):
            return log.error("listed, and not found", extra={"key": key, "place": copy.place})
        self._lost.append(self.clock.monotonic())
        self._missed.over(copy.place, key)
        self._say(copy, "lost", f"not there for {format_duration(now - (copy.damaged_at or now))}")
        self.catalog.commits.forget([copy], Cause.LOST)
        tell_lost(self.catalog, now)
        state.lost += 1
        return None

    def _say(self, copy: Copy, action: str, reason: str) -> None:
        segment = copy.segment
        log.error(f"copy {action}", extra={"key": segment.key, "place": copy.place})
        self.catalog.audit.write([entry_of(copy, action, self.clock.now(), "scrub", reason)])


def show_pass(state: Pass | None, store: str, damaged: int) -> dict[str, Any]:
    """Write a pass for answers; ``damaged`` counts copies that nobody could repair."""
    if state is None:
        return {"store": store, "began": None}
    return {
        "store": store,
        "began": format_instant(state.began, 0),
        "finished": format_instant(state.finished, 0) if state.finished else None,
        "checked": state.checked,
        "bytes": state.bytes_read,
        "repaired": state.repaired,
        "lost": state.lost,
        "damaged": damaged,
    }
