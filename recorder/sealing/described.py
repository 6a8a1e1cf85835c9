"""Think: scan, true times, clocks, span rule, sound; of finished and growing files alike."""

from __future__ import annotations

from recorder.model.runs import Run, SpanState
from recorder.sealing.part import Described, SegmentPart
from recorder.sealing.raw import Raw, made_sense_of, survey
from recorder.sealing.timed import Timed
from recorder.segment.headers import Header, headers_of


@made_sense_of()
def describe(raw: Raw, run: Run, previous: SpanState | None) -> list[Described]:
    """Place a file in time and in its span; more than one segment where its header changes.

    Pure.  Raises: ``MalformedMedia`` when nothing of it can be kept.
    """
    init, scan = survey(raw.video)
    timed = Timed(raw, run, init, scan, previous)
    headers = headers_of(raw.video, init, scan.table, timed.sets_before())
    found: list[Described] = []
    state = previous
    for i, header in enumerate(headers):
        stop = headers[i + 1].fragment if i + 1 < len(headers) else len(scan.table.offsets)
        one = _part(timed, run, state, header, stop, whole=len(headers) == 1)
        found.append(one)
        state = one.state
    return found


def _part(
    timed: Timed, run: Run, before: SpanState | None, header: Header, stop: int, *, whole: bool
) -> Described:
    """Describe the segment of the fragments from a header up to the next."""
    begin, end = timed.start, timed.end
    table, groups = timed.table, timed.pictures.groups
    if not whole:
        first = table.tracks[timed.lead].first
        groups = groups[first[header.fragment] : first[stop] + 1]
        table = table.slice(header.fragment, stop)
        begin = table.tracks[timed.lead].presentation()[0] if header.fragment else begin
        if stop < len(timed.table.offsets):
            end = timed.table.slice(stop, stop + 1).tracks[timed.lead].presentation()[0]
    return SegmentPart(timed, run, before, header, table, groups, (begin, end), whole).described()
