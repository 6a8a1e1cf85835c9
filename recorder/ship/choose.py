"""What to do with footage recorded for the sake of events.  Pure."""

from __future__ import annotations

from collections.abc import Iterable

from recorder.model.timebase import Instant, TimeRange


def verdict(footage: TimeRange, touched: Iterable[TimeRange], now: Instant, wait_ns: int) -> str:
    """Say ``ship``, ``wait`` (an event may still be reported) or ``drop``.

    >>> verdict(TimeRange(0, 60), [TimeRange(50, 90)], 100, 300)
    'ship'
    >>> verdict(TimeRange(0, 60), [], 100, 300), verdict(TimeRange(0, 60), [], 400, 300)
    ('wait', 'drop')
    """
    if any(one.overlaps(footage) for one in touched):
        return "ship"
    return "wait" if now < footage.end + wait_ns else "drop"
