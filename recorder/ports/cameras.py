"""Camera documents: those in force here, and those told to sites below."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from recorder.model.about import About
from recorder.model.cameras import Camera
from recorder.model.keys import CameraId
from recorder.model.masks import Privacy
from recorder.model.timebase import Instant
from recorder.model.versions import ANY, Expected


@dataclass(frozen=True, slots=True)
class ChildCamera:
    """What a site below should record, as decided here or above; ``body`` ``None``: no longer.

    ``body`` holds the camera's secrets.
    """

    site: str
    name: str
    version: int
    body: Mapping[str, Any] | None
    author: str
    at: Instant


class Cameras(Protocol):
    """The cameras of this site."""

    def all(self) -> list[Camera]:
        """Return all camera documents, by name, but those that cannot be read."""

    def unread(self) -> frozenset[str]:
        """Return the names of those that :meth:`all` left out when it was asked last."""

    def get(self, name: str) -> Camera | None:
        """Return one camera document.

        Raises: ``CatalogDamaged`` when it cannot be read.
        """

    def put(self, camera: Camera, at: Instant, expected: int | None) -> Camera:
        """Store a camera; return it with its new version.

        Raises: ``StaleVersion`` when ``expected`` is not its present version.
        """

    def groups(self) -> dict[CameraId, str]:
        """Return the group of every camera there is or was: its footage stays in it.

        One of ``ANY_SITE`` is that of cameras of that name whose site says none itself.
        """

    def about(self) -> dict[CameraId, About]:
        """Return what people call cameras, where that is said; those of sites below, too."""

    def labels(self) -> dict[str, str]:
        """Return what people call cameras, by ``site/camera``, of those that are called something.

        For answers: whoever reads of a camera knows it by that.
        """

    def about_of(self, camera: CameraId) -> About:
        """Return what people call one camera, as was said last, also of one that was removed."""

    def privacy(self, camera: CameraId) -> Privacy:
        """Return what of a camera's pictures is not for everybody, as its document says, or
        said last: its footage stays so.  Of one that nobody told, nothing.
        """

    def delete(self, name: str, expected: Expected = ANY) -> bool:
        """Remove a camera document; its footage stays.

        Raises: ``StaleVersion`` when the one there is is not the one expected.
        """


class ChildCameras(Protocol):
    """What sites below should record."""

    def put(
        self,
        site: str,
        name: str,
        body: Mapping[str, object] | None,
        author: str,
        at: Instant,
        expected: Expected = ANY,
    ) -> ChildCamera:
        """Store what a site below should record; ``None``: no longer.

        Raises: ``StaleVersion`` when what was asked for is not what is ``expected``.
        """

    def since(self, after: Instant = 0) -> list[ChildCamera]:
        """Return what sites below should record, stored after an instant, in that order."""
