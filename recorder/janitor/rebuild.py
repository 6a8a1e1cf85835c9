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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

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
from recorder.janitor.locked import Locked
from recorder.model.keys import KeyParts, parse_key
from recorder.model.media import ObjectInfo, Segment
from recorder.model.timebase import Instant
from recorder.ports import (
    Holds,
    LockingStore,
    ObjectLocks,
    ObjectStore,
    Planning,
    Rebuilding,
)
from recorder.segment.meta import segment_from_footer
from recorder.segment.tail import read_tail
from recorder.store.kept import is_reserved

BATCH = 200
"""So many segments go in together: a transaction each would take most of the time."""
AWAY = 10
"""So many objects in a row that the store does not give: it is the store, not the objects."""


class RebuildCatalog(Protocol):
    """The parts of the catalog that a rebuild uses."""

    @property
    def rebuilding(self) -> Rebuilding:
        """What takes in what was found."""

    @property
    def planning(self) -> Planning:
        """The copies there are."""

    @property
    def holds(self) -> Holds:
        """The holds."""

    @property
    def object_locks(self) -> ObjectLocks:
        """What is known of legal holds."""


@dataclass(slots=True)
class Rebuilt:
    """What a rebuild found: segments of ours, of others, and objects that it left out.

    ``unreadable``: (key, why); ``gone``: copies dropped, for their objects are not there.
    ``held``: holds, by id, on what the store keeps by legal hold and no hold here named;
    ``locks_unknown``: objects of which it did not say whether it keeps them so.
    """

    ours: int = 0
    foreign: int = 0
    ends: int = 0
    other: int = 0
    gone: int = 0
    locks_unknown: int = 0
    held: list[str] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)


class _Intake:
    """Takes segments in, many at a time; counts them as ``ours`` or ``foreign``."""

    def __init__(
        self, rebuilding: Rebuilding, place: str, now: Instant, done: Rebuilt, locked: Locked
    ) -> None:
        self._rebuilding, self._place, self._now, self._done = rebuilding, place, now, done
        self._locked = locked
        self._found: list[tuple[Segment, str]] = []

    def add(self, segment: Segment, etag: str, *, ours: bool) -> None:
        self._locked.look(segment)
        self._found.append((segment, etag))
        if ours:
            self._done.ours += 1
        else:
            self._done.foreign += 1
        if len(self._found) >= BATCH:
            self.flush(ours=ours)

    def flush(self, *, ours: bool) -> None:
        refused = self._rebuilding.put(self._found, self._place, self._now)
        self._done.unreadable += refused
        if ours:
            self._done.ours -= len(refused)
        else:
            self._done.foreign -= len(refused)
        self._found = []


def rebuild(
    catalog: RebuildCatalog,
    store: LockingStore,
    site: str,
    now: Instant,
    progress: Callable[[], object] = lambda: None,
    *,
    keep: bool = False,
    sure: bool = False,
    scratch: Path | None = None,
    locks: bool = True,
) -> Rebuilt:
    """Put every segment of a store into the catalog, and take out the copies it has not.

    ``keep``: take nothing out.  ``sure``: also where the store shows no segment at all.
    ``scratch``: the folder for what is fetched to be looked at; the system's, if none.
    ``locks``: look for legal holds, too.
    Raises: ``StateError`` when it shows none and nobody is sure; nothing is changed then.
    """
    done = Rebuilt()
    locked = Locked(store, ask=locks)
    intake = _Intake(catalog.rebuilding, store.name, now, done, locked)
    foreign = _read_all_ours(store, intake, done, progress)
    intake.flush(ours=True)
    _read_all_foreign(store, site, foreign, intake, done, scratch)
    intake.flush(ours=False)
    done.held = [one.hold_id for one in locked.hold(catalog, now)]
    done.locks_unknown = locked.unknown
    if not keep:
        done.gone = drop_gone(catalog, store, now, sure or done.ours + done.foreign > 0)
    return done


def _read_all_ours(
    store: ObjectStore, intake: _Intake, done: Rebuilt, progress: Callable[[], object]
) -> list[tuple[KeyParts, ObjectInfo]]:
    """Take in the objects with a footer of ours; return those of other recorders."""
    foreign: list[tuple[KeyParts, ObjectInfo]] = []
    care = _Care(done)
    for info in store.list():
        progress()
        if is_reserved(info.key):
            continue
        parts = parse_key(info.key)
        if parts is None:
            done.other += 1
            continue
        if parts.is_end:
            done.ends += 1
            continue
        with care.of(info.key):
            segment = _read_ours(store, info)
            if segment is None:
                foreign.append((parts, info))
            else:
                intake.add(segment, info.etag, ours=True)
    return foreign


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
        shown = key.encode("utf-8", "backslashreplace").decode()
        self._done.unreadable.append((shown, str(why)))


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


def drop_gone(catalog: RebuildCatalog, store: ObjectStore, now: Instant, sure: bool) -> int:
    """Drop the copies whose objects are not there; each is looked for once more."""
    gone = []
    for copy in copies_in(catalog.planning, store.name):
        if copy.verified_at >= now:
            continue
        if not sure:
            raise StateError(
                f"store {store.name} shows no segment, and the catalog has copies there: "
                "nothing was changed",
                hint="is the right disk mounted, the right bucket named? else: "
                f"recorder rebuild --store {store.name} --yes",
            )
        if store.head(copy.segment.key) is None:
            gone.append(copy)
    return catalog.rebuilding.drop(gone, now)


def _read_ours(store: ObjectStore, info: ObjectInfo) -> Segment | None:
    """Make a segment from an object's tail, ``None`` when it has no footer of ours.

    Raises: ``IntegrityError`` when it has one that cannot be right.
    """
    footer = read_tail(lambda at, length: b"".join(store.read(info.key, at, length)), info.size)
    if footer is None:
        return None
    described = store.head(info.key)
    digest = described.metadata.get("sha256", "") if described is not None else ""
    if not digest:
        digest = _digest(store, info)
    meta = footer.meta
    return _fitting(segment_from_footer(meta, footer.frames(), info.key, info.size, digest))


def _digest(store: ObjectStore, info: ObjectInfo) -> str:
    digest = hashlib.sha256()
    for block in store.read(info.key, 0, info.size):
        digest.update(block)
    return digest.hexdigest()


def _read_all_foreign(
    store: ObjectStore,
    site: str,
    found: list[tuple[KeyParts, ObjectInfo]],
    intake: _Intake,
    done: Rebuilt,
    scratch: Path | None,
) -> None:
    """Read objects of other recorders in order, so that counters tell spans."""
    found.sort(key=lambda pair: (pair[0].prefix, pair[0].postfix, pair[0].start))
    span: dict[tuple[str, str], tuple[int, Instant]] = {}
    care = _Care(done)
    for parts, info in found:
        lane = (parts.prefix, parts.postfix)
        last = span.get(lane)
        if last is None or parts.counter != last[0] + 1:
            span[lane] = (parts.counter, parts.start)
        else:
            span[lane] = (parts.counter, last[1])
        with care.of(info.key):
            segment = read_foreign(store, info, parts, site, span[lane][1], scratch)
            intake.add(_fitting(segment), info.etag, ours=False)
