"""Whether a SQLite file that is open lies still where it was opened.

Once it was removed, or another put in its place, what is written goes into a file that nobody
finds again, and what is read may be either's: each connection has the one that it opened.
Source: SQLite compares inodes, too, where it has no write-ahead log (``SQLITE_READONLY_DBMOVED``).
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from recorder.errors import CatalogUnavailable

log = logging.getLogger("recorder.catalog")

HINT = (
    "stop the node, and put the file back, or recorder restore of a backup, or recorder rebuild; "
    "what is recorded meanwhile waits in the spool"
)


LOG_HINT = "nothing is lost while this process runs: what it has open is written into the file"


class OpenedFile:
    """The file of a catalog, from when it was first read.

    Its write-ahead log (``-wal``) may be removed by somebody, too.  What stands in it alone is
    there as long as a connection has it open, and a new one reads the file as it was before: so
    it is written into the file, and all connections are made anew.
    """

    def __init__(self, engines: Sequence[Engine]) -> None:
        """``engines``: whose connections have it open; the first one's write."""
        self.path, self._engines = Path(str(engines[0].url.database)), engines
        self._log_path = self.path.with_name(f"{self.path.name}-wal")
        self._inode = self._log = 0

    def opened(self) -> None:
        """Note which file it is."""
        self._inode, self._log = self.path.stat().st_ino, _inode_of(self._log_path)

    def check(self) -> None:
        """See that it is there still.

        Raises: ``CatalogUnavailable``.
        """
        if not self._inode:
            return
        try:
            moved = self.path.stat().st_ino != self._inode
        except FileNotFoundError:
            moved = True
        except OSError:  # its disk fails: SQLite says how
            return
        if moved:
            said = f"catalog {self.path}: its file was removed, or another put in its place"
            raise CatalogUnavailable(said, hint=HINT)
        log_now = _inode_of(self._log_path)
        if log_now == self._log:
            return
        if self._log and (lost := self._lost_logs()):
            self._keep_log(any(lost))
        self._log = log_now

    def _lost_logs(self) -> list[int]:
        """Return the sizes of logs that this process has open and nobody finds any more."""
        gone, found = f"{self.path.resolve()}-wal (deleted)", list[int]()
        with contextlib.suppress(OSError):
            for one in Path("/proc/self/fd").iterdir():
                with contextlib.suppress(OSError):  # it was closed just now
                    if str(one.readlink()) == gone:
                        found.append(one.stat().st_size)
        return found

    def _keep_log(self, stands: bool) -> None:
        """Have what stands in a log that was removed in the file; no connection has it then."""
        said = f"catalog {self.path}: its write-ahead log was removed"
        if stands and self._is_kept_from_file():
            raise CatalogUnavailable(said, hint=LOG_HINT)
        for engine in self._engines:
            engine.dispose()
        if self._lost_logs():  # others are at work with it: their turn comes, and then this again
            raise CatalogUnavailable(said, hint=LOG_HINT)
        log.error("the catalog's write-ahead log was removed", extra={"file": str(self.path)})

    def _is_kept_from_file(self) -> bool:
        try:
            with self._engines[0].connect() as connection:
                own = connection.execution_options(spanstore_alone=True)
                return bool(own.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0])
        except SQLAlchemyError:  # a new connection's, which finds nothing of it
            return True


def _inode_of(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0
