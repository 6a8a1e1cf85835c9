"""What a rebuild found, on its way into the catalog: many segments at a time, counted and told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from recorder.janitor.contradicted import BOTH, false_copies
from recorder.janitor.locked import Locked
from recorder.model.media import Segment
from recorder.model.timebase import Instant
from recorder.ports import (
    Chain,
    Footage,
    Holds,
    ObjectLocks,
    ObjectStore,
    Planning,
    Rebuilding,
)

BATCH = 200
"""So many segments go in together: a transaction each would take most of the time."""


class RebuildCatalog(Protocol):
    """The parts of the catalog that a rebuild uses."""

    @property
    def rebuilding(self) -> Rebuilding:
        """What takes in what was found."""

    @property
    def planning(self) -> Planning:
        """The copies there are."""

    @property
    def footage(self) -> Footage:
        """Where copies are."""

    @property
    def chain(self) -> Chain:
        """What was sealed."""

    @property
    def holds(self) -> Holds:
        """The holds."""

    @property
    def object_locks(self) -> ObjectLocks:
        """What is known of legal holds."""


@dataclass(slots=True)
class Rebuilt:
    """What a rebuild found: segments of ours, of others, and objects that it left out.

    ``unreadable``: (key, why); ``doubtful``: those taken in that are not what they say of
    themselves; ``contradicted``: those believed instead of another store's.
    ``elsewhere``: segments, by site, of sites that write into the store themselves: left to them.
    ``gone``: copies dropped, for their objects are not there.
    ``held``: holds, by id, on what the store keeps by legal hold and no hold here named;
    ``locks_unknown``: objects of which it did not say whether it keeps them so.
    """

    ours: int = 0
    foreign: int = 0
    ends: int = 0
    other: int = 0
    gone: int = 0
    locks_unknown: int = 0
    elsewhere: dict[str, int] = field(default_factory=dict)
    held: list[str] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    doubtful: list[tuple[str, str]] = field(default_factory=list)
    contradicted: list[tuple[str, str]] = field(default_factory=list)


class Intake:
    """Takes segments in, many at a time; counts them as ``ours`` or ``foreign``."""

    def __init__(
        self,
        catalog: RebuildCatalog,
        stores: Mapping[str, ObjectStore],
        store: ObjectStore,
        now: Instant,
        done: Rebuilt,
        locked: Locked,
    ) -> None:
        self._catalog, self._stores, self._store = catalog, stores, store
        self._now, self.done, self._locked = now, done, locked
        self._found: list[tuple[Segment, str]] = []
        self.shown = 0
        """How many segments the store holds, taken in or refused."""

    def add(self, segment: Segment, etag: str, *, ours: bool) -> None:
        """Take in one segment that the store holds."""
        self.shown += 1
        self._locked.look(segment)
        self._found.append((segment, etag))
        if ours:
            self.done.ours += 1
        else:
            self.done.foreign += 1
        if len(self._found) >= BATCH:
            self.flush(ours=ours)

    def flush(self, *, ours: bool) -> None:
        """Write what was taken in into the catalog."""
        place, by_key = self._store.name, {one.key: (one, etag) for one, etag in self._found}
        refused = []
        put = self._catalog.rebuilding.put
        for key, why in put(self._found, place, self._now, ours=ours):
            segment, etag = by_key[key]
            false = false_copies(self._catalog, self._stores, self._store, segment) if ours else []
            if not false:
                refused.append((key, why))
                continue
            self._catalog.rebuilding.replace(segment, etag, place, self._now, false)
            stores = ", ".join(one.place for one in false)
            said = f"in {stores} it is not what its own footer says, and here it is: this one is"
            self.done.contradicted.append((key, f"{said} believed, {BOTH}"))
        self.done.unreadable += refused
        if ours:
            self.done.ours -= len(refused)
        else:
            self.done.foreign -= len(refused)
        self._found = []
