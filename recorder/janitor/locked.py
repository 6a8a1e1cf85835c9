"""What a store keeps by legal hold and no hold here says: it is held here, too, from then on.

The holds of a lost catalog leave their legal holds in the store.  Whoever placed them meant the
footage to stay; a person releases what is found, as any hold, and the store's is lifted then.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

from recorder.errors import CopyMissing, StoreRefused, StoreUnavailable
from recorder.model.holds import Hold, held_ranges, is_held
from recorder.model.keys import CameraId
from recorder.model.media import Copy, Segment
from recorder.model.timebase import SECOND, Instant, TimeRange
from recorder.ports import Holds, LockingStore, ObjectLocks

APART = 2 * SECOND
"""What follows within so much is one range of one hold."""
MOST = 1 << 62
BATCH = 500


class LockedCatalog(Protocol):
    """The parts of the catalog that know what is held, and by which stores."""

    @property
    def holds(self) -> Holds:
        """The holds."""

    @property
    def object_locks(self) -> ObjectLocks:
        """What is known of legal holds."""


class Locked:
    """Gathers, object by object, what a store keeps by legal hold."""

    def __init__(self, store: LockingStore, *, ask: bool = True) -> None:
        """``ask``: a store that is never written to is not asked, for some can only be tried."""
        self._store, self._name, self._asks = store, store.name, ask and store.protects
        self._found: list[Segment] = []
        self.unknown = 0
        """Of so many objects the store did not say."""

    def look(self, segment: Segment) -> None:
        """Ask the store whether it keeps a segment's object."""
        if not self._asks:
            return
        try:
            held = self._store.protected(segment.key)
        except (StoreUnavailable, StoreRefused, CopyMissing):
            held = None
        if held is None:
            self.unknown += 1
        elif held:
            self._found.append(replace(segment, points=b"", activity=b""))

    def hold(self, catalog: LockedCatalog, now: Instant) -> list[Hold]:
        """Place holds on what is kept and held by none; return those that are new.

        What the catalog knows to be kept is not looked at: its legal hold is about to be lifted;
        so is that of a hold like these which somebody has released.
        """
        if not self._found:
            return []
        live = held_ranges(catalog.holds.live(now), now)
        ours = {one.segment.key for one in catalog.object_locks.to_unlock(self._name, now, MOST)}
        left: dict[CameraId, list[TimeRange]] = {}
        for one in self._found:
            if one.key not in ours and not is_held(live, one):
                left.setdefault(one.stream.camera_id, []).append(one.range)
        wanted = [
            self._hold_of(camera, range_, now)
            for camera, ranges in sorted(left.items())
            for range_ in _joined(ranges)
        ]
        placed = [
            catalog.holds.add(one) for one in wanted if catalog.holds.get(one.hold_id) is None
        ]
        kept = [Copy(one, self._name) for one in self._found]
        for i in range(0, len(kept), BATCH):  # as it is; what no hold names is lifted
            catalog.object_locks.set_locked(kept[i : i + BATCH], True)
        return placed

    def _hold_of(self, camera: CameraId, range_: TimeRange, now: Instant) -> Hold:
        said = f"{self._name} {camera} {range_.start} {range_.end}"
        name = f"found-{hashlib.sha256(said.encode()).hexdigest()[:16]}"
        return Hold(
            name,
            (str(camera),),
            range_,
            f"legal hold found in store {self._name}",
            "the store keeps it, and no hold here said why",
            "recorder rebuild",
            now,
        )


def _joined(ranges: list[TimeRange]) -> Iterator[TimeRange]:
    """Join ranges that follow one another."""
    present: TimeRange | None = None
    for one in sorted(ranges, key=lambda each: each.start):
        if present is not None and one.start - present.end <= APART:
            present = TimeRange(present.start, max(present.end, one.end))
            continue
        if present is not None:
            yield present
        present = one
    if present is not None:
        yield present
