"""Footage in spools that is in doubt, since what a store had of it was not what it should be.

On one disk with a directory store a file in a spool and the object are the same bytes: what damaged
one damaged both.  Who mends the object cannot look into the spools of other nodes, which read what
lies there first.  It notes the doubt, and each node looks at its own.
"""

from __future__ import annotations

from typing import Protocol

from recorder.janitor.worker import CachedFiles, drop_altered
from recorder.model.causes import Cause
from recorder.model.media import Copy, Segment
from recorder.model.timebase import Instant
from recorder.ports import Commits, Footage, Integrity

PAGE = 100


class DoubtingCatalog(Protocol):
    """The parts of the catalog that doubt needs."""

    footage: Footage
    commits: Commits
    integrity: Integrity


def doubt_spools(catalog: DoubtingCatalog, segment: Segment, own: str, at: Instant) -> None:
    """Note that what other nodes than that of the spool ``own`` keep of a segment is in doubt."""
    copies = catalog.footage.copies([segment])[segment.key]
    others = [one for one in copies if one.at.own_spool and one.place != own]
    catalog.integrity.mark_damaged([one for one in others if one.damaged_at is None], at)


def look_at_doubted(catalog: DoubtingCatalog, spool: CachedFiles, place: str, now: Instant) -> None:
    """Read what is in doubt in this node's spool, ``place``; what is altered goes.

    What no store has whole stays as it is, and in doubt.
    Raises: ``OSError`` while the spool's disk cannot be asked.
    """
    last: Copy | None = None
    while page := catalog.integrity.suspects(place, now, PAGE, last):
        last = page[-1]
        stored = catalog.footage.copies([one.segment for one in page])
        for copy in page:
            key = copy.segment.key
            if not any(one.at.own_store and one.damaged_at is None for one in stored[key]):
                continue
            if drop_altered(spool, copy.segment) or spool.path_of(key) is None:
                catalog.commits.forget([copy], Cause.SPOOL_FULL)
            else:
                catalog.integrity.mark_verified([copy], now)
