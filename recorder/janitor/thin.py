"""Make the thin segments that plans ask for: built beside the spool, put, verified, committed."""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path
from typing import Any

from policies.plan import Plan
from recorder.attributes import attributes, content_type
from recorder.errors import (
    CopyMissing,
    IntegrityError,
    NotThinnable,
    StoreRefused,
    StoreUnavailable,
)
from recorder.janitor.worker import Worker
from recorder.model.media import Segment, SegmentId
from recorder.ports import ObjectStore
from recorder.reading.found import Found
from recorder.reading.view import View
from recorder.spool.full import full_is_said
from recorder.store.verify import verify_stored
from recorder.thinning import Writing, thin

log = logging.getLogger("recorder.janitor")


def make_thin(view: View, original: Segment, scratch: Path) -> tuple[Path, Writing]:
    """Write the thin segment of a segment to a file in ``scratch``; done again, the same bytes.

    Raises: ``CopyMissing``, ``StoreUnavailable``, ``NotThinnable``, ``SpoolFull``.
    """
    found = Found([original])
    (table,) = view.tables(found, [original])
    _, raw = view.init(found, original)
    writing = Writing(
        thin(original, raw, table), lambda offset, length: view.read(original, offset, length)
    )
    scratch.mkdir(parents=True, exist_ok=True)
    path = scratch / (hashlib.sha256(original.key.encode()).hexdigest() + ".part")
    with full_is_said(f"thin {original.key}"), path.open("wb") as file:
        for block in writing.blocks():
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    return path, writing


MOST_WHOLE = 100_000
"""Names of about 10 MB; beyond them it is found out, and said, again."""


class Thinner(Worker):
    """Carries out the thin half of plans."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._whole: set[str] = set()
        """Segments found to have no smaller form: they are kept, and not read again."""

    def carry_out(self, store: ObjectStore, plan: Plan, until: float) -> int:
        """Make thin segments until ``until`` (monotonic); return how many."""
        made = 0
        for one in plan.thins:
            if self.clock.monotonic() > until:
                break
            named = self.catalog.planning.copies_by_id(
                plan.store, [SegmentId(one.stream, one.start, one.writer)]
            )
            if named and named[0].condemned_at is None and named[0].segment.key not in self._whole:
                made += self._thin_one(store, named[0].segment)
        return made

    def _thin_one(self, store: ObjectStore, original: Segment) -> int:
        if not self.again.may(original.key):
            return 0
        # read, and a part of it written and read back
        if not self.throttle.take(2 * original.size_bytes):
            return 0
        try:
            path, writing = make_thin(self.view, original, self.scratch)
        except NotThinnable as exc:
            if len(self._whole) >= MOST_WHOLE:
                self._whole.clear()
            self._whole.add(original.key)
            log.warning("stays whole", extra={"key": original.key, "reason": str(exc)})
            return 0
        except (CopyMissing, IntegrityError, StoreRefused, StoreUnavailable) as exc:
            if not isinstance(exc, StoreUnavailable):
                self.again.failed(original.key)
            log.error("cannot thin", extra={"key": original.key, "reason": str(exc)})
            return 0
        try:
            segment = writing.segment
            assert segment is not None  # noqa: S101 - all blocks were written
            said = attributes(segment, writing.found.init, writing.found.table)
            etag = store.put_file(segment.key, path, content_type(segment), said)
            verify_stored(store, segment, read_back=True)  # the original goes because of it
            self.catalog.commits.add_segment(segment, store.name, etag, self.clock.now())
        except (StoreUnavailable, StoreRefused):
            self.again.failed(original.key)  # it may be this one alone that the store alters
            raise
        finally:
            path.unlink(missing_ok=True)
        log.info("thinned", extra={"key": original.key, "bytes": segment.size_bytes})
        return 1
