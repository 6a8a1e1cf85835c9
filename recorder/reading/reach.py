"""Which of recordings of one moment can be read now: a node may be away with its spool."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from recorder.model.media import Segment
from recorder.ports import Clock

TOLD_S = 5.0
"""So long it is believed of a place that it answers, or does not: playlists ask every two."""


class Asked(Protocol):
    """What is asked of copies."""

    def far(self, segments: Sequence[Segment]) -> Mapping[str, Sequence[str]]:
        """Return where copies are of those that have none at hand, by key."""

    def gives(self, segment: Segment, place: str) -> bool:
        """Tell whether a place gives a byte of a segment at this moment."""


class Reach:
    """Remembers for a moment which places answer."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told: dict[str, tuple[float, bool]] = {}

    def away(self, copies: Asked, segments: Sequence[Segment]) -> frozenset[str]:
        """Return the keys of those that no place gives now, among what two nodes recorded at once.

        Nothing is asked of a moment that one node alone has: there is no choice.
        """
        both = recorded_twice(segments)
        if not both:
            return frozenset()
        by_key = {one.key: one for one in both}
        return frozenset(
            key
            for key, places in copies.far(both).items()
            if places and not any(self._gives(copies, by_key[key], one) for one in places)
        )

    def _gives(self, copies: Asked, segment: Segment, place: str) -> bool:
        now = self._clock.monotonic()
        at, gives = self._told.get(place, (now - TOLD_S, False))
        if now - at >= TOLD_S:
            gives = copies.gives(segment, place)
            self._told[place] = (now, gives)
        return gives


def recorded_twice(segments: Iterable[Segment]) -> list[Segment]:
    """Return those that overlap with one of another node, by start."""
    found: dict[str, Segment] = {}
    last: dict[str, Segment] = {}
    for one in sorted(segments, key=lambda one: (one.start, one.writer)):
        for node, other in last.items():
            if node != one.node and other.end > one.start:
                found[other.key], found[one.key] = other, one
        before = last.get(one.node)
        if before is None or before.end < one.end:
            last[one.node] = one
    return list(found.values())
