"""What lies in the spool as stored, and is in no store any more: it is to be stored again.

An object that somebody took away was dropped from the catalog as missing; the file that was kept
here of it is the last whole copy then.  It would be the first to make room, and no policy, which
decides about stores, would ever let it go.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Protocol

from recorder.ports import Footage
from recorder.spool.known import known_segments, segment_files

log = logging.getLogger("recorder.spool")


class StrandedSpool(Protocol):
    """What this needs of the spool."""

    def keys(self, folder: str) -> Iterator[tuple[str, int]]:
        """Yield ``(key, size)`` of ``sealed`` or ``cache``."""

    def unship(self, key: str) -> None:
        """Move a segment back to what is in no store."""


def store_again(footage: Footage, spool: StrandedSpool, place: str, site: str) -> int:
    """Give the sender back what the catalog has at ``place`` and in no store of this site.

    Returns how many.  Raises: ``CatalogUnavailable``.
    """
    found = 0
    for batch in known_segments(footage, segment_files(spool.keys("cache"), site)):
        segments = [segment for _, segment in batch if segment is not None]
        for key, copies in footage.copies(segments).items():
            here = any(one.place == place for one in copies)
            if here and not any(one.at.own_store for one in copies):
                log.warning("in no store, stored again", extra={"key": key})
                spool.unship(key)
                found += 1
    return found
