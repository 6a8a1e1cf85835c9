"""What goes on: jobs that fail each time they run are said once, again now and then, and when they
are well; so is what each plan would warn of.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence

from recorder.errors import RecorderError

log = logging.getLogger("recorder.rounds")

AGAIN_S = 600.0
"""What goes on failing for the same reason is said so often: some jobs run each second."""


_FIGURE = re.compile(r"\b[\d.]+ (?:[kMGT]?B\b|%|segments?\b|days?\b)")
"""Moves each time, though it is the same that is said."""


class Repeated:
    """What is said of things each time they are looked at, and is news the first time alone."""

    def __init__(self, now: Callable[[], float]) -> None:
        """``now``: monotonic seconds."""
        self._now = now
        self._said: dict[str, dict[str, float]] = {}

    def news(self, about: str, said: Sequence[str]) -> list[str]:
        """Return what was not said of a thing when it was looked at last, but for figures."""
        now, before = self._now(), self._said.get(about, {})
        kinds = {one: _FIGURE.sub("", one) for one in said}
        fresh = [one for one in said if now - before.get(kinds[one], -AGAIN_S) >= AGAIN_S]
        self._said[about] = {
            kind: now if one in fresh else before[kind] for one, kind in kinds.items()
        }
        return fresh


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
