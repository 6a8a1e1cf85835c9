"""What is not there of a range that is asked for, and what is answered then."""

from __future__ import annotations

from recorder.errors import HasGaps
from recorder.model.missing import Missing, missing_in
from recorder.model.timebase import TimeRange, format_instant
from recorder.reading.named import Named
from recorder.reading.view import View


def look(view: View, named: Named, asked: TimeRange) -> Missing:
    """Say what of a range has no footage."""
    return missing_in(view.timeline(named.stream, asked, named.document), asked)


def refuse_gaps(named: Named, missing: Missing) -> None:
    """Refuse a range that has any.

    Raises: ``HasGaps``.
    """
    if not missing.gaps:
        return
    first = missing.gaps[0]
    raise HasGaps(
        f"{named.stream.camera}: {len(missing.gaps)} gap(s) in the range, the first from "
        f"{format_instant(first.start)} to {format_instant(first.end)} ({first.cause})",
        hint="ask with gaps=skip (--gaps skip), or for a range without gaps",
    )
