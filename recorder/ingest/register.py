"""Register sealed segments: a thread of its own takes them into the catalog.

The sealed file in the spool is the message; this queue only makes it quick.  Whatever a catalog
does - refuse, hang, come back - no seal and no recording waits for it, and what was not taken in
when the process ended is found in the spool by the next one.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Protocol

from recorder import telemetry
from recorder.activity import motion_events
from recorder.errors import CatalogUnavailable
from recorder.ingest.waiting import Waiting
from recorder.model.cameras import Camera
from recorder.model.causes import Cause
from recorder.model.events import Event
from recorder.model.media import Copy, Segment
from recorder.model.timebase import Instant
from recorder.ports import Clock

log = logging.getLogger("recorder.ingest")

MOST_AT_ONCE = 64
"""So many segments are committed in one transaction: of a full node, all that a minute seals."""
RETRY_S = 2.0
GATHER_S = 0.5
"""So long a sealed segment waits for others; a timeline shows it meanwhile."""


class SegmentCommits(Protocol):
    """What registering commits."""

    def add_segments(self, segments: Sequence[Segment], place: str, at: Instant) -> None:
        """Record segments, their spans and a copy each, in one transaction."""

    def forget(self, copies: Sequence[Copy], cause: str) -> object:
        """Drop copies that are gone; what has none left becomes a gap."""


class EventSink(Protocol):
    """Where registering records events."""

    def add(self, event: Event, image: bytes | None) -> bool:
        """Record an event; false when it was known already."""


class SealedFiles(Protocol):
    """What registering needs of the spool."""

    def path_of(self, key: str) -> Path | None:
        """Return where a sealed segment lies, ``None`` when it is not here."""

    def was_shed(self, key: str) -> bool:
        """Tell whether a segment that is gone was shed lately."""


def take_in(
    commits: SegmentCommits,
    events: EventSink,
    place: str,
    now: Instant,
    segments: Sequence[tuple[Segment, Camera | None]],
) -> None:
    """Commit segments that lie at ``place``, with the motion events that their activity hints at.

    Each comes with its camera's document, which says whether these are wanted.
    Raises: ``CatalogUnavailable``; doing it again does no harm.
    """
    commits.add_segments([segment for segment, _ in segments], place, now)
    for segment, camera in segments:
        source = camera.streams.get(segment.stream.stream) if camera is not None else None
        if source is not None and source.activity == "events":
            for event in motion_events(segment, now):
                events.add(event, None)


class Register:
    """Takes sealed segments into the catalog, in the order they come, until it is stopped."""

    def __init__(
        self,
        commits: SegmentCommits,
        events: EventSink,
        spool: SealedFiles,
        clock: Clock,
        place: str,
        cameras: Callable[[Segment], Camera | None],
        waiting: Waiting,
        *,
        before: Callable[[], object],
        after: Callable[[Segment], None],
    ) -> None:
        """``before`` is done first, until it succeeds; ``after`` is told what was committed."""
        self.commits, self.events = commits, events
        self.spool, self.clock = spool, clock
        self.place, self.cameras = place, cameras
        self._before: Callable[[], object] | None = before
        self._after = after
        self._waiting, self._queue, self._wake = waiting, waiting.queue, waiting.wake
        self._most = MOST_AT_ONCE
        self._stopping = self._away = False
        self.refused = ""
        """Why what is sealed waits to be cataloged; empty when it does not."""
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def offer(self, segment: Segment) -> None:
        """Queue a segment that has just been sealed; never waits."""
        self._waiting.add(segment)

    @property
    def waiting(self) -> list[Segment]:
        """What is sealed and not in the catalog yet."""
        return self._waiting.all()

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._work, name="ingest", daemon=True)
        self._thread.start()

    def stop(self, patience_s: float) -> bool:
        """Take in what waits, unless the catalog is away; true when nothing is left."""
        with self._wake:
            self._stopping = True
            self._ended.set()
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(patience_s)
        return not self.waiting

    def _work(self) -> None:
        while True:
            with self._wake:
                while not (self._queue or self._before or self._stopping):
                    self._wake.wait()
                if self._stopping and (self._away or not self._queue):
                    return
                gather = len(self._queue) < MOST_AT_ONCE and not self._before
            if gather:  # cameras end their files at the same second: one transaction takes all
                self._ended.wait(GATHER_S)
            try:
                self.step()
            except (CatalogUnavailable, OSError) as exc:  # of the catalog, or of the spool's disk
                self._put_off(str(exc))
            except Exception as exc:  # a thread that died would take in nothing, and say nothing
                log.exception("registering failed unexpectedly")
                self._before = None  # it is tried again at the next start
                self._put_off(repr(exc))

    def step(self) -> None:
        """Take in what comes next.

        Raises: ``CatalogUnavailable``; what was to be taken in is still queued.
        """
        if self._before is not None:
            self._before()
            self._before = None
        with self._wake:
            batch = list(islice(self._queue, self._most))
        there = [one for one in batch if self._is_news(one.key)]
        if there:
            documents = [(one, self.cameras(one)) for one in there]
            take_in(self.commits, self.events, self.place, self.clock.now(), documents)
            gone = [one for one in there if self.spool.path_of(one.key) is None]
            if gone:  # shed when there was no row yet that could be dropped
                self.commits.forget([Copy(one, self.place) for one in gone], Cause.SPOOL_FULL)
        with self._wake:
            for _ in batch:
                self._queue.popleft()
            self._away, self._most = False, min(2 * self._most, MOST_AT_ONCE)
            self.refused = ""
            telemetry.CATALOG_REFUSING.set(0)
        for segment in there:
            self._after(segment)

    def _is_news(self, key: str) -> bool:
        """Tell whether the catalog is to hear of a file: it is there, or its gap has a cause."""
        return self.spool.path_of(key) is not None or self.spool.was_shed(key)

    def _put_off(self, reason: str) -> None:
        """Try again: one by one at first, for it may be one that keeps the others out."""
        with self._wake:
            if self._most > 1 and not self._away:
                self._most = 1
                return
            if not self._away:
                log.warning("segments wait to be cataloged", extra={"reason": reason})
            self._away, self.refused = True, reason
            telemetry.CATALOG_REFUSING.set(1)
            self._queue.rotate(-1)
            if not self._stopping:
                self._wake.wait(RETRY_S)
