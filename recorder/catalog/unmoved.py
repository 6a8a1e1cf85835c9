"""Whether a SQLite file that is open lies still where it was opened.

Once it was removed, or another put in its place, what is written goes into a file that nobody
finds again, and what is read may be either's: each connection has the one that it opened.
Source: SQLite compares inodes, too, where it has no write-ahead log (``SQLITE_READONLY_DBMOVED``).
"""

from __future__ import annotations

from pathlib import Path

from recorder.errors import CatalogUnavailable

HINT = (
    "stop the node, and put the file back, or recorder restore of a backup, or recorder rebuild; "
    "what is recorded meanwhile waits in the spool"
)


class OpenedFile:
    """The file of a catalog, from when it was first read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._inode = 0

    def opened(self) -> None:
        """Note which file it is."""
        self._inode = self._path.stat().st_ino

    def check(self) -> None:
        """See that it is there still.

        Raises: ``CatalogUnavailable``.
        """
        if not self._inode:
            return
        try:
            moved = self._path.stat().st_ino != self._inode
        except FileNotFoundError:
            moved = True
        except OSError:  # its disk fails: SQLite says how
            return
        if moved:
            said = f"catalog {self._path}: its file was removed, or another put in its place"
            raise CatalogUnavailable(said, hint=HINT)
