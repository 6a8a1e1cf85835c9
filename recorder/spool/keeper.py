"""The keeper: measures a spool, makes room when it is too full, lets old scratch go."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from recorder import telemetry
from recorder.errors import CatalogUnavailable, IntegrityError, StoreRefused, StoreUnavailable
from recorder.model.causes import Cause
from recorder.model.holds import held_ranges
from recorder.model.keys import said_of
from recorder.model.media import Copy
from recorder.model.places import spool_of
from recorder.model.timebase import SECOND, Instant
from recorder.ports import Clock
from recorder.spool.folders import FOLDERS, OTHER, Lying, used_bytes
from recorder.spool.kept import KeptCatalog, KeptSpool, Shipping
from recorder.spool.known import (
    SpoolFile,
    changed_at,
    is_held_file,
    keys_below,
    known_segments,
    segment_files,
)
from recorder.spool.lost import LostCopies
from recorder.spool.room import Eviction, SpoolItem, make_room
from recorder.spool.stranded import store_again

log = logging.getLogger("recorder.spool")

SWEEP_S = 60.0
"""So often scratch is looked at, of which the shortest lies for a day."""
FRESH_NS = 15 * SECOND
"""What ended so recently stays while half of the floor is free: where others fill the disk, what is
sealed goes to its store all the same, if it has the moment that takes."""
SHEDS_S = 60.0
REFUSED_S = 600.0
"""So long what the disk did not let go is left alone, while other files make room."""
RECOUNT_S = 3600.0
"""So often the spool is looked through: a command, or a person, may have changed it meanwhile.  And
when copies were lost elsewhere: the last one may lie here."""


@dataclass(frozen=True, slots=True)
class Limits:
    """``shed``: what goes when only footage that is nowhere else is left (:mod:`.room`)."""

    max_size_bytes: int
    floor_bytes: int
    shed: str


class Keeper:
    """Keeps one spool within its limits."""

    def __init__(
        self,
        spool: KeptSpool,
        catalog: KeptCatalog,
        clock: Clock,
        limits: Limits,
        node: str,
        site: str,
        shipping: Shipping | None = None,
        rate_bps: Callable[[], float] = lambda: 0.0,
        proven: Callable[[], Instant] = lambda: 0,
    ) -> None:
        """``rate_bps``: bytes per second that come in; ``proven``: the time proven last."""
        self.spool, self.catalog, self.clock, self.limits = spool, catalog, clock, limits
        self.place, self.site = spool_of(node), site
        self.shipping, self.rate_bps, self.proven = shipping, rate_bps, proven
        self.unforgotten: list[SpoolFile] = []  # left the spool while the catalog was away
        self._refused = dict[str, float]()  # what the disk did not let go: left until then
        self._shed_s = float("-inf")
        self._recounted_s = self._sweep_s = clock.monotonic()
        self._lost = LostCopies(catalog, clock)

    def keep(self) -> list[Eviction]:
        """Measure the spool, let old scratch go, make room if it is too full.

        While the catalog is away only what is in a store goes; its rows are dropped afterwards.
        """
        self._look_through()
        self._sweep()
        usage = self.spool.usage()
        used = used_bytes(usage)
        self._publish(usage, used)
        with contextlib.suppress(CatalogUnavailable):
            while self.unforgotten:
                self._forget(self.unforgotten[-1])
                self.unforgotten.pop()
        needed = max(used - self.limits.max_size_bytes, self.limits.floor_bytes - usage["free"])
        waits = usage["free"] > self.limits.floor_bytes / 2
        return self._make_room(needed, FRESH_NS if waits else 0) if needed > 0 else []

    @property
    def sheds(self) -> bool:
        """Whether footage that was nowhere else went within the last minute."""
        return self.clock.monotonic() - self._shed_s < SHEDS_S

    def _look_through(self) -> None:
        now_s = self.clock.monotonic()
        if now_s - self._recounted_s < RECOUNT_S and not self._lost.is_news():
            return
        self._recounted_s = now_s
        differ = self.spool.recount()
        if differ:
            log.warning("the spool holds something else than was counted", extra=differ)
        if self.shipping is not None:
            with contextlib.suppress(CatalogUnavailable):
                store_again(self.catalog.footage, self.spool, self.place, self.site)

    def _sweep(self) -> None:
        now_s = self.clock.monotonic()
        if now_s < self._sweep_s:
            return
        self._sweep_s = now_s + SWEEP_S
        for one in self.spool.sweep(self.clock.now()):
            said = {"folder": one.folder, "file": one.name, "bytes": one.size_bytes}
            log.info("old scratch removed", extra=said)

    def _publish(self, usage: Mapping[str, int], used: int) -> None:
        for folder in (*FOLDERS, OTHER):
            telemetry.SPOOL_BYTES.labels(folder).set(usage[folder])
        limits = self.limits
        room = min(limits.max_size_bytes, used + usage["free"] - limits.floor_bytes)
        telemetry.SPOOL_FILL.set(used / max(room, 1))
        rate = self.rate_bps()
        left = max(0, room - used + usage["cache"])
        telemetry.SPOOL_LEFT.set(left / rate if rate > 0 else float("inf"))
        telemetry.SHIP_WAITING.set(self.shipping.waiting if self.shipping else 0)

    def _make_room(self, needed: int, fresh_ns: int = 0) -> list[Eviction]:
        # what is on its way to the store is left alone: it would arrive there with no row to
        # name it
        busy = self.shipping.sending if self.shipping is not None else frozenset()
        now_s = self.clock.monotonic()
        self._refused = {key: until for key, until in self._refused.items() if until > now_s}
        busy = busy | self._refused.keys()
        safe = [one for one in (*self._cached(), *self._begun()) if one.key not in busy]
        items = self._whole_elsewhere(safe, needed)
        if sum(item.size_bytes for item in items) < needed:
            with contextlib.suppress(CatalogUnavailable):
                items += [one for one in self._sealed(fresh_ns) if one.key not in busy]
        chosen = make_room(items, needed, self.limits.shed)
        asking = self.shipping
        for eviction in chosen:
            if asking is not None and eviction.item.safe in ("", "below"):
                asking = asking if _commit_stored(asking, eviction.item.key) else None
            self._let_go(eviction)
        return chosen

    def _cached(self) -> Iterator[SpoolItem]:
        """Yield what is in a store: that is told by its folder."""
        for one in segment_files(self.spool.keys("cache"), self.site):
            yield SpoolItem(one.key, one.size_bytes, one.start, 0, "here")

    def _whole_elsewhere(self, items: list[SpoolItem], needed: int) -> list[SpoolItem]:
        """Leave out what is whole here alone, of those that come first.

        Where one is found ten times as many are looked at: few questions, however many there are.
        """
        while alone := self._whole_here_alone(make_room(items, needed, "never")):
            items, needed = [one for one in items if one.key not in alone], 10 * needed
        return items

    def _whole_here_alone(self, chosen: Sequence[Eviction]) -> set[str]:
        """Return the keys of those in a store, by their folder, that are known damaged there.

        They are mended from here.  While the catalog is away nobody knows of any.
        """
        cached = [(one.item.key, one.item.size_bytes) for one in chosen if one.item.safe == "here"]
        found: set[str] = set()
        with contextlib.suppress(CatalogUnavailable):
            for batch in known_segments(self.catalog.footage, segment_files(cached, self.site)):
                segments = [segment for _, segment in batch if segment is not None]
                for key, copies in self.catalog.footage.copies(segments).items():
                    others = [one.damaged_at for one in copies if one.place != self.place]
                    if copies and None not in others:
                        found.add(key)
        return found

    def _begun(self) -> Iterator[SpoolItem]:
        for one in self.spool.incoming.idle(self.clock.now()):
            yield SpoolItem(one.name, one.size_bytes, one.touched, 0, "begun")

    def _sealed(self, fresh_ns: int) -> Iterator[SpoolItem]:
        """Yield what is in no store of this site; what ended less than ``fresh_ns`` ago is fresh.

        Raises: ``CatalogUnavailable``.
        """
        present = self.clock.now()
        importance = {camera.name: camera.importance for camera in self.catalog.cameras.all()}
        now = self.proven()  # by a clock that leapt no hold ends
        held = held_ranges(self.catalog.holds.live(now), now)
        files = segment_files(self.spool.keys("sealed"), self.site)
        for batch in known_segments(self.catalog.footage, files):
            below = keys_below(self.catalog.footage, batch, self.site)
            for file, segment in batch:
                safe = "below" if file.key in below else ""
                kept = not safe and is_held_file(
                    file, segment, said_of(held, file.stream.camera_id)
                )
                rank = importance.get(file.stream.camera, 0)
                ended = segment.end if segment is not None else changed_at(self.spool.root, file)
                fresh = abs(present - ended) < fresh_ns
                yield SpoolItem(file.key, file.size_bytes, file.start, rank, safe, kept, fresh)

    def _let_go(self, eviction: Eviction) -> None:
        """Take one file out of the spool and out of the catalog's list of copies."""
        item = eviction.item
        if item.safe == "begun":
            part = Lying("incoming", item.key, item.size_bytes, item.start)
            self.spool.incoming.drop(part)
            return
        try:
            lost = eviction.shed and (self.spool.root / "sealed" / item.key).exists()
            self.spool.remove(item.key, shed=lost)
        except OSError as exc:  # it is there still: nothing is forgotten of it, others go
            if not self._refused:
                log.error("not let go", extra={"key": item.key, "reason": str(exc)})
            self._refused[item.key] = self.clock.monotonic() + REFUSED_S
            return
        for file in segment_files([(item.key, item.size_bytes)], self.site):
            try:
                self._forget(file)
            except CatalogUnavailable:
                self.unforgotten.append(file)
        if lost:
            self._shed_s = self.clock.monotonic()
            telemetry.SHED.inc()
            log.error("footage shed", extra={"key": item.key, "reason": eviction.reason})

    def _forget(self, file: SpoolFile) -> None:
        """Drop the row of a file that has left the spool."""
        for batch in known_segments(self.catalog.footage, [file]):
            gone = [Copy(segment, self.place) for _, segment in batch if segment is not None]
            if gone:
                self.catalog.commits.forget(gone, Cause.SPOOL_FULL)


def _commit_stored(shipping: Shipping, key: str) -> bool:
    """Commit what the store has although no row says so; false when it does not answer."""
    try:
        if shipping.commit_stored(key):
            log.warning("was in the store already", extra={"key": key})
    except (StoreUnavailable, StoreRefused, CatalogUnavailable, IntegrityError) as exc:
        log.warning("the store was not asked", extra={"key": key, "reason": str(exc)})
        return isinstance(exc, IntegrityError)
    return True
