"""Room that a SQLite catalog has for itself on its disk, let go of when that is full.

SQLite cannot open a file, nor commit, without room beside it (``-wal``, ``-shm``), and what lets
footage go is committed there first: on a disk that is full to the last byte nobody could make room.
So some files beside the catalog take a little of it while there is plenty.  They are several, for
each that goes leaves room for one file more (a disk may have none left), and so that who else waits
for room does not get all of it.
"""

from __future__ import annotations

import errno
import logging
import os
from contextlib import suppress
from pathlib import Path

from recorder.room import room_of

log = logging.getLogger("recorder.catalog")

PARTS, PART_BYTES = 16, 1 << 20
"""A write-ahead log is begun anew once it has 4 MB (SQLite, ``wal_autocheckpoint``), and the file
grows by what it had: that, four times."""
PLENTY = 4 * PARTS * PART_BYTES
"""So much stays free beside it: nothing is kept from what else the disk is for."""
LEAST = 256 << 10
"""Bytes: so many SQLite needs at least for the files that it has beside its own."""
FULL = "disk is full"


class Reserve:
    """Files beside a catalog's, whose room it takes when there is no other."""

    def __init__(self, file: Path) -> None:
        """``file``: the catalog's."""
        self.folder = file.parent
        self._paths = [file.with_name(f"{file.name}-reserve-{one:02}") for one in range(PARTS)]
        self._lacked = False

    def lacks(self, said: str) -> bool:
        """Note that something failed, if for want of room; tell whether that is so.

        ``said``: SQLite's words, which are of a disk that fails where it cannot make its files.
        """
        with suppress(OSError):
            self._lacked = FULL in said or room_of(self.folder)[0] < LEAST
            return self._lacked
        return False

    def give(self) -> bool:
        """Let a part go if room was wanted; tell whether there was any to let go."""
        if not self._lacked:
            return False
        self._lacked = False
        for path in reversed(self._paths):
            with suppress(OSError):
                path.unlink()
                log.warning("the catalog's disk is full", extra={"let_go": str(path)})
                return True
        return False

    def kept_bytes(self) -> int:
        """Return how much there is of it."""
        return sum(map(_size_of, self._paths))

    def keep_reserve(self) -> None:
        """Make what is missing of it, as long as its disk has plenty.

        Raises: ``OSError``.
        """
        for path in self._paths:
            if _size_of(path) < PART_BYTES:  # none, or who made it died, or found no room
                if room_of(self.folder)[0] < PLENTY + PART_BYTES:
                    return
                _take_room(path)


def _size_of(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0


def _take_room(path: Path) -> None:
    """Write what no file system stores in less room than it has (zeros, what is there already).

    Raises: ``OSError``, but where others took the room meanwhile.
    """
    file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        with os.fdopen(file, "wb") as part:
            part.write(os.urandom(PART_BYTES))
    except OSError as exc:
        path.unlink(missing_ok=True)
        if exc.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
