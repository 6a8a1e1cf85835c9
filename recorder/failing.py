"""Jobs that fail each time they run: said once, again now and then, and when they are well."""

from __future__ import annotations

import logging
from collections.abc import Callable

from recorder.errors import RecorderError

log = logging.getLogger("recorder.rounds")

AGAIN_S = 600.0
"""What goes on failing for the same reason is said so often: some jobs run each second."""


class Failing:
    """Which jobs fail, and why."""

    def __init__(self, now: Callable[[], float]) -> None:
        """``now``: monotonic seconds."""
        self._now = now
        self._said: dict[str, tuple[str, float]] = {}

    def failed(self, job: str, exc: RecorderError | OSError) -> None:
        """Say that a job failed, if that is news."""
        reason, now = str(exc), self._now()
        before, at = self._said.get(job, ("", 0.0))
        if before == reason and now - at < AGAIN_S:
            return
        self._said[job] = reason, now
        hint = exc.hint if isinstance(exc, RecorderError) else "look at that disk"
        log.warning("job failed", extra={"job": job, "reason": reason, "hint": hint})

    def passed(self, job: str) -> None:
        """Say that a job is well again, if it was not."""
        if self._said.pop(job, None) is not None:
            log.info("job is well again", extra={"job": job})
