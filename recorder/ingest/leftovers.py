"""Leftovers: sealed files that an earlier process left before the catalog knew them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from recorder.errors import IndexCorrupt, IntegrityError, StoreRefused, StoreUnavailable
from recorder.ingest.register import MOST_AT_ONCE, take_in
from recorder.model.cameras import Camera
from recorder.model.media import Segment
from recorder.model.places import spool_of
from recorder.ports import Audit, Cameras, Clock, Commits, Events, Footage
from recorder.spool.known import SpoolFile, known_segments, segment_files
from recorder.spool.raw import load_sealed

log = logging.getLogger("recorder.ingest")


class LeftoverCatalog(Protocol):
    """What is needed of the catalog."""

    footage: Footage
    commits: Commits
    events: Events
    cameras: Cameras
    audit: Audit


class LeftoverSpool(Protocol):
    """What is needed of the spool."""

    root: Path

    def keys(self, folder: str) -> Iterator[tuple[str, int]]:
        """Yield ``(key, size)`` of ``sealed`` or ``cache``."""

    def remove(self, key: str) -> int:
        """Delete a segment from the spool."""


class Leftovers:
    """Takes into the catalog what lies sealed in a spool and is not in it."""

    def __init__(
        self, catalog: LeftoverCatalog, spool: LeftoverSpool, clock: Clock, node: str, site: str
    ) -> None:
        self.catalog, self.spool, self.clock = catalog, spool, clock
        self.place, self.site = spool_of(node), site
        self._cameras: Mapping[str, Camera] | None = None

    def register(self) -> int:
        """Do it; return how many there were.  The catalog is asked by batches.

        Raises: ``CatalogUnavailable``; doing it again does no harm.
        """
        added = 0
        for folder in ("sealed", "cache"):
            waiting: list[Segment] = []
            for segment in self._unknown(folder):
                if folder == "cache" and self._was_purged(segment):
                    self._drop(segment)  # by another node's janitor
                    continue
                waiting.append(segment)
                if len(waiting) >= MOST_AT_ONCE:
                    added += self._take_in(waiting)
            added += self._take_in(waiting)
        return added

    def _unknown(self, folder: str) -> Iterator[Segment]:
        files = segment_files(self.spool.keys(folder), self.site)
        for batch in known_segments(self.catalog.footage, files):
            for file, segment in batch:
                if segment is None:
                    yield from self._load(folder, file)

    def _load(self, folder: str, file: SpoolFile) -> Iterator[Segment]:
        try:
            yield load_sealed(self.spool.root / folder / file.key, file.key)
        except IndexCorrupt as exc:
            log.error("sealed file damaged", extra={"key": file.key, "reason": str(exc)})
        except FileNotFoundError:
            return  # shipped, or let go, this moment
        except OSError as exc:  # it lies where it is, and the sender asks for it again
            log.error("sealed file cannot be read", extra={"key": file.key, "reason": str(exc)})

    def _take_in(self, segments: list[Segment]) -> int:
        """Commit segments, and empty the list."""
        if not segments:
            return 0
        take_in(
            self.catalog.commits,
            self.catalog.events,
            self.place,
            self.clock.now(),
            [(segment, self._camera_of(segment)) for segment in segments],
        )
        done = len(segments)
        segments.clear()
        return done

    def _drop(self, segment: Segment) -> None:
        try:
            self.spool.remove(segment.key)
        except OSError as exc:  # the next start tries again
            said = {"key": segment.key, "reason": str(exc)}
            log.error("not let go of in the spool", extra=said)

    def _camera_of(self, segment: Segment) -> Camera | None:
        if self._cameras is None:
            self._cameras = {camera.name: camera for camera in self.catalog.cameras.all()}
        own = segment.stream.site == self.site
        return self._cameras.get(segment.stream.camera) if own else None

    def _was_purged(self, segment: Segment) -> bool:
        """Tell whether policy let a segment go: its audit entry outlives it.

        What was taken back counts: the last word at each place.  Where that cannot be read now,
        the segment stays: it is judged anew.
        """
        try:
            entries = self.catalog.audit.about(segment.stream.camera_id, segment.range)
        except (StoreUnavailable, StoreRefused, IntegrityError) as exc:
            why = {"key": segment.key, "reason": str(exc)}
            log.warning("not known whether it was let go, it stays", extra=why)
            return False
        last = {
            one.place: one.action
            for one in entries
            if one.key == segment.key and one.action in ("condemn", "spare")
        }
        return bool(last) and "spare" not in last.values()
