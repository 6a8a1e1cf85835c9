"""What a bundle takes of a stream, known before anything is written."""

from __future__ import annotations

from recorder.errors import NotYet
from recorder.model.keys import StreamId
from recorder.model.media import Segment
from recorder.model.missing import Missing
from recorder.model.timebase import TimeRange
from recorder.reading.absent import explained, look
from recorder.reading.named import Named
from recorder.reading.view import View

Plan = tuple[Named, Missing, list[Segment]]
"""A stream, what is missing of it, and its segments."""


def plan_of(view: View, named: Named, asked: TimeRange) -> tuple[Missing, list[Segment]]:
    """Choose a stream's segments, and say what is missing, before anything is written.

    Raises: ``NoFootage``, ``NotYet``.
    """
    missing = look(view, named, asked)
    with (
        explained(view, named, asked),
        view.find_some(named.stream, asked) as found,
    ):
        if found.growing or missing.to_come is not None:
            raise NotYet(
                f"{named.stream}: the end of the range is still being recorded",
                hint="ask for an earlier end, or again in a minute or two",
                retry_after_s=60,
            )
        return missing, list(found.segments)


def beside(view: View, stream: StreamId, asked: TimeRange) -> list[Segment]:
    """Return what was recorded last before a range and first after it.

    Their links show that nothing was left out at its ends.
    """
    footage, found = view.footage, list[Segment]()
    ends = [one.end for one in footage.spans(stream, TimeRange(0, asked.start))]
    if ends:
        at = min(max(ends), asked.start)
        found += footage.segments(stream, TimeRange(at - 1, at))
    after = footage.next_span(stream, asked.end)
    here = footage.segments(stream, TimeRange(asked.end, asked.end + 1))
    if after is not None and not here:
        here = footage.segments(stream, TimeRange(after.start, after.start + 1))
    return [*found, *here]
