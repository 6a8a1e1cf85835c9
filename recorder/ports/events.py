"""Events, and the points that raise them."""

from __future__ import annotations

from collections.abc import Sequence
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

    def take(self, event: Event) -> bool:
        """Record an event that came from above; it is not told there again.  As :meth:`add`."""

    def received(self, since: Instant, limit: int) -> list[Event]:
        """Return the events received after an instant, by when that was."""

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
