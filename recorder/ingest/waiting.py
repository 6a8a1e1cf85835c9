"""What is sealed and not in the catalog yet: written by capture, read by readers and by ingest."""

from __future__ import annotations

import threading
from collections import deque

from recorder.model.media import Segment


class Waiting:
    """Sealed segments in the order they came, until they are committed."""

    def __init__(self) -> None:
        self.queue: deque[Segment] = deque()
        self.wake = threading.Condition()

    def add(self, segment: Segment) -> None:
        """Queue a segment that has just been sealed; never waits."""
        with self.wake:
            self.queue.append(segment)
            self.wake.notify()

    def all(self) -> list[Segment]:
        """Return what waits."""
        with self.wake:
            return list(self.queue)
