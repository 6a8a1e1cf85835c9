"""A file's frames, mended and placed by our clock."""

from __future__ import annotations

from dataclasses import replace

from recorder.index import Scan
from recorder.model import clocks
from recorder.model.media import InitInfo
from recorder.model.runs import Run, SpanState
from recorder.model.timebase import Instant, ns_to_ticks, ticks_to_ns
from recorder.sealing.raw import Raw
from recorder.segment.arrival import (
    credible,
    observations,
    usual_step,
    written_at,
)
from recorder.segment.astray import Move, moves
from recorder.segment.mend import (
    mend,
    shown_in_full,
)
from recorder.segment.pictures import whole_pictures
from recorder.segment.sound import Taking


class Timed:
    """A file whose frames have their true times, and its place by our clock."""

    def __init__(
        self, raw: Raw, run: Run, init: InitInfo, scan: Scan, previous: SpanState | None
    ) -> None:
        self.raw, self.init, self.scan, self.previous = raw, init, scan, previous
        self.run = run
        self.lead = init.tracks.index(init.lead)
        self.scale = init.lead.timescale
        self.follows = previous is not None and previous.file + 1 == raw.number
        self.pictures = whole_pictures(raw.video, init, scan.table)
        self.follower = credible(raw.follower, scan.table.tracks[self.lead], self.scale)
        self.mended = mend(
            self.pictures.table, self.lead, self.scale,
            written_at(scan.table, raw.arrivals, self._closed_before()),
            opens=raw.number == 0, follower=self.follower, held=run.held,
        )  # fmt: skip
        tracks = list(scan.table.tracks)
        tracks[self.lead] = shown_in_full(self.mended.track) if raw.growing else self.mended.track
        self.table = replace(scan.table, tracks=tuple(tracks))
        self.delay = self._delay()
        self.start, self.end = self._media_range()
        clock = previous.clock if previous is not None and self.follows else None
        if clock is not None and clock.media_end != self.start:
            clock = clock.at(self.start, self.scale)
        self.seen = self._seen()
        self.placed = clocks.place(
            clock, self.start, self.end, self.scale, self.seen, self._ahead()
        )

    def _delay(self) -> int:
        """Return how much later than sound the picture is stamped: with B-frames."""
        if self.previous is not None and self.follows:
            return self.previous.delay
        return self.mended.delay or max(0, self.pictures.raw.cts[0])

    def _closed_before(self) -> Instant | None:
        return self.previous.closed if self.previous is not None and self.follows else None

    def sets_before(self) -> list[bytes]:
        """Return the parameter sets that the file before ended with."""
        known = self.previous.sets if self.previous is not None and self.follows else ()
        return [bytes.fromhex(unit) for unit in known]

    def _media_range(self) -> tuple[int, int]:
        track = self.table.tracks[self.lead]
        start, end = track.presentation()
        follower = self.follower
        if follower is not None and not self.mended.leap:
            end = max(end if self.raw.growing else start + 1, follower.pts + self.mended.shift)
        return start, end

    def _seen(self) -> list[clocks.Observation]:
        follower = self.end if self.follower is not None or self.raw.growing else None
        held = self.run.held
        found = observations(
            self.table, self.lead, self.scale, self.raw.arrivals, follower, held,
            self.run.flush_ns,
        )  # fmt: skip
        return found or [(ticks_to_ns(self.end, self.scale), self.raw.arrivals[-1][1])]

    def _ahead(self) -> list[clocks.Observation]:
        """Say what the arrivals of the next file tell, in the times of this one."""
        if self.follower is None or self.mended.leap:
            return []
        held_ns = ticks_to_ns(self.run.held * usual_step(self.mended.track), self.scale)
        late_ns = 0
        if 0 < self.run.flush_ns < held_ns:
            held_ns, late_ns = 0, self.run.flush_ns
        on_ns = ticks_to_ns(self.mended.shift, self.scale) + held_ns
        return [(media + on_ns, wall - late_ns) for media, wall in self.follower.came]

    def astray(self, taking: Taking) -> dict[int, list[Move]]:
        """Say which sound came far from where its stamps put it; by the number of its source."""
        found: dict[int, list[Move]] = {}
        for file in self.raw.sounds:
            scale = file.info.timescale

            def wall_of(at_ns: int, scale: int = scale) -> Instant:
                at = taking.moved(ns_to_ticks(at_ns, scale), scale)
                return self.instant_at(ns_to_ticks(ticks_to_ns(at, scale), self.scale))

            def placed(at_ns: int) -> Instant:
                return self.instant_at(ns_to_ticks(at_ns, self.scale))

            if moved := moves(file.frames.dts, file.heard, wall_of, self.seen, placed):
                found[file.source] = moved
        return found

    def late_ns(self) -> int:
        """Say how late bytes came, against the least late: nine in ten of them."""
        rate = self.placed.clock.rate
        rest = sorted(wall - round(media * rate) for media, wall in self.seen)
        return rest[(len(rest) - 1) * 9 // 10] - rest[0]

    def instant_at(self, ticks: int) -> Instant:
        """Return when a moment of media time was, by our clock."""
        length = max(1, self.end - self.start)
        wall = self.placed.end - self.placed.start
        return self.placed.start + (2 * (ticks - self.start) * wall + length) // (2 * length)
