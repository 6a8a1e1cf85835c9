"""What an answer of footage says in its headers: what is missing in it, and where more is said."""

from __future__ import annotations

from urllib.parse import quote

from recorder.model.keys import StreamId
from recorder.model.missing import Missing
from recorder.model.timebase import TimeRange, format_instant, seconds

MOST_TOLD = 5
"""Gaps that stand in a header: with 80 characters each it stays far below what proxies take."""


def missing_headers(missing: Missing) -> dict[str, str]:
    """Return the headers that say how much is covered, and the first gaps with their causes.

    >>> from recorder.model.timeline import Gap
    >>> gap = Gap(0, 10**9, "node")
    >>> missing_headers(Missing(TimeRange(0, 3 * 10**9), (gap,), False))["X-Missing"]
    '1970-01-01T00:00:00.000000Z/1970-01-01T00:00:01.000000Z node'
    """
    headers = {
        "X-Covered-Seconds": str(seconds(missing.covered_ns)),
        "X-Missing-Seconds": str(seconds(missing.missing_ns)),
        "X-Gaps": str(len(missing.gaps)),
    }
    if missing.gaps:
        headers["X-Missing"] = ", ".join(
            f"{format_instant(gap.start)}/{format_instant(gap.end)} {gap.cause}"
            for gap in missing.gaps[:MOST_TOLD]
        )
    return headers


def links(name: StreamId, asked: TimeRange, base: str = "") -> str:
    """Return the ``Link`` header of a clip: its true times and all its gaps, and the timeline.

    Relative to ``base``, which is so to the clip's address: a proxy may put a prefix before all.
    """
    query = f"start={format_instant(asked.start, 9)}&end={format_instant(asked.end, 9)}"
    query += f"&stream={quote(name.stream)}&site={quote(name.site)}"
    return (
        f'<{base}clip.json?{query}>; rel="describedby"; type="application/json", '
        f'<{base}timeline?{query}>; rel="related"; title="timeline"'
    )
