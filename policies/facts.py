"""Facts that plans are made from, in columns: millions of copies fit, and none is touched twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from recorder.model.copies import CopyColumns
from recorder.model.timebase import Instant, TimeRange


@dataclass(frozen=True, slots=True)
class Touch:
    """Footage of a camera that an event touches: its range with pre- and post-roll."""

    range: TimeRange
    kind: str


@dataclass(frozen=True, slots=True)
class Capacity:
    """Free and total bytes of a store; ``total_bytes`` is ``None`` where it does not say.

    ``condemned_bytes`` are marked and not yet freed; ``condemned_lately_bytes`` were marked
    within the last hour, for the blast-radius stop.
    """

    free_bytes: int = 0
    total_bytes: int | None = None
    condemned_bytes: int = 0
    condemned_lately_bytes: int = 0


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """Everything a plan for one store is made from.

    ``level`` is the level of the store's site; ``holds`` and ``touches`` are by camera.
    ``parent_silent_ns`` is how long the site has not heard from its parent, ``None`` when it
    has none.
    """

    store: str
    level: str
    lanes: Sequence[CopyColumns]
    now: Instant
    holds: Mapping[str, Sequence[TimeRange]] = field(default_factory=dict)
    touches: Mapping[str, Sequence[Touch]] = field(default_factory=dict)
    capacity: Capacity = Capacity()
    parent_silent_ns: int | None = None
