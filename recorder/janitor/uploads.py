"""Uploads that broke off: ours are ended when they are old, others' are told.

A segment that is larger than a part is put into a bucket in parts; where the line breaks and stays
away, its parts stay there, unseen.  In a directory it is a file without its name yet, which stays
where the machine dies.  No footage is in them that is not in the spool as well.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from recorder import telemetry
from recorder.errors import StoreRefused, StoreUnavailable
from recorder.model.keys import parse_key, site_of
from recorder.model.offered import offers
from recorder.model.timebase import Instant
from recorder.ports import Clock, ObjectStore
from recorder.store.kept import is_reserved
from recorder.store.owners import read_owners
from recorder.store.uploads import FolderStore, PartedStore, Upload

log = logging.getLogger("recorder.janitor")

AGAIN_S = 3600.0
"""How often a store is asked."""
WALK_AGAIN_S = 86_400.0
"""How often a directory is looked through: that takes as long as it has folders."""
WALK_S = 2.0
"""How long that goes on before the next sweep goes on with it."""
MOST = 100
"""So many are ended at once; the others the next time."""


@dataclass(frozen=True, slots=True)
class Sorted:
    """Unfinished uploads: ours that are old, ours that may go on, and others' that are old."""

    due: list[Upload]
    young: int
    others: int


def sort_uploads(
    uploads: Iterable[Upload], sites: Collection[str], now: Instant, after_ns: int
) -> Sorted:
    """Say which uploads are to be ended.  ``sites``: whose segments only this recorder puts here.

    ``now`` is by the clock that says when uploads were begun: the store's.
    """
    found = Sorted([], 0, 0)
    young = others = 0
    for one in uploads:
        old = now - one.begun >= after_ns
        if site_of(parse_key(one.key)) not in sites:
            others += old
        elif old:
            found.due.append(one)
        else:
            young += 1
    return Sorted(found.due, young, others)


class UploadEnder:
    """Ends unfinished uploads of ours, store by store."""

    def __init__(
        self,
        site: str,
        below: Callable[[], Collection[str]],
        clock: Clock,
        note: Callable[[str, Upload], None],
        after_ns: int,
    ) -> None:
        """``below``: sites whose footage is put here, too; ``note``: writes in the audit log that
        an upload to a store (its name) is ended; ``after_ns``: how old one is then, 0 for never.
        """
        self._site, self._below, self._clock = site, below, clock
        self._note, self._after_ns = note, after_ns
        self._asked: dict[str, float] = {}
        self._walks: dict[str, list[str]] = {}
        """Folders that are to be looked through still, by store."""

    def run(self, store: ObjectStore) -> int:
        """End what is due in a store, if it was not asked lately; return how many.

        Raises: ``StoreUnavailable``, ``StoreRefused``, ``AuditUnavailable``.
        """
        if offers(store, FolderStore):
            return self._walk(store) if self._after_ns > 0 else 0
        last = self._asked.get(store.name, -AGAIN_S)
        if not offers(store, PartedStore) or self._clock.monotonic() - last < AGAIN_S:
            return 0
        now = store.date()
        if self._after_ns <= 0 or now is None:  # by no other clock than the one that dated them
            return 0
        self._asked[store.name] = self._clock.monotonic()
        found = sort_uploads(store.unfinished(), self._sites(store), now, self._after_ns)
        telemetry.OTHERS_UPLOADS.labels(store.name).set(found.others)
        ended = self._end(store, found.due[:MOST])
        if ended or found.others:
            said = {"store": store.name, "ended": ended, "others": found.others}
            log.warning("uploads that nobody finished", extra=said)
        return ended

    def _sites(self, store: ObjectStore) -> set[str]:
        guests = {one for one in self._below() if not read_owners(store, one)}
        return {self._site, *guests}

    def _walk(self, store: FolderStore) -> int:
        """Go on looking through a directory, or begin when it is time; return how many ended.

        Their age is by this machine's clock: one that is being written still is begun anew.
        """
        name, begin = store.name, self._clock.monotonic()
        waiting = self._walks.get(name)
        if waiting is None:
            if begin - self._asked.get(name, -WALK_AGAIN_S) < WALK_AGAIN_S:
                return 0
            self._asked[name], waiting = begin, self._walks.setdefault(name, [""])
        ended, sites = 0, self._sites(store)
        while waiting and self._clock.monotonic() - begin < WALK_S:
            folders, begun = store.begun_in(waiting.pop())
            waiting += folders
            kept = [one for one in begun if is_reserved(one.key)]
            found = sort_uploads(begun, sites, self._clock.now(), self._after_ns)
            old = [one for one in kept if self._clock.now() - one.begun >= self._after_ns]
            ended += self._end(store, [*found.due, *old])
        if not waiting:
            del self._walks[name]
        if ended:
            log.warning("files that nobody finished", extra={"store": name, "ended": ended})
        return ended

    def _end(self, store: PartedStore | FolderStore, due: Iterable[Upload]) -> int:
        ended = 0
        for one in due:
            self._note(store.name, one)
            try:
                store.end_upload(one)
            except (StoreUnavailable, StoreRefused) as exc:
                log.warning("upload not ended", extra={"key": one.key, "reason": str(exc)})
                break
            ended += 1
            telemetry.ENDED_UPLOADS.labels(store.name).inc()
        return ended
