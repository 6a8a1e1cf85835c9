"""What is not there of a range that is asked for, and what is answered then.

A gap stays as it is; what is not there yet may be asked for again, or waited for.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from recorder.errors import HasGaps, NoFootage, NotYet, RecorderError
from recorder.model.counting import number_of
from recorder.model.missing import Missing, missing_in
from recorder.model.timebase import SECOND, TimeRange, format_instant
from recorder.reading.named import Named
from recorder.reading.view import View

ON_ITS_WAY_S = 2
"""Footage is in its file after half a second, and a fragment more decides where it stands."""
MOST_RETRY_S = 3600


def look(view: View, named: Named, asked: TimeRange) -> Missing:
    """Say what of a range has no footage."""
    return missing_in(view.timeline(named.stream, asked, named.document), asked)


def comes(view: View, named: Named, missing: Missing) -> bool:
    """Tell whether more of a range may come: it goes on after now, and somebody will record it."""
    if missing.to_come is None:
        return False
    if named.stream.site != view.site:
        return True
    document = named.document
    source = document.streams.get(named.stream.stream) if document is not None else None
    wanted = source is not None and source.enabled and source.record != "off"
    return wanted and document is not None and document.enabled


def refuse_gaps(view: View, named: Named, missing: Missing) -> None:
    """Refuse a range that has any.

    Raises: ``HasGaps``; ``NotYet`` where all that is missing may still come.
    """
    if not missing.gaps:
        return
    if not missing.lasting and comes(view, named, missing):
        raise _not_yet(view, named, missing, "all of its footage")
    first = (missing.lasting or missing.gaps)[0]
    many = number_of(len(missing.gaps), "gap")
    raise HasGaps(
        f"{named.stream.camera}: {many} in the range, the first from "
        f"{format_instant(first.start)} to {format_instant(first.end)} ({first.cause})",
        hint="ask with gaps=skip (--gaps skip), or for a range without gaps",
    )


@contextlib.contextmanager
def explained(view: View, named: Named, asked: TimeRange) -> Iterator[None]:
    """Say of a range without footage why there is none, and whether there may be some yet.

    Raises: ``NotYet`` or ``NoFootage``, for a ``NoFootage`` that is raised within.
    """
    try:
        yield
    except NoFootage as exc:
        raise _absence(view, named, asked, exc) from exc


def _absence(view: View, named: Named, asked: TimeRange, exc: NoFootage) -> RecorderError:
    missing = look(view, named, asked)
    if not missing.empty:
        return exc
    if comes(view, named, missing):
        return _not_yet(view, named, missing, "any footage")
    causes = ", ".join(dict.fromkeys(str(gap.cause) for gap in missing.gaps))
    return NoFootage(f"{exc}" + (f" ({causes})" if causes else ""), hint=exc.hint)


def _not_yet(view: View, named: Named, missing: Missing, what: str) -> NotYet:
    asked = missing.asked
    ahead_s = (asked.end - view.clock.now()) // SECOND
    near = view.nearest(named.stream, missing.to_come or asked)
    first, last = format_instant(asked.start, 3), format_instant(asked.end, 3)
    when = f"of {first}" if first == last else f"from {first} to {last}"
    return NotYet(
        f"{named.stream} does not have {what} {when} yet",
        hint=f"ask again after the end of the range, or with wait=30s; {near}",
        retry_after_s=min(MOST_RETRY_S, max(0, ahead_s) + ON_ITS_WAY_S),
    )
