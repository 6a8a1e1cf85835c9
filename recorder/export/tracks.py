"""One track of a clip while it grows: where its frames stand, and which of them are shown."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import add
from typing import Any

from recorder import index
from recorder.index import CLOSED, FrameCut, TrackFrames
from recorder.model.media import TrackInfo

_Columns = tuple["array[int]", ...]


@dataclass(slots=True)
class TrackBuild:
    """Sample tables that grow; the last stretch waits for its final duration.

    ``offset`` is the clip's media time minus the source's, in the present run; ``edits`` are
    the stretches shown, as media time and length; ``empty_ticks`` a silence before them.
    """

    info: TrackInfo
    tables: Any
    entries: list[bytes] = field(default_factory=list)
    entry_of_part: list[int] = field(default_factory=list)
    edits: list[tuple[int, int]] = field(default_factory=list)
    empty_ticks: int = 0
    offset: int = 0
    started: bool = False
    _waiting: tuple[int, _Columns, int, int] | None = None
    _last: int = 0
    _end: int = 0
    _high: int = 0
    _run: tuple[int, int] | None = None
    _before: TrackFrames | None = None

    @property
    def ticks(self) -> int:
        """Length so far, with what is waiting."""
        return self._end

    def push(self, part: int, columns: _Columns, lo: int, hi: int) -> None:
        """Append frames of one source file, each at its own decode time."""
        for begin, end in _steady(columns, lo, hi):
            self._append(part, columns, begin, end)

    def _append(self, part: int, columns: _Columns, lo: int, hi: int) -> None:
        dts, duration = columns[0], columns[2]
        if not self.started:
            self.offset = -dts[lo]
        wanted = dts[lo] + self.offset
        at = max(wanted, self._last + 1) if self.started else 0
        self._flush(at - self._last)
        if at > wanted and self.info.kind == "audio":
            self.offset += at - wanted
        elif at > wanted:  # decoded later, for want of room, but shown when it should be
            shifted = array("q", (one - at + wanted for one in columns[3]))
            columns = (*columns[:3], shifted, *columns[4:])
        self._waiting = (part, columns, lo, hi)
        self._last = at + dts[hi - 1] - dts[lo]
        self._end = self._last + duration[hi - 1]
        self.started = True

    def _flush(self, last_duration: int) -> None:
        if self._waiting is not None:
            self.tables.add(*self._waiting, last_duration)
            self._waiting = None

    def close(self) -> None:
        """Write out what waits; the tables are whole then."""
        self._flush(-1)
        self.tables.close()

    def begin_run(self, slices: Sequence[tuple[TrackFrames, FrameCut]]) -> None:
        """Set where a seamless run stands: after all that came before, shown or hidden.

        Where neither side of a seam hides a frame, pictures so follow without a break,
        however long either side delays them, and one edit shows both.
        """
        first, cut = slices[0]
        least, moved, before = first.dts[cut.clean] + first.cts[cut.clean], 0, first
        for frames, cut in slices:
            moved += _moved(before, frames)
            part = slice(cut.clean, cut.stop)
            least = min(least, min(map(add, frames.dts[part], frames.cts[part])) - moved)
            before = frames
        self.offset = self._high - least if self.started else 0
        self._run, self._before = None, None

    def push_pictures(self, part: int, frames: TrackFrames, cut: FrameCut) -> None:
        """Append frames of the present run; decoding starts at the first of them."""
        columns = frames.columns()
        if self._before is not None:
            self.offset -= _moved(self._before, frames)
        elif not 0 < frames.sync[cut.clean] <= index.OPEN:
            marked = array("q", frames.sync)
            marked[cut.clean] = CLOSED
            columns = (*columns[:4], marked, *columns[5:])
        self.push(part, columns, cut.clean, cut.stop)
        self._before = frames
        if cut.shown:
            begin = self._run[0] if self._run is not None else cut.first_pts + self.offset
            self._run = (begin, cut.end_pts + self.offset)
            taken = slice(cut.clean, cut.stop)
            times = list(map(add, frames.dts[taken], frames.cts[taken]))
            top, end = max(times), cut.end_pts
            if top > cut.last_pts:
                end = top + frames.duration[cut.clean + times.index(top)]
            self._high = max(self._high, end + self.offset)

    @property
    def run_ticks(self) -> int:
        """How long the present run shows so far."""
        return self._run[1] - self._run[0] if self._run is not None else 0

    def end_run(self) -> int:
        """Show what the present run holds; return how long it is."""
        if self._run is None:
            return 0
        begin, end = self._run
        if self.edits and sum(self.edits[-1]) == begin:
            begin = self.edits.pop()[0]
        self.edits.append((begin, end - begin))
        return self.run_ticks


def _moved(before: TrackFrames, after: TrackFrames) -> int:
    """Return by how much the ruler of a file lies ahead of that of the file it follows.

    ffmpeg lets each file's decode times begin at its first frame's presentation time, so all
    its times are late by that frame's composition delay, which varies with the leading frames.
    """
    moved = after.cts[0] - before.cts[0]
    if not moved:
        return 0
    apart = after.presentation()[0] - before.presentation()[1]
    if abs(apart) * 2 <= before.duration[-1]:
        return 0  # they adjoin as they are
    return moved if abs(apart - moved) < abs(apart) else 0


def _steady(columns: _Columns, lo: int, hi: int) -> Iterator[tuple[int, int]]:
    """Split frames where decode times do not follow from the durations."""
    dts, duration = columns[0], columns[2]
    if hi <= lo:
        return
    if dts[hi - 1] - dts[lo] == sum(duration[lo : hi - 1]):
        yield lo, hi
        return
    begin = lo
    for i in range(lo + 1, hi):
        if dts[i] != dts[i - 1] + duration[i - 1]:
            yield begin, i
            begin = i
    yield begin, hi
