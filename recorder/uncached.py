"""Writing long files past the page cache: half the work, and nobody else's pages are pushed out.

A bundle of hours is read by nobody here, while the segments that readers ask for should stay in
memory.  Copying into the cache, and from there to the disk, costs more of a core than SHA-256 of
the same bytes (``bench evidence``).
Source: open(2), O_DIRECT: buffers, places and lengths in whole blocks, and not every file system.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

BUFFER = 1 << 20
DIRECT = getattr(os, "O_DIRECT", 0)
ALIGNED = 4096
"""Bytes; no disk in use has larger blocks, and where one had, the cache is used."""

Write = Callable[[int, memoryview], int]


class UncachedFile:
    """A new file that is written from its start to its end.

    Where the file system cannot do without its cache, it is used.  Not for several threads.
    """

    def __init__(self, path: Path, write: Write = os.write) -> None:
        self._view = memoryview(mmap.mmap(-1, BUFFER))  # lies on whole pages
        self._filled = 0
        self._write = write
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        try:
            self._handle = os.open(path, flags | DIRECT, 0o666)
            self._direct = bool(DIRECT)
        except OSError:
            self._handle = os.open(path, flags, 0o666)
            self._direct = False

    def __enter__(self) -> UncachedFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._handle)

    def write(self, block: bytes) -> None:
        """Append bytes; they may wait in memory until :meth:`sync`.  Raises: ``OSError``."""
        at = 0
        while at < len(block):
            count = min(BUFFER - self._filled, len(block) - at)
            self._view[self._filled : self._filled + count] = memoryview(block)[at : at + count]
            self._filled += count
            at += count
            if self._filled == BUFFER:
                self._hand_over(BUFFER)

    def sync(self) -> None:
        """Have all that was written on the disk.  Raises: ``OSError``."""
        self._hand_over(self._filled - self._filled % ALIGNED)
        if self._filled:
            self._use_cache()
            self._hand_over(self._filled)
        os.fsync(self._handle)

    def _hand_over(self, count: int) -> None:
        """Write the first bytes of the buffer, and move what is behind them to its start."""
        done = 0
        while done < count:
            try:
                done += self._write(self._handle, self._view[done:count])
            except OSError:
                if not self._direct:
                    raise
                self._use_cache()  # whatever it is, the plain way meets it as well
        left = self._filled - count
        self._view[:left] = self._view[count : self._filled]
        self._filled = left

    def _use_cache(self) -> None:
        if self._direct:
            flags = fcntl.fcntl(self._handle, fcntl.F_GETFL)
            fcntl.fcntl(self._handle, fcntl.F_SETFL, flags & ~DIRECT)
            self._direct = False
