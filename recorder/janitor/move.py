"""Put segments into the store where they belong by now: fetched, put, read back, committed.

The copy that is left behind goes by a later plan, and only while the new one is in the catalog.
Done again after a death at any step, the result is the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace

from policies.plan import Move, Plan
from recorder import telemetry
from recorder.errors import IntegrityError, RecorderError, StoreRefused, StoreUnavailable
from recorder.janitor.adopted import adopted_at
from recorder.janitor.worker import Worker, put_again
from recorder.model.media import Copy, Segment, SegmentId
from recorder.ports import LockingStore
from recorder.store.verify import told_digest

log = logging.getLogger("recorder.janitor")

SLACK = 0.5
"""Share of its floor that a store may be filled into: below the floor it lets its own oldest go,
and that is freed only after a grace; all of the floor would leave nothing for what else comes."""


class Mover(Worker):
    """Carries out the moves of plans."""

    def carry_out(
        self,
        stores: Mapping[str, LockingStore],
        plan: Plan,
        floor_of: Callable[[str], float],
        until: float,
    ) -> int:
        """Move until ``until`` (monotonic); return how many segments.

        ``stores`` are those that take footage now, ``floor_of`` says what share of one stays free.
        A store that fails, or has no room, is left out for this time.
        """
        moved, closed = 0, set[str]()
        for one in plan.moves:
            if self.clock.monotonic() > until:
                break
            store = stores.get(one.to)
            if store is None or one.to in closed:
                continue
            try:
                if not _has_room(store, one, floor_of(one.to)):
                    raise StoreUnavailable(f"move into store {one.to}: it has no room")
                moved += self._move(stores.get(plan.store), plan.store, store, one)
            except (StoreUnavailable, StoreRefused) as exc:
                closed.add(one.to)
                log.error("cannot move", extra={"store": one.to, "reason": str(exc)})
        return moved

    def _move(self, source: LockingStore | None, place: str, store: LockingStore, one: Move) -> int:
        name = SegmentId(one.stream, one.start, one.writer)
        if not self.again.may((name, store.name)):
            return 0
        found = self.catalog.planning.copies_by_id(place, [name])
        if not found or found[0].damaged_at is not None or self._is_there(store.name, name):
            return 0  # gone meanwhile; for the scrubber to repair; or there, or going there
        segment = found[0].segment
        if not self.throttle.take(3 * segment.size_bytes):  # read, written, read back
            return 0
        if told_digest(store, segment) != segment.digest and not self._put(store, segment):
            self.again.failed((name, store.name))
            self._look_at(source, found[0])
            return 0
        self.again.worked((name, store.name))
        now = self.clock.now()
        self.catalog.commits.add_segment(segment, store.name, "", now)
        self.catalog.integrity.mark_verified([replace(found[0], place=store.name)], now)
        log.info("moved", extra={"key": segment.key, "place": place, "store": store.name})
        telemetry.MOVED_BYTES.labels(store.name).inc(segment.size_bytes)
        return 1

    def _is_there(self, place: str, name: SegmentId) -> bool:
        """Tell whether a copy is known there; one of before the store was adopted is looked at.

        One that is damaged there, or was not found, is put again.
        """
        since = adopted_at(self.catalog.progress, place)
        return any(
            (one.verified_at > since and one.damaged_at is None) or one.condemned_at is not None
            for one in self.catalog.planning.copies_by_id(place, [name])
        )

    def _put(self, store: LockingStore, segment: Segment) -> bool:
        """Put a segment into a store and read it back; false where nobody has it whole."""
        try:
            path = self.fetch(segment, store.name)
            if path is None:
                raise IntegrityError(f"move {segment.key}: no copy of it could be read whole")
            try:
                put_again(store, segment, path)
            finally:
                path.unlink(missing_ok=True)
        except (StoreUnavailable, StoreRefused):
            self.again.failed((segment.id, store.name))  # it may be this one alone that it refuses
            raise
        except RecorderError as exc:  # of this one; the scrubber looks after it
            log.error("cannot move", extra={"key": segment.key, "reason": str(exc)})
            return False
        return True

    def _look_at(self, source: LockingStore | None, copy: Copy) -> None:
        """Suspect the copy that was to be moved, where it is not what it should be."""
        try:
            whole = source is None or told_digest(source, copy.segment) == copy.segment.digest
        except (StoreUnavailable, StoreRefused):
            return  # nobody knows
        if not whole:
            self.catalog.integrity.mark_damaged([copy], self.clock.now())


def _has_room(store: LockingStore, one: Move, floor: float) -> bool:
    free, total = store.free_bytes() or (0, 0)
    return not total or free - one.size_bytes > SLACK * floor * total
