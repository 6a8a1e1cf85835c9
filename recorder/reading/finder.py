"""Cameras and streams by the names that people give."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from recorder.model.cameras import Camera
from recorder.model.events import Event
from recorder.model.keys import CameraId, StreamId
from recorder.reading.named import Named, NamedCatalog, find_cameras, find_stream, read_asked


class Finder:
    """Finds what is meant, in the catalog and in what is recorded this moment."""

    def __init__(
        self, catalog: NamedCatalog, site: str, recorded: Callable[[], Iterable[StreamId]]
    ) -> None:
        self._catalog, self._site, self._recorded = catalog, site, recorded

    def named(self, camera: str, stream: str | None = None, site: str | None = None) -> Named:
        """Find a camera's stream, and other sites' cameras of that name.

        Raises: ``NotFound``; ``StateError`` when it may be one of several.
        """
        asked = read_asked(camera, site)
        return find_stream(self._catalog, self._site, asked, stream, self._recorded())

    def stream_of(
        self, camera: str, stream: str | None = None, site: str | None = None
    ) -> tuple[StreamId, Camera | None]:
        """Find a camera's stream, by document or by footage left of it.

        Raises: ``NotFound`` when neither knows it; ``StateError`` when it may be one of several.
        """
        found = self.named(camera, stream, site)
        return found.stream, found.document

    def label(self, camera: CameraId, document: Camera | None) -> str:
        """Return what people call a camera; empty where nobody said."""
        about = document.about if document is not None else self._catalog.cameras.about_of(camera)
        return about.label

    def cameras_of(
        self,
        names: Iterable[str],
        site: str | None = None,
        *,
        every: bool = False,
        ahead: bool = False,
    ) -> tuple[str, ...]:
        """Return the cameras that names mean, as ``site/camera``; ``every``: all of a name.

        ``site``: where they all are; ``ahead``: those not known yet, too.
        Raises: ``NotFound``; ``StateError`` when a name may mean one of several.
        """
        own, asked = self._site, [str(read_asked(one, site)) for one in names]
        found = find_cameras(self._catalog, own, asked, every=every, ahead=ahead)
        return tuple(map(str, found))

    def touched_by(self, event: Event, *, by_point: bool) -> Event:
        """Say of an event which cameras it touches: its own site's by their names alone.

        ``by_point``: a point of before links bare names; it touches all cameras of them.
        Raises: ``NotFound``; ``StateError`` when it may be one of several.
        """
        found = self.cameras_of(event.cameras, every=by_point)
        own = f"{event.site}/"
        return replace(event, cameras=tuple(one.removeprefix(own) for one in found))

    def known_streams(self) -> list[tuple[StreamId, Camera | None]]:
        """Return the streams of all camera documents, and those known of sites below."""
        site = self._site
        own: list[tuple[StreamId, Camera | None]] = [
            (StreamId(site, camera.name, name), camera)
            for camera in self._catalog.cameras.all()
            for name in camera.streams
        ]
        return own + [(one, None) for one in self._catalog.footage.streams() if one.site != site]
