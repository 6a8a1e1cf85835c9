"""Carry a plan out, its second half: what was condemned longer ago than the grace is deleted.

What another store of the site is to keep is looked for there once more, just before it goes here,
and so are clean points that are to stay in place of the original: the catalog knows of what was
taken out behind our back when somebody looks, and no sooner.

Every step may be the last before a crash, and every step may be done twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from recorder import telemetry
from recorder.errors import StoreRefused, StoreUnavailable
from recorder.model.causes import Cause
from recorder.model.media import THIN, Copy, SegmentId
from recorder.model.timebase import HOUR, Instant
from recorder.ports import (
    Audit,
    AuditEntry,
    Commits,
    DeletableStore,
    Deletion,
    Footage,
    Integrity,
    ObjectStore,
    Planning,
)
from recorder.store.verify import check_answers, is_there, shows

log = logging.getLogger("recorder.janitor")

REFUSED_AGAIN = HOUR
"""So long after a store refused to delete an object it is asked again."""
BATCH = 200


class CacheSpool(Protocol):
    """What purging needs of a spool."""

    def remove(self, key: str) -> int:
        """Remove a sealed file."""


class PurgeCatalog(Protocol):
    """The parts of the catalog that deleting uses."""

    deletion: Deletion
    footage: Footage
    commits: Commits
    integrity: Integrity
    audit: Audit
    planning: Planning


@dataclass(frozen=True, slots=True)
class Purge:
    """How one store is purged.

    ``others``: the stores of this site that answer.  ``spools``: the local spools whose cached
    copies go with it.  ``pace`` is told how many objects are to be deleted, and may wait; false:
    all is to end.  ``still``: whether that holds by which it was judged what is to go; a purge may
    take hours.
    """

    catalog: PurgeCatalog
    others: Mapping[str, ObjectStore]
    spools: Sequence[CacheSpool]
    pace: Callable[[int], object] = lambda _: None
    still: Callable[[], bool] = lambda: True

    def look_again(self, store: DeletableStore) -> None:
        """Have what was begun earlier, and is there still, judged anew: its reason may be gone.

        What is not there is finished.  Raises: ``StoreUnavailable``.
        """
        begun = self.catalog.deletion.begun(store.name)
        there = [copy for copy in begun if is_there(store, copy.segment.key) is not False]
        if there:
            self.catalog.deletion.withdraw(there)

    def run(
        self,
        store: DeletableStore,
        grace_ns: int,
        now: Instant,
        fresh: Callable[[], bool] = lambda: True,
    ) -> int:
        """Delete what was condemned longer ago than the grace; return how many.

        ``fresh``: whether it was judged so lately that nothing needs to be looked at again.

        Where anything is not where it should stay, the next sweep judges anew; also where the
        store deletes what it refused: others may be marked because no room came of that.
        """
        purged = 0
        while fresh():
            if not self.still():
                log.warning("deleting broke off, to be judged anew", extra={"store": store.name})
                return purged
            rested = self.catalog.deletion.resting(store.name)
            due = self.catalog.deletion.take_due(store.name, now - grace_ns, now, BATCH)
            if not due:
                return purged
            if self.pace(len(due)) is False:  # what was begun is judged anew at the next start
                return purged
            copies = self.catalog.footage.copies([copy.segment for copy in due])
            back = self._leaning_on_nothing(store, due, copies, now)
            going = [copy for copy in due if copy not in back]
            purged += self._delete(store, going, copies, now)
            if back or len(due) < BATCH or self.catalog.deletion.resting(store.name) < rested:
                return purged
        return purged

    def _delete(
        self,
        store: DeletableStore,
        due: Sequence[Copy],
        copies: Mapping[str, Sequence[Copy]],
        now: Instant,
    ) -> int:
        if not due:
            return 0
        refused = store.delete([copy.segment.key for copy in due])
        kept = [copy for copy in due if copy.segment.key in refused]
        gone = [copy for copy in due if copy.segment.key not in refused]
        if kept:
            _set_aside(self.catalog.deletion, store.name, kept, refused, now)
        for spool in self.spools:
            for copy in gone:
                try:
                    spool.remove(copy.segment.key)
                except OSError as exc:  # the next start lets it go, by its entry in the audit log
                    said = {"key": copy.segment.key, "reason": str(exc)}
                    log.error("not let go of in the spool", extra=said)
        cached = [one for copy in gone for one in copies[copy.segment.key] if one.in_spool]
        self.catalog.commits.forget([*cached, *gone], Cause.PURGED)
        log.info("purged", extra={"store": store.name, "segments": len(gone)})
        telemetry.PURGED_BYTES.labels(store.name).inc(sum(c.segment.size_bytes for c in gone))
        return len(gone)

    def _leaning_on_nothing(
        self,
        store: DeletableStore,
        due: Sequence[Copy],
        copies: Mapping[str, Sequence[Copy]],
        now: Instant,
    ) -> list[Copy]:
        """Return what does not go now: what is to stay in another store is in none.

        A store that fails at this moment says nothing, is asked no more, and nothing goes on its
        word.  One that fails for an object alone is asked for the others.
        """
        silent: set[str] = set()
        back: list[Copy] = []
        missing: list[Copy] = []
        stores, thin = {**self.others, store.name: store}, self._thin_of(store.name, due)
        for copy in due:
            stays = [one for one in copies[copy.segment.key] if self._stays(one, store.name)]
            stays += thin.get(copy.segment.id, ())
            there = {one.place: _there(stores[one.place], one, silent) for one in stays}
            missing += [one for one in stays if there[one.place] is False]
            alone = bool(stays) and True not in there.values()
            if alone and is_there(store, copy.segment.key) is not False:  # else before a death
                back.append(copy)
        if back:
            self.catalog.deletion.withdraw(back)
        if missing:
            self._suspect(missing, now)
        return back

    def _suspect(self, missing: Sequence[Copy], now: Instant) -> None:
        """Lean on these no more: the mover, or the scrubber, puts them again."""
        for copy in missing:
            log.error("copy missing", extra={"key": copy.segment.key, "place": copy.place})
        self.catalog.audit.write([_entry(copy, now) for copy in missing])
        self.catalog.integrity.mark_damaged(missing, now)

    def _stays(self, copy: Copy, place: str) -> bool:
        return copy.place != place and copy.place in self.others and _is_to_stay(copy)

    def _thin_of(self, place: str, due: Sequence[Copy]) -> dict[SegmentId, list[Copy]]:
        """Return the clean points that are to stay of what goes, by what they were made of."""
        whole = {
            SegmentId(stream, start, writer + THIN): SegmentId(stream, start, writer)
            for stream, start, writer in (copy.segment.id for copy in due)
        }
        thin = self.catalog.planning.copies_by_id(place, list(whole))
        return {whole[one.segment.id]: [one] for one in thin if _is_to_stay(one)}


def _is_to_stay(copy: Copy) -> bool:
    return copy.condemned_at is None and copy.damaged_at is None


def _there(store: ObjectStore, copy: Copy, silent: set[str]) -> bool | None:
    if copy.place in silent:
        return None
    try:
        return shows(store, copy.segment)
    except (StoreUnavailable, StoreRefused) as exc:
        log.error("not deleted", extra={"store": copy.place, "reason": str(exc)})
        with suppress(StoreUnavailable, StoreRefused):
            check_answers(store, exc)
            return None
        silent.add(copy.place)
        return None


def _entry(copy: Copy, now: Instant) -> AuditEntry:
    segment = copy.segment
    return AuditEntry(
        now,
        "missing",
        segment.stream,
        segment.key,
        copy.place,
        segment.range,
        segment.size_bytes,
        "retention",
        "is not there as it should stay, seen before its other copy was deleted",
        0,
    )


def _set_aside(
    deletion: Deletion, store: str, copies: list[Copy], refused: Mapping[str, str], now: Instant
) -> None:
    """Try again later what a store refuses to delete: the rest does not wait for it."""
    deletion.postpone(copies, now + REFUSED_AGAIN)
    for copy in copies[:5]:
        key = copy.segment.key
        log.error("not deleted", extra={"store": store, "key": key, "reason": refused[key]})
    telemetry.UNDELETED.labels(store).inc(len(copies))
