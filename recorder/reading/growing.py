"""Footage that is still being written: unsealed files of the spool, seen as segments.

Nothing watches them: a file is scanned when somebody asks, from where the last scan of it
stopped, so footage is findable as soon as its fragment is in the file and costs nothing
until then.
"""

from __future__ import annotations

import mmap
import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from recorder.errors import MalformedMedia
from recorder.index import FrameTable
from recorder.model.keys import StreamId
from recorder.model.media import InitInfo, Segment
from recorder.model.runs import Run, SealProgress, SpanState
from recorder.sealing import Described, describe


class RunSpool(Protocol):
    """What reading growing files needs of the spool."""

    def runs(self, stream: StreamId | None = None) -> list[tuple[Run, Path]]:
        """Return the runs on disk, oldest first."""

    def files(self, folder: Path) -> list[Path]:
        """Return the media files of a run, oldest first."""

    def load_progress(self, folder: Path) -> SealProgress | None:
        """Return where a run's span stands."""


@dataclass(frozen=True, slots=True)
class Growing:
    """An unsealed file as a segment; ``file`` stays readable when it is renamed."""

    segment: Segment
    table: FrameTable
    init: InitInfo
    path: Path
    file: BinaryIO


_Stamp = tuple[int, int, SpanState | None]
"""Length, time of the last change, and what the file goes on from: the same, so nothing is new."""


class GrowingFiles:
    """The unsealed files of one node's spool."""

    def __init__(self, spool: RunSpool) -> None:
        self.spool = spool
        self._lock = threading.Lock()
        self._seen: OrderedDict[Path, tuple[_Stamp, Described]] = OrderedDict()

    def of(self, stream: StreamId) -> list[Growing]:
        """Return the unsealed files of a stream that hold at least one whole fragment."""
        found: list[Growing] = []
        for run, folder in self.spool.runs(stream):
            progress = self.spool.load_progress(folder)
            state = progress.after if progress else None
            for path in self.spool.files(folder):
                if progress is not None and path.name == progress.file:
                    state = progress.before
                one = self._describe(path, run, state)
                if one is not None:
                    found.append(one)
                    state = self._seen[path][1].state
        return found

    def _describe(self, path: Path, run: Run, previous: SpanState | None) -> Growing | None:
        try:
            file = path.open("rb")
            facts = path.stat()
        except OSError:
            return None
        stamp = (facts.st_size, facts.st_mtime_ns, previous)
        with self._lock:
            seen = self._seen.get(path)
        if seen is not None and seen[0] == stamp:
            found = seen[1]
        else:
            try:
                with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as buf:
                    found = describe(buf, run, previous, [stamp[:2]])
            except (MalformedMedia, ValueError, OSError):
                file.close()
                return None
            with self._lock:
                self._seen[path] = (stamp, found)
                while len(self._seen) > 512:
                    self._seen.popitem(last=False)
        return Growing(found.segment, found.table, found.init, path, file)


def close_all(growing: Iterable[Growing]) -> None:
    """Close the files behind growing segments that nobody will read."""
    for one in growing:
        one.file.close()
