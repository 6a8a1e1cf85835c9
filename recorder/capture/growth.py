"""How the files of a run grow: how much, when, and whether the picture's parameters change."""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from pathlib import Path

from recorder import index
from recorder.bmff.init import read_init
from recorder.bmff.parameters import nal_length_size, sequence_parameters
from recorder.errors import MalformedMedia
from recorder.model.media import InitInfo
from recorder.model.timebase import Instant
from recorder.sealing import Arrival

_HEAD_BYTES = 1024
"""Parameter sets stand before a sample's first slice, within this many bytes."""


class Growth:
    """Watches one run's folder; :meth:`look` is called twice a second."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.total = 0
        self.arrivals: dict[str, list[Arrival]] = {}
        self._seen: tuple[str, int] = ("", 0)
        self._parameters = _Parameters()

    def look(self) -> int:
        """Return how many bytes have come since the last look."""
        name, size, changed = _newest(self.folder)
        if (name, size) == self._seen or size <= 0:
            return 0
        grown = max(0, size - self._seen[1] if name == self._seen[0] else size)
        self._seen = (name, size)
        self.total += grown
        self.arrivals.setdefault(name, []).append((size, changed))
        return grown

    def take(self, name: str) -> Sequence[Arrival]:
        """Return, and forget, what was seen of a file's growth."""
        return self.arrivals.pop(name, ())

    def parameters_changed(self) -> bool:
        """Tell whether clean points now carry other parameters than the ones before."""
        return self._parameters.changed(self.folder / self._seen[0])


class _Parameters:
    """The parameter sets in the newest clean point of a run.

    Compared with the clean points before, not with the header: many cameras announce
    others than they send.
    """

    def __init__(self) -> None:
        self._path: Path | None = None
        self._init: InitInfo | None = None
        self._length_size: int | None = None
        self._stop = 0
        self._last: tuple[bytes, ...] = ()

    def changed(self, path: Path) -> bool:
        try:
            with path.open("rb") as file, mmap.mmap(
                file.fileno(), 0, access=mmap.ACCESS_READ
            ) as buf:  # fmt: skip
                return self._advance(path, buf)
        except (OSError, ValueError, MalformedMedia):
            return False  # sealed and moved on this moment, or not begun

    def _advance(self, path: Path, buf: mmap.mmap) -> bool:
        if path != self._path or self._init is None:
            self._path, self._init = path, None
            self._init = read_init(buf)
            self._length_size = nal_length_size(self._init.lead)
            self._stop = self._init.size
        if self._length_size is None:
            return False
        found = index.scan(buf, self._init, self._stop)
        self._stop = found.stop
        track = found.table.tracks[self._init.tracks.index(self._init.lead)]
        changed = False
        for first in track.first[:-1]:
            if first < len(track.dts) and track.sync[first]:
                at = track.offset[first]
                head = buf[at : at + min(_HEAD_BYTES, track.size[first])]
                sets = sequence_parameters(head, self._length_size)
                changed = changed or bool(sets and self._last and sets != self._last)
                self._last = sets or self._last
        return changed


def _newest(folder: Path) -> tuple[str, int, Instant]:
    """Return name, size and last change of the file being written; size -1 without one."""
    name, size, changed = "", -1, 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(".mp4") and entry.name > name:
                    facts = entry.stat()
                    name, size, changed = entry.name, facts.st_size, facts.st_mtime_ns
    except OSError:
        return name, -1, 0  # sealed and moved on this moment
    return name, size, changed
