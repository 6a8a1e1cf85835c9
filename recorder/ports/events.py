"""Events, and the points that raise them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from recorder.model.events import Event, Point
from recorder.model.keys import CameraId
from recorder.model.timebase import Instant, TimeRange
from recorder.model.versions import ANY, Expected


class Points(Protocol):
    """Alarm points and checkpoints."""

    def put(self, point: Point, expected: Expected = ANY) -> Point:
        """Store an alarm point or checkpoint; return it with its new version.

        Raises: ``StaleVersion`` when the one there is is not the one expected.
        """

    def all(self) -> list[Point]:
        """Return all points, by name."""

    def get(self, name: str) -> Point | None:
        """Return one point."""

    def delete(self, name: str, expected: Expected = ANY) -> bool:
        """Remove a point; its events stay.  Raises as :meth:`put`."""


class Events(Protocol):
    """Events, and the footage they touch."""

    def add(self, event: Event, image: bytes | None) -> bool:
        """Record an event and what it touches; false when it was known already."""

    def take(self, events: Sequence[tuple[Event, bytes | None]], at: Instant | None = None) -> int:
        """Take in events, with their images, from above or from a store; they are not told above.

        Of one that is known, of the same site, a later version takes the place.  ``at``: when;
        by default as each says itself.  Returns how many were taken.
        """

    def change(
        self, event_id: str, change: Callable[[Event], Event], expected: Expected = ANY
    ) -> Event:
        """Change an event and what it touches, in one transaction; return it as it is then.

        Raises: ``NotFound``; ``StaleVersion``; as ``change``.
        """

    def remove(self, event_id: str, at: Instant, expected: Expected = ANY) -> bool:
        """Remove an event: it touches nothing any more.  Raises: ``StaleVersion``."""

    def noted(
        self, since: Instant, limit: int, besides: Collection[str] = (), after: str = ""
    ) -> list[Event]:
        """Return the events taken in or changed after an instant, by when that was, then by id.

        ``after``: of those at that very instant, the ones behind this one, too.

        With those that were removed; without those of the sites ``besides``.
        """

    def touching(
        self, asked: TimeRange, cameras: Sequence[CameraId] = (), limit: int = 1000
    ) -> list[Event]:
        """Return the events that touch footage of a range, by start; of some cameras or all.

        One of ``ANY_SITE`` asks for all cameras of that name.
        """

    def page(
        self,
        asked: TimeRange,
        cameras: Sequence[CameraId],
        kind: str | None,
        after: tuple[Instant, str] | None,
        limit: int,
    ) -> list[Event]:
        """Return the events that touch a range, each once, by start and id, from ``after`` on."""

    def get(self, event_id: str) -> Event | None:
        """Return an event."""

    def image(self, event_id: str) -> bytes | None:
        """Return an event's image."""

    def windows(
        self, asked: TimeRange, camera: CameraId | None = None
    ) -> list[tuple[CameraId, TimeRange, str]]:
        """Return (camera, touched range, kind) of what touches a range, by camera and start.

        One of ``ANY_SITE`` is touched whichever site it is of.
        """


class OwedEvents(Protocol):
    """Which events those who keep or pass on all of them have not got yet."""

    def begin(self, target: str, since: Instant = -1) -> None:
        """Owe a target all events that were noted after an instant, and all that come."""

    def due(self, target: str, limit: int, since: Instant = -1) -> list[Event]:
        """Return what a target is owed, the oldest first, removed ones too.

        Who asks for the first time begins; ``since``: what was noted till then it has.
        """

    def targets(self) -> list[str]:
        """Return who ever asked, and was not forgotten since."""

    def forget(self, target: str) -> None:
        """Owe a target nothing, as one that never asked."""

    def settle(self, target: str, taken: Sequence[tuple[str, int]]) -> None:
        """Owe a target no more what it has, by id and version; what was changed since it is."""


@dataclass(frozen=True, slots=True)
class AgedEvent:
    """An event that is old; ``sites``: whose cameras it touches, ``ANY_SITE`` may be among them."""

    event_id: str
    kind: str
    noted: Instant
    end: Instant
    sites: frozenset[str]


class EventAges(Protocol):
    """Events whose time is over: only the janitor's rooms have it."""

    def aged(self, before: Instant, after: tuple[Instant, str], limit: int) -> list[AgedEvent]:
        """Return events that ended, and were noted, before an instant, by when they were noted.

        Removed ones too; from ``after`` on, which is when one was noted, and its id.
        """

    def free(self, event_ids: Collection[str]) -> list[str]:
        """Return those of some events that nobody needs any more.

        No footage that they touch is known, wherever it lies; a store, a site below and the
        parent have their last version.
        """

    def known(self, event_ids: Collection[str]) -> set[str]:
        """Return those of some events that there are, removed ones too."""

    def expire(self, event_ids: Sequence[str]) -> int:
        """Forget those of some events that nobody needs by now, in one transaction.

        With images, and with what they touched.  Returns how many.
        """

    def kinds(self, since: Instant) -> list[str]:
        """Return the kinds of the events noted after an instant, but for removed ones."""

    def oldest(self) -> Instant | None:
        """Return when the event was noted that was noted first; ``None``: there is none."""
