"""How the files of a run grow: how much, and when.  Noted beside them, for whoever seals them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from recorder.capture.lines import INIT_BYTES
from recorder.model.timebase import Instant

SLOW = 3.0
"""Silence is a stall after so many times the longest wait seen lately."""
NOTED_S = 2.0
"""So often is noted when sound came."""
_FEW, _KEPT = 2, 8  # waits: from so many on a rate is known; so many are kept


class GrowthSpool(Protocol):
    """What watching needs of the spool."""

    def note_arrival(self, path: Path, size: int, at: Instant) -> None:
        """Note when a file of a run had which length."""

    def sounds(self, folder: Path) -> list[tuple[int, Path]]:
        """Return the files of a run's sound."""


class Growth:
    """Watches one run's folder; :meth:`look` is called twice a second, in a thread.

    ``total``: bytes of picture so far; ``footage``: whether there is any; ``name``: the file
    being written.  ``sound``: whether files of sound are looked at, too.
    """

    def __init__(
        self, folder: Path, spool: GrowthSpool, now_s: float, *, sound: bool = True
    ) -> None:
        self.folder, self.spool, self.sound = folder, spool, sound
        self.total = 0
        self.footage = False
        self.last_s = self.sound_s = now_s
        self.heard = 0
        self._noted_s = now_s
        self._file = folder
        self._path = self._next = ""  # as text: asked for twice a second, for every stream
        self._seen: tuple[str, int] = ("", 0)
        self._waits: tuple[float, ...] = ()  # replaced, never changed: others read it meanwhile

    def look(self, now_s: float) -> int:
        """Return how many bytes of picture have come since the last look."""
        if self.sound:
            self._listen(now_s)
        name, size, changed = self._newest()
        if (name, size) == self._seen or size <= 0:
            return 0
        grown = max(0, size - self._seen[1] if name == self._seen[0] else size)
        if name != self.name:
            self._file = self.folder / name
            self._path = str(self._file)
            self._next = f"{self.folder}/{int(name[:-4]) + 1:06d}.mp4"
        self._seen = (name, size)
        if grown:
            # more than an init segment: it is larger than one, or has grown since it was seen
            self.footage = self.footage or self.total > 0 or size > INIT_BYTES
            if self.total > 0:
                self._waits = (*self._waits, now_s - self.last_s)[-_KEPT:]
            self.total += grown
            self.last_s = now_s
            with contextlib.suppress(OSError):  # ffmpeg says itself whether it can write
                self.spool.note_arrival(self._file, size, changed)
        return grown

    @property
    def name(self) -> str:
        """The file being written, as it was seen last; empty before the first."""
        return self._seen[0]

    @property
    def size(self) -> int:
        """How long the file being written was, in bytes."""
        return self._seen[1]

    def _newest(self) -> tuple[str, int, Instant]:
        """Return name, size and last change of the file being written; size -1 without one.

        ffmpeg numbers its files on, so the next one is asked for by its name.
        """
        name = self.name
        if not name or os.path.exists(self._next):  # noqa: PTH110 - a path made each time costs more
            return _newest(self.folder)
        try:
            facts = os.stat(self._path)  # noqa: PTH116 - likewise
        except OSError:  # sealed and moved on, perhaps the next one, too
            return _newest(self.folder)
        return name, facts.st_size, facts.st_mtime_ns

    def _listen(self, now_s: float) -> None:
        size = 0
        newest: dict[int, tuple[Path, os.stat_result]] = {}
        with contextlib.suppress(OSError):  # no descriptor left, say: the picture goes on
            for track, path in self.spool.sounds(self.folder):
                with contextlib.suppress(OSError):
                    facts = path.stat()
                    size += facts.st_size
                    newest[track] = path, facts
        if size > self.heard:
            self.sound_s = now_s
            if now_s - self._noted_s >= NOTED_S:
                self._noted_s = now_s
                self._note(newest.values())
        self.heard = size

    def _note(self, sounds: Iterable[tuple[Path, os.stat_result]]) -> None:
        """Note when sound came: its stamps may leave those of the picture."""
        with contextlib.suppress(OSError):
            for path, facts in sounds:
                self.spool.note_arrival(path, facts.st_size, facts.st_mtime_ns)

    @property
    def slowest_s(self) -> float:
        """The longest wait for bytes seen lately."""
        return max(self._waits, default=0.0)

    def patience_s(self, stall_s: float, start_s: float) -> float:
        """Say how long silence is no stall yet.

        ``stall_s`` where frames come often; longer where they come seldom, by the rate seen;
        ``start_s`` until there is one.
        """
        if len(self._waits) < _FEW:
            return max(stall_s, start_s)
        return max(stall_s, SLOW * self.slowest_s)


def _newest(folder: Path) -> tuple[str, int, Instant]:
    """Return name, size and last change of the file being written; size -1 without one."""
    name, size, changed = "", -1, 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if (
                    entry.name.endswith(".mp4")
                    and entry.name[:-4].isdecimal()
                    and entry.name > name
                ):
                    facts = entry.stat()
                    name, size, changed = entry.name, facts.st_size, facts.st_mtime_ns
    except OSError:
        return name, -1, 0  # sealed and moved on this moment
    return name, size, changed
