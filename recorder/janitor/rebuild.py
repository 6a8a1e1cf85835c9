"""Rebuild: segments, spans and copies from the bucket alone (law L9).

Objects of ours describe themselves in their footers.  Objects of other recorders that
follow the annex (a camera that records to the bucket itself) are scanned: key for time
and counter, moov for codecs, fragments for frames.

What is found goes in beside what the catalog has; only when all of the store was read do
those copies go, in one transaction, whose objects are not there.  A rebuild that dies has
taken nothing away, and may be run again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from recorder.errors import (
    IntegrityError,
    MalformedMedia,
    SpoolFull,
    StateError,
    StoreRefused,
    StoreUnavailable,
)
from recorder.janitor.deciding import copies_in
from recorder.janitor.foreign import read_foreign
from recorder.janitor.intake import Intake, RebuildCatalog, Rebuilt
from recorder.janitor.locked import Locked
from recorder.janitor.told import entry_of
from recorder.model.keys import KeyParts, parse_key, site_of
from recorder.model.media import Copy, ObjectInfo, Segment
from recorder.model.timebase import DAY, Instant
from recorder.ports import (
    LockingStore,
    ObjectStore,
)
from recorder.segment.meta import segment_from_footer
from recorder.segment.tail import read_tail
from recorder.store.kept import is_reserved
from recorder.store.owners import other_sites
from recorder.store.verify import is_there

_DIGEST = re.compile(r"[0-9a-f]{64}")
AWAY = 10
"""So many objects in a row that the store does not give: it is the store, not the objects."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What there is besides the store.

    ``scratch``: the folder for what is fetched to be looked at; the system's, if none.
    ``stores``: all there are, to be looked into where this one contradicts what is known.
    ``sites``: whose footage is taken in, too, though they wrote into the store themselves; every
    site's, if ``None``.
    """

    scratch: Path | None = None
    stores: Mapping[str, ObjectStore] = field(default_factory=dict)
    sites: Collection[str] | None = ()


def rebuild(
    catalog: RebuildCatalog,
    store: LockingStore,
    site: str,
    now: Instant,
    progress: Callable[[], object] = lambda: None,
    *,
    keep: bool = False,
    sure: bool = False,
    locks: bool = True,
    beside: Beside | None = None,
) -> Rebuilt:
    """Put every segment of a store into the catalog, and take out the copies it has not.

    ``keep``: take nothing out.  ``sure``: also where the store shows no segment at all.
    ``locks``: look for legal holds, too.  ``beside``: what it may use.
    Raises: ``StateError`` when it shows none and nobody is sure; nothing is changed then.
    """
    done, beside = Rebuilt(), beside or Beside()
    locked = Locked(store, ask=locks)
    ours, others = (Intake(catalog, beside.stores, store, now, done, locked) for _ in range(2))
    theirs = set() if beside.sites is None else other_sites(store, site) - {*beside.sites}
    foreign = _Foreign(store, site, others, beside.scratch)
    for parts, info in _read_all_ours(store, ours, theirs, progress):
        foreign.add(parts, info)
    ours.flush(ours=True)
    foreign.read()
    others.flush(ours=False)
    done.held = [one.hold_id for one in locked.hold(catalog, now)]
    done.locks_unknown = locked.unknown
    if not keep:
        shown, listed = ours.shown + others.shown > 0, {key for key, _ in done.unreadable}
        done.gone = drop_gone(catalog, store, now, sure or shown, listed)
    return done


def _read_all_ours(
    store: ObjectStore, intake: Intake, theirs: Collection[str], progress: Callable[[], object]
) -> Iterator[tuple[KeyParts, ObjectInfo]]:
    """Take in the objects with a footer of ours; yield those of other recorders.

    ``theirs``: the sites that write here themselves; what is of these is left to them.
    """
    done = intake.done
    care = _Care(done)
    for info in store.list():
        progress()
        if is_reserved(info.key):
            continue
        parts = parse_key(info.key)
        if parts is None:
            done.other += 1
            continue
        if site_of(parts) in theirs:
            done.elsewhere[site_of(parts)] = done.elsewhere.get(site_of(parts), 0) + 1
            continue
        if parts.is_end:
            done.ends += 1
            continue
        is_ours = True
        with care.of(info.key):
            segment = _read_ours(store, info, done)
            is_ours = segment is not None
            if segment is not None:
                intake.add(segment, info.etag, ours=True)
        if not is_ours:
            yield parts, info


class _Care:
    """Leaves out what cannot be read, object by object; not where the store gives nothing."""

    def __init__(self, done: Rebuilt) -> None:
        self._done, self._silent = done, 0

    @contextmanager
    def of(self, key: str) -> Iterator[None]:
        try:
            yield
            self._silent = 0
        except (IntegrityError, SpoolFull) as exc:
            self._leave_out(key, exc)
        except (StoreUnavailable, StoreRefused) as exc:
            self._silent += 1
            if self._silent >= AWAY:
                raise
            self._leave_out(key, exc)

    def _leave_out(self, key: str, why: Exception) -> None:
        self._done.unreadable.append((key, str(why)))  # a key that can be parsed is plain text


def _fits(value: int, bits: int) -> bool:
    return -(1 << (bits - 1)) <= value < 1 << (bits - 1)


def _fitting(segment: Segment) -> Segment:
    """Return a segment that a row can hold.

    Raises: ``MalformedMedia``.
    """
    times = (segment.span_start, segment.start, segment.end, segment.media_start, segment.media_end)
    if not all(_fits(one, 64) for one in times) or not _fits(segment.counter, 32):
        raise MalformedMedia("what it says of itself gives a time or counter out of range")
    return segment


def drop_gone(
    catalog: RebuildCatalog,
    store: ObjectStore,
    now: Instant,
    sure: bool,
    listed: Collection[str] = (),
) -> int:
    """Drop the copies whose objects are not there; each is looked for once more.

    ``listed``: what the store showed, and then did not give: nobody knows of it.
    """
    gone = []
    for copy in copies_in(catalog.planning, store.name):
        if copy.verified_at >= now or copy.segment.key in listed:
            continue
        if not sure:
            raise StateError(
                f"store {store.name} shows no segment, and the catalog has copies there: "
                "nothing was changed",
                hint="is the right disk mounted, the right bucket named? else: "
                f"recorder rebuild --store {store.name} --yes",
            )
        if is_there(store, copy.segment.key) is False:
            gone.append(copy)
    return _drop(catalog, gone, now)


def _drop(catalog: RebuildCatalog, gone: Sequence[Copy], now: Instant) -> int:
    """Drop copies, and write in the log of each that it is lost."""
    said = [entry_of(one, "lost", now, "rebuild", "is not there") for one in gone]
    return catalog.rebuilding.drop(gone, now, said)


def drop_gone_here(
    catalog: RebuildCatalog, place: str, path_of: Callable[[str], Path | None], now: Instant
) -> int:
    """Drop the copies that a catalog of before has in a spool, and that are not there any more.

    None where nothing of what it has there is there: it may be another disk.
    """
    there, gone = 0, []
    for copy in copies_in(catalog.planning, place):
        if path_of(copy.segment.key) is not None:
            there += 1
        elif copy.verified_at < now:
            gone.append(copy)
    return _drop(catalog, gone, now) if there else 0


def _read_ours(store: ObjectStore, info: ObjectInfo, done: Rebuilt) -> Segment | None:
    """Make a segment from an object's tail, ``None`` when it has no footer of ours.

    Raises: ``IntegrityError`` when it has one that cannot be right.
    """
    footer = read_tail(lambda at, length: b"".join(store.read(info.key, at, length)), info.size)
    if footer is None:
        return None
    described = store.head(info.key)
    digest = described.metadata.get("sha256", "") if described is not None else ""
    if _DIGEST.fullmatch(digest) is None:
        digest, body = _digest(store, info, footer.offset)
        if footer.meta.get("body_sha256", "") not in ("", body):
            done.doubtful.append((info.key, "taken in, though it is not what its own footer says"))
    meta = footer.meta
    return segment_from_footer(meta, footer.frames(), info.key, info.size, digest)


def _digest(store: ObjectStore, info: ObjectInfo, end: int) -> tuple[str, str]:
    """Return the digests of an object, and of what comes before ``end``."""
    whole, body = hashlib.sha256(), hashlib.sha256()
    for block in store.read(info.key, 0, info.size):
        whole.update(block)
        body.update(block[:end])
        end -= min(end, len(block))
    return whole.hexdigest(), body.hexdigest()


class _Foreign:
    """Reads objects of other recorders in order, so that counters tell spans.

    A store lists by name, and names begin with what recorded and the day: so much is waited for
    and put in order, however many there are.
    """

    def __init__(self, store: ObjectStore, site: str, intake: Intake, scratch: Path | None) -> None:
        self._store, self._site, self._intake, self._scratch = store, site, intake, scratch
        self._care = _Care(intake.done)
        self._day: tuple[str, int] | None = None
        self._waiting: list[tuple[KeyParts, ObjectInfo]] = []
        self._spans: dict[tuple[str, str], tuple[int, Instant]] = {}
        """Of each recorder, the last counter, and when that span began."""

    def add(self, parts: KeyParts, info: ObjectInfo) -> None:
        """Hear of an object; what was recorded on the day before is read first."""
        day = (parts.prefix, parts.start // DAY)
        if day != self._day:
            self.read()
        self._day = day
        self._waiting.append((parts, info))

    def read(self) -> None:
        """Read what waits."""
        waiting, self._waiting = self._waiting, []
        for parts, info in sorted(waiting, key=lambda pair: (pair[0].postfix, pair[0].start)):
            lane = (parts.prefix, parts.postfix)
            last = self._spans.get(lane)
            goes_on = last is not None and parts.counter == last[0] + 1
            begun = last[1] if last is not None and goes_on else parts.start
            self._spans[lane] = (parts.counter, begun)
            with self._care.of(info.key):
                segment = read_foreign(self._store, info, parts, self._site, begun, self._scratch)
                self._intake.add(_fitting(segment), info.etag, ours=False)
