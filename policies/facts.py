"""Facts that plans are made from, in columns: millions of copies fit, and none is touched twice."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from recorder.model.copies import CopyColumns
from recorder.model.keys import CameraId
from recorder.model.timebase import Instant, TimeRange


@dataclass(frozen=True, slots=True)
class Touch:
    """Footage of a camera that an event touches: its range with pre- and post-roll."""

    range: TimeRange
    kind: str


@dataclass(frozen=True, slots=True)
class Capacity:
    """The room of a store, in bytes; ``total_bytes`` is ``None`` where it does not say.

    ``begun_bytes``: being deleted, and not yet freed.  ``stored_bytes``: all our footage there.
    ``arriving_bytes``: what comes there in as much time as the grace takes: so much must be free
    besides the floor, for what is condemned today is freed only then.  ``grace_ns``: the grace
    as the store can bear it.
    ``condemned_lately_bytes`` and ``arrived_lately_bytes`` are of the last hour.
    """

    free_bytes: int = 0
    total_bytes: int | None = None
    begun_bytes: int = 0
    condemned_lately_bytes: int = 0
    arrived_lately_bytes: int = 0
    arriving_bytes: int = 0
    stored_bytes: int = 0
    grace_ns: int = 0

    def usable(self, floor: float) -> int | None:
        """Return how many bytes may be filled: not the floor, nor what comes within a grace.

        ``None`` where the store does not say how large it is.
        """
        if self.total_bytes is None:
            return None
        return max(0, self.total_bytes - int(floor * self.total_bytes) - self.arriving_bytes)

    def missing(self, floor: float) -> int:
        """Return how many bytes more must be condemned for the floor, below zero: none."""
        usable = self.usable(floor)
        if self.total_bytes is None or usable is None:
            return -1
        return self.total_bytes - usable - self.free_bytes - self.begun_bytes


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """Everything a plan for one store is made from.

    ``level`` is the level of the store's site; ``holds`` and ``touches`` are by
    camera, of its site or of any.
    ``parent_silent_ns`` is how long the site has not heard from its parent, ``None`` when it
    has none.  ``others`` are the site's other stores that take footage now.
    """

    store: str
    level: str
    lanes: Sequence[CopyColumns]
    now: Instant
    holds: Mapping[CameraId, Sequence[TimeRange]] = field(default_factory=dict)
    touches: Mapping[CameraId, Sequence[Touch]] = field(default_factory=dict)
    capacity: Capacity = Capacity()
    parent_silent_ns: int | None = None
    warnings: Sequence[str] = ()
    others: Collection[str] = ()
