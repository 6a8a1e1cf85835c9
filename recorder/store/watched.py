"""A store that remembers how its last writes went.

Health asked by reading says nothing of writing: a bucket over its quota, a disk that is full or
read only, answers every read.  What the service writes all the time is the best probe there is.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from recorder import telemetry
from recorder.errors import RecorderError, StoreRefused, StoreUnavailable
from recorder.model.media import ObjectInfo
from recorder.model.secrets import mask
from recorder.model.timebase import MINUTE, SECOND, Instant, heard_within
from recorder.ports import Clock, DeletableStore, NodeBeat

SILENT_NS = 30 * SECOND
"""What a node said of its stores counts for so long."""


@dataclass(frozen=True, slots=True)
class Writes:
    """The last outcome of writes to a store.

    ``at``: when the last one went well, to the minute; ``failing_since``: since when none did,
    ``None`` while they do; ``error``: what the last one that failed was told.
    """

    at: Instant | None = None
    failing_since: Instant | None = None
    error: str = ""

    def facts(self) -> dict[str, object]:
        """Write it, as a node says it of its stores."""
        return asdict(self)


def read_writes(facts: object) -> Writes:
    """Read what a node said; what is not understood says nothing."""
    if not isinstance(facts, Mapping):
        return Writes()
    at, since = facts.get("at"), facts.get("failing_since")
    return Writes(
        at if isinstance(at, int) else None,
        since if isinstance(since, int) else None,
        str(facts.get("error", "")),
    )


def told_writes(
    beats: Iterable[NodeBeat], site: str, now: Instant
) -> dict[str, tuple[str, Writes]]:
    """Return how writes to a site's stores went, by store: of its nodes that live, the worst.

    Each with the node that said it.
    """
    found: dict[str, tuple[str, Writes]] = {}
    for beat in beats:
        lives = heard_within(beat.at, now, SILENT_NS) and beat.facts.get("state") != "stopped"
        said = beat.facts.get("writes")
        if beat.site != site or not lives or not isinstance(said, Mapping):
            continue
        for store, facts in said.items():
            writes = read_writes(facts)
            if store not in found or _rank(writes) > _rank(found[store][1]):
                found[store] = (beat.node, writes)
    return found


def _rank(writes: Writes) -> tuple[bool, Instant]:
    return writes.failing_since is not None, writes.at or 0


class WatchedStore:
    """A :class:`recorder.ports.DeletableStore` around another."""

    def __init__(self, store: DeletableStore, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self.name = store.name
        self._lock = threading.Lock()
        self._writes = Writes()

    @property
    def writes(self) -> Writes:
        """How the last writes of this process went."""
        with self._lock:
            return self._writes

    def _passed(self) -> None:
        now = self._clock.now()
        with self._lock:
            known = self._writes
            if known.failing_since is not None or known.at is None or now - known.at >= MINUTE:
                self._writes = Writes(now)
        telemetry.STORE_REFUSING.labels(self.name).set(0)
        telemetry.STORE_WRITTEN.labels(self.name).set(now / SECOND)

    def _failed(self, exc: RecorderError) -> None:
        now = self._clock.now()
        with self._lock:
            since = self._writes.failing_since
            since = now if since is None else since
            self._writes = Writes(self._writes.at, since, mask(str(exc))[:300])
        telemetry.STORE_REFUSING.labels(self.name).set(1)

    def put_file(self, key: str, path: Path, content_type: str, metadata: Mapping[str, str]) -> str:
        """Store a file's bytes under ``key``; return the etag."""
        try:
            etag = self._store.put_file(key, path, content_type, metadata)
        except (StoreUnavailable, StoreRefused) as exc:
            self._failed(exc)
            raise
        self._passed()
        return etag

    def put(self, key: str, body: bytes, content_type: str, metadata: Mapping[str, str]) -> str:
        """Store ``body`` under ``key``; return the etag."""
        try:
            etag = self._store.put(key, body, content_type, metadata)
        except (StoreUnavailable, StoreRefused) as exc:
            self._failed(exc)
            raise
        self._passed()
        return etag

    def read(self, key: str, offset: int, length: int) -> Iterator[bytes]:
        """Yield exactly ``length`` bytes from ``offset``."""
        return self._store.read(key, offset, length)

    def head(self, key: str) -> ObjectInfo | None:
        """Describe an object, or ``None`` when there is none."""
        return self._store.head(key)

    def list(self, prefix: str = "", after: str = "") -> Iterator[ObjectInfo]:
        """Yield objects in key order."""
        return self._store.list(prefix, after)

    def presign(self, key: str, seconds: int) -> str | None:
        """Return a URL that reads the object for a while, or ``None``."""
        return self._store.presign(key, seconds)

    def date(self) -> Instant | None:
        """Return the store's own time, where it has a clock and says so."""
        return self._store.date()

    def free_bytes(self) -> tuple[int, int] | None:
        """Return (free, total) bytes where the store knows them."""
        return self._store.free_bytes()

    @property
    def protects(self) -> bool:
        """Whether it can keep an object from being deleted by anybody."""
        return self._store.protects

    def protect(self, key: str, on: bool) -> None:
        """Place or lift a legal hold on an object."""
        self._store.protect(key, on)

    def delete(self, keys: Sequence[str]) -> Mapping[str, str]:
        """Delete objects; return why, of those that the store refuses."""
        return self._store.delete(keys)

    def __getattr__(self, name: str) -> Any:
        """Return what only some stores offer besides."""
        return getattr(self._store, name)
