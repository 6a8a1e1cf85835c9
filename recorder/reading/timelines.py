"""Timelines: what the catalog knows and what is recorded this moment, as spans and gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from recorder.model.cameras import Camera
from recorder.model.causes import Cause, cause_before
from recorder.model.keys import StreamId
from recorder.model.media import Segment
from recorder.model.timebase import MINUTE, SECOND, Instant, TimeRange, heard_within
from recorder.model.timeline import Gap, Timeline, excuse, hide_thin, timeline
from recorder.ports import Clock, Footage, Statuses, StreamStatus
from recorder.reading.growing import Growing
from recorder.reading.unsealed import with_growing

UNSEALED_NS = 150 * SECOND
"""What another site, or another node, records is known once its segment is sealed and told."""
NODE_SILENT_NS = 15 * SECOND
"""A node not heard of for this long is down: its streams' present gap is called ``node``."""


class TimelineMaker:
    """Makes timelines of all footage that a node can see."""

    def __init__(
        self, footage: Footage, statuses: Statuses, clock: Clock, site: str, node: str
    ) -> None:
        """``node``: this one, empty where it records nothing."""
        self.footage, self.statuses = footage, statuses
        self.clock, self.site, self._node = clock, site, node

    def line(
        self,
        stream: StreamId,
        asked: TimeRange,
        camera: Camera | None,
        growing: Sequence[Growing],
        pending: Sequence[Segment],
    ) -> Timeline:
        """Return spans and gaps of a recording; the range is cut off at the present.

        ``growing``: files that are still written here; ``pending``: segments that the catalog may
        not know yet.
        """
        now = self.clock.now()
        end = max(asked.start, min(asked.end, now))
        asked = TimeRange(asked.start, end)
        around = self.footage.around(stream, asked, after=end < now - MINUTE)
        fresh = [*pending, *(one.segment for one in growing)]
        spans = hide_thin(with_growing(around.spans, fresh))
        gaps = around.gaps
        gaps += [Gap(hole.start, hole.end, Cause.SOURCE) for one in fresh for hole in one.holes]
        late = TimeRange(end, end + 1)
        after = around.after
        if after is not None and any(span.range.overlaps(late) for span in spans):
            after = None
        earliest = spans[0] if spans else around.first
        first = earliest.start if earliest is not None else None
        since = camera.created if camera is not None else 0
        if stream.site != self.site:  # documents of other sites are not known here
            begun = self.footage.next_span(stream, 0)
            since = begun.start if begun is not None else 0
        since = min(since, first) if since and first is not None else since
        tail = "" if after is None else cause_before(after.gap_cause)
        state = self.statuses.of(stream)
        elsewhere = not growing and self._is_elsewhere(stream, state)
        if after is None and end >= now - (UNSEALED_NS if elsewhere else 2 * SECOND):
            end_of_footage = max((span.end for span in spans), default=0)
            if elsewhere:
                end_of_footage = self._sealed_end(stream, asked) or end_of_footage
            asked = self._live_edge(asked, end_of_footage, state, growing, elsewhere)
            if elsewhere and asked.end < end:  # somebody goes on with it
                spans = [replace(one, open=one.end == end_of_footage) for one in spans]
        line = timeline(spans, gaps, asked, self._present_cause(stream, camera, state), since, tail)
        source = camera.streams.get(stream.stream) if camera is not None else None
        table = source.timetable if source is not None else None
        return excuse(line, table.off(line.range)) if table is not None else line

    def _live_edge(
        self,
        asked: TimeRange,
        footage_end: Instant,
        state: StreamStatus | None,
        growing: Sequence[Growing],
        elsewhere: bool,
    ) -> TimeRange:
        """End a range that reaches the present where a recording stream's footage does.

        What was filmed in the last seconds is still on its way; it is no gap.  ``growing``:
        unsealed files of it are here, though the last word on its state may be older; of a
        camera with few frames more seconds are on their way.  ``elsewhere``: only what is sealed is
        known here, and what was filmed since may be in a file that another still writes.
        """
        now = self.clock.now()
        fresh = state is not None and heard_within(state.at, now, NODE_SILENT_NS)
        recording = bool(growing)
        if fresh and state is not None:
            recording = state.state == "recording"
        late = now - UNSEALED_NS if elsewhere else asked.end - 5 * SECOND
        late -= 3 * max((one.last_fragment_ns for one in growing), default=0)
        if recording and late < footage_end < asked.end:
            return TimeRange(asked.start, max(asked.start, footage_end))
        return asked

    def _is_elsewhere(self, stream: StreamId, state: StreamStatus | None) -> bool:
        """Tell whether another site records a stream, or another node of this one."""
        if stream.site != self.site:
            return True
        return bool(self._node) and state is not None and state.node != self._node

    def _sealed_end(self, stream: StreamId, asked: TimeRange) -> Instant:
        """Return where what is sealed of a stream ends; 0 where that is long ago, or goes on."""
        if self.footage.next_span(stream, asked.end) is not None:
            return asked.end
        lately = TimeRange(max(0, asked.end - UNSEALED_NS), asked.end)
        return max((span.end for span in self.footage.spans(stream, lately)), default=0)

    def _present_cause(
        self, stream: StreamId, camera: Camera | None, state: StreamStatus | None
    ) -> str:
        """Say why there is nothing after a recording's last footage."""
        source = camera.streams.get(stream.stream) if camera is not None else None
        here = stream.site == self.site
        if here and (camera is None or source is None or not camera.enabled):
            return Cause.OFF_SCHEDULE
        if here and source is not None and not source.wanted(self.clock.now()):
            return Cause.OFF_SCHEDULE
        if state is None or not heard_within(state.at, self.clock.now(), NODE_SILENT_NS):
            return Cause.NODE
        return state.cause if state.state != "recording" else Cause.SOURCE


def total_gaps(line: Timeline) -> dict[str, int]:
    """Sum a timeline's gaps by cause, in ns."""
    sums: dict[str, int] = {}
    for gap in line.gaps:
        sums[gap.cause] = sums.get(gap.cause, 0) + gap.range.duration_ns
    return sums
