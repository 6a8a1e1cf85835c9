"""Pictures for callers: each runs an ffmpeg of its own, so few are made at once.

The others wait for their turn, a few of them and not for long; whoever comes then is told to come
again, for the threads that wait are wanted by others.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

from recorder import telemetry
from recorder.errors import UnavailableError
from recorder.model.counting import number_of

MOST_WAITING = 8
"""Of the 40 threads that answer what may take time."""
PATIENCE_S = 5.0
"""A picture takes a tenth of a second; a strip a second or two."""


class Turns:
    """So many at once, some more that wait, and no others."""

    def __init__(self, at_once: int, waiting: int, patience_s: float) -> None:
        self.at_once, self._patience_s = at_once, patience_s
        self._here = threading.BoundedSemaphore(at_once + waiting)
        self._turn = threading.BoundedSemaphore(at_once)

    @contextlib.contextmanager
    def take(self) -> Iterator[None]:
        """Wait for a turn.

        Raises: ``UnavailableError`` when too many wait, or it took too long.
        """
        if not self._here.acquire(blocking=False):
            raise self._refused()
        try:
            if not self._turn.acquire(timeout=self._patience_s):
                raise self._refused()
            telemetry.DRAWING.inc()
            try:
                yield
            finally:
                telemetry.DRAWING.dec()
                self._turn.release()
        finally:
            self._here.release()

    def _refused(self) -> UnavailableError:
        telemetry.DRAWING_REFUSED.inc()
        return UnavailableError(
            f"{number_of(self.at_once, 'picture is', 'pictures are')} being made, "
            "which is the most at once, and others wait",
            hint="ask again in a moment; a strip brings many pictures in one answer",
        )


PICTURES = Turns(max(2, os.cpu_count() or 1), MOST_WAITING, PATIENCE_S)
"""Each keeps a core busy."""
