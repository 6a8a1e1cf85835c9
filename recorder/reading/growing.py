"""Footage that is still being written: unsealed files of the spool, seen as segments.

Nothing watches them: a file is read when somebody asks, so footage is findable as soon as its
fragment is in the file and costs nothing until then.  It is described by the same function that
seals it, so it stands where it will stand.
"""

from __future__ import annotations

import logging
import os
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO, Protocol

from recorder import clean_points
from recorder.errors import CopyMissing, MalformedMedia
from recorder.index import FrameTable
from recorder.model.keys import StreamId
from recorder.model.media import InitInfo, Segment
from recorder.model.runs import Run, SealProgress, SpanState
from recorder.model.timebase import SECOND, ticks_to_ns
from recorder.ports import Clock
from recorder.reading.extent import BLOCK
from recorder.sealing import Described, Raw, describe
from recorder.segment.arrival import Follower
from recorder.segment.layout import Layout
from recorder.spool.raw import Opened, RunFiles, opened

log = logging.getLogger("recorder.spool")

FIRST_LOOK_NS = SECOND
"""A session's first fragment is not shown alone so long: it is placed better with the second."""
LATE_SOUND_NS = 3 * SECOND
"""Sound that lags the picture by more is not waited for."""


class RunSpool(RunFiles, Protocol):
    """What reading needs of the spool's runs."""

    def runs(self, stream: StreamId | None = None) -> list[tuple[Run, Path]]:
        """Return the runs on disk, oldest first."""

    def load_progress(self, folder: Path) -> SealProgress | None:
        """Return where a run's span stands."""


@dataclass(frozen=True, slots=True)
class Growing:
    """An unsealed segment; ``files`` stay readable when they are renamed.

    ``settled``: of so many fragments no byte will change any more; sound of the others is still
    on its way.
    """

    segment: Segment
    table: FrameTable
    init: InitInfo
    layout: Layout | None
    files: tuple[BinaryIO, ...]
    settled: int

    @property
    def last_fragment_ns(self) -> int:
        """How long its last fragment plays."""
        points = clean_points.unpack_points(self.segment.points)
        return ticks_to_ns(points[-1].duration_ticks, self.segment.timescale) if points else 0

    @property
    def lasting(self) -> Segment:
        """The segment with the fragments that a player may keep an address of."""
        points = clean_points.unpack_points(self.segment.points)[: self.settled]
        return replace(self.segment, points=clean_points.pack_points(points))

    def read(self, offset: int, length: int) -> Iterator[bytes]:
        """Yield exactly ``length`` bytes of its body from ``offset``."""
        if self.layout is None:
            yield from read_fd(self.files[0].fileno(), offset, length, self.segment.key)
            return
        parts = self.layout.parts
        ends = list(accumulate(len(p) if isinstance(p, bytes) else p[2] for p in parts))
        i = bisect_right(ends, offset)
        while length > 0 and i < len(parts):
            part = parts[i]
            size = len(part) if isinstance(part, bytes) else part[2]
            into = offset - (ends[i] - size)
            take = min(size - into, length)
            if isinstance(part, bytes):
                yield part[into : into + take]
            else:
                handle = self.files[part[0]].fileno()
                yield from read_fd(handle, part[1] + into, take, self.segment.key)
            offset, length, i = offset + take, length - take, i + 1
        if length > 0:
            raise CopyMissing(f"read {self.segment.key}: shorter than its index says")


@dataclass(slots=True)
class Unsealed:
    """What is not in the catalog yet: growing segments, and keys sealed a moment ago."""

    growing: list[Growing] = field(default_factory=list)
    sealed: list[str] = field(default_factory=list)

    def close(self) -> None:
        """Let go of open files."""
        close_all(self.growing)


class _Vanished(Exception):
    """A file was sealed while the folder was read."""


_Stamp = tuple[tuple[tuple[int, int, int], ...], Follower | None, bool, SpanState | None]
"""Files, lengths, times of change; what follows, what it goes on from: the same, nothing new."""


class GrowingFiles:
    """The unsealed files of one node's spool."""

    def __init__(self, spool: RunSpool, clock: Clock) -> None:
        self.spool, self.clock = spool, clock
        self._lock = threading.Lock()
        self._failing = ""
        self._seen: OrderedDict[Path, tuple[_Stamp, list[Described]]] = OrderedDict()

    def of(self, stream: StreamId) -> Unsealed:
        """Return what is not sealed of a stream, as far as at least one fragment is whole.

        A file that is sealed meanwhile is looked for again: it is then among ``sealed``.  While
        the spool's disk cannot be asked nothing is shown of it, and all else is.
        """
        found = Unsealed()
        try:
            for run, folder in self.spool.runs(stream):
                self._add(run, folder, found)
            self._failing = ""
        except OSError as exc:
            if self._failing != exc.strerror:  # each request asks, of each stream
                said = {"stream": str(stream), "reason": str(exc)}
                log.error("what is not sealed yet cannot be read", extra=said)
            self._failing = exc.strerror or ""
        return found

    def _add(self, run: Run, folder: Path, found: Unsealed) -> None:
        for attempt in range(4):
            one = Unsealed()
            try:
                self._run(run, folder, one, strict=attempt < 3)
            except _Vanished:
                one.close()
                continue
            except OSError:
                one.close()
                raise
            found.growing += one.growing
            found.sealed += one.sealed
            return

    def _run(self, run: Run, folder: Path, found: Unsealed, *, strict: bool) -> None:
        progress = self.spool.load_progress(folder)
        state = progress.after if progress else None
        if progress is not None:
            found.sealed += progress.keys
        paths = self.spool.files(folder)
        for path in paths:
            if progress is not None and path.name == progress.file:
                state = progress.before
            try:
                parts = self._describe(path, run, state, found, growing=path == paths[-1])
            except FileNotFoundError:
                if strict:
                    raise _Vanished from None
                continue
            state = parts[-1].state if parts else state

    def _describe(
        self, path: Path, run: Run, previous: SpanState | None, found: Unsealed, *, growing: bool
    ) -> list[Described]:
        try:
            with opened(self.spool, path, growing=growing, ahead_ns=run.ahead_ns) as files:
                parts = self._described(path, run, previous, files)
                if self._is_first_look(files.raw, parts):
                    return []
                for one in parts:
                    handles = tuple(_again(file) for file in files.sources)
                    settled = _settled(one, files.raw)
                    found.growing.append(
                        Growing(one.segment, one.table, one.init, one.layout, handles, settled)
                    )
        except (MalformedMedia, ValueError):
            return []  # not begun
        return parts

    def _is_first_look(self, raw: Raw, parts: list[Described]) -> bool:
        """Tell whether all there is was held back while ffmpeg looked at the source.

        It says when its second half came; the next fragment does better, and is on its way.
        What of that has come does not hide it again: a playlist has named it.
        """
        if raw.number or not raw.growing or len(parts) != 1 or len(parts[0].table.offsets) > 1:
            return False
        whole = parts[0].table.ends[0] if parts[0].table.ends else 0
        came = next((at for size, at in raw.arrivals if size >= whole), raw.arrivals[-1][1])
        return self.clock.now() - came < FIRST_LOOK_NS

    def _described(
        self, path: Path, run: Run, previous: SpanState | None, files: Opened
    ) -> list[Described]:
        facts = (os.fstat(file.fileno()) for file in files.sources)
        seen_of = tuple((one.st_ino, one.st_size, one.st_mtime_ns) for one in facts)
        stamp = (seen_of, files.raw.follower, files.raw.growing, previous)
        with self._lock:
            seen = self._seen.get(path)
        if seen is not None and seen[0] == stamp:
            return seen[1]
        parts = describe(files.raw, run, previous)
        with self._lock:
            self._seen[path] = (stamp, parts)
            while len(self._seen) > 512:
                self._seen.popitem(last=False)
        return parts


def _settled(one: Described, raw: Raw) -> int:
    """Count the fragments whose sound is there, if any is on its way."""
    count = len(one.table.offsets)
    if one.layout is None or len(one.table.tracks) < 2:
        return count
    sound = max(raw.sounds, key=lambda file: file.end_ns)
    late = ticks_to_ns(one.segment.media_end, one.segment.timescale) - sound.end_ns
    if late > LATE_SOUND_NS:
        return count  # it has gone silent
    track = one.table.tracks[0]
    reach = sound.end_ns * one.segment.timescale // SECOND
    settled = 0
    while settled < count and track.first[settled + 1] < len(track.dts):
        if track.dts[track.first[settled + 1]] > reach:
            break
        settled += 1
    return settled


def _again(file: BinaryIO) -> BinaryIO:
    """Open the same file once more: it stays when the first is closed, and when it is renamed."""
    return os.fdopen(os.dup(file.fileno()), "rb")


def close_all(growing: Iterable[Growing]) -> None:
    """Close the files behind growing segments that nobody will read."""
    for one in growing:
        for file in one.files:
            file.close()


def read_fd(handle: int, offset: int, length: int, key: str) -> Iterator[bytes]:
    """Yield ``length`` bytes of an open file, in blocks.

    Raises: ``CopyMissing`` when it is shorter.
    """
    while length > 0:
        block = os.pread(handle, min(BLOCK, length), offset)
        if not block:
            raise CopyMissing(f"read {key}: the file is shorter than its index says")
        offset += len(block)
        length -= len(block)
        yield block
