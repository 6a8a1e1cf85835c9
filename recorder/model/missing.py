"""What of a range has no footage, and why: said with every answer made of footage.  Pure."""

from __future__ import annotations

from dataclasses import dataclass

from recorder.model.causes import NOT_YET
from recorder.model.shown import ShownMissing
from recorder.model.timebase import TimeRange, seconds
from recorder.model.timeline import Gap, Timeline, show_gap


@dataclass(frozen=True, slots=True)
class Missing:
    """The gaps of a range that was asked for; together with the footage they cover all of it.

    The last one is ``NOT_YET`` where the range goes on after what is there now.  ``empty``:
    there is no footage in it at all.
    """

    asked: TimeRange
    gaps: tuple[Gap, ...]
    empty: bool

    @property
    def missing_ns(self) -> int:
        """How much of the range has no footage."""
        return sum(gap.range.duration_ns for gap in self.gaps)

    @property
    def covered_ns(self) -> int:
        """How much of the range has footage."""
        return self.asked.duration_ns - self.missing_ns

    @property
    def to_come(self) -> TimeRange | None:
        """What may still come; all other gaps stay."""
        last = self.gaps[-1] if self.gaps else None
        return last.range if last is not None and last.cause == NOT_YET else None

    @property
    def lasting(self) -> tuple[Gap, ...]:
        """The gaps that stay."""
        return tuple(gap for gap in self.gaps if gap.cause != NOT_YET)


def missing_in(line: Timeline, asked: TimeRange) -> Missing:
    """Say what a timeline, which ends at the present, leaves uncovered of what was asked."""
    gaps = line.gaps
    if line.range.end < asked.end:
        gaps += (Gap(max(line.range.end, asked.start), asked.end, NOT_YET),)
    return Missing(asked, gaps, empty=not line.spans)


def show_missing(missing: Missing) -> ShownMissing:
    """Write what is missing, for answers."""
    return {
        "covered_seconds": seconds(missing.covered_ns),
        "missing_seconds": seconds(missing.missing_ns),
        "gaps": [show_gap(gap) for gap in missing.gaps],
    }
