"""Object stores: what may be done to one, in three sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from recorder.model.media import ObjectInfo
from recorder.model.timebase import Instant


class Measured(Protocol):
    """What says how much room it has."""

    @property
    def name(self) -> str:
        """What the settings call it."""

    def free_bytes(self) -> tuple[int, int] | None:
        """Return (free, total) bytes where the store knows them.

        Raises: ``StoreUnavailable``.
        """


class ObjectStore(Measured, Protocol):
    """A flat, durable map from key to bytes; nothing here takes an object away."""

    name: str

    def put_file(self, key: str, path: Path, content_type: str, metadata: Mapping[str, str]) -> str:
        """Store a file's bytes under ``key``; return the etag.

        Putting the same bytes again is harmless; keys are unique per writer.
        Raises: ``StoreUnavailable``, ``StoreRefused``.
        Durable: once this returns, the bytes survive the loss of this process and host.
        """

    def put(self, key: str, body: bytes, content_type: str, metadata: Mapping[str, str]) -> str:
        """Store ``body`` under ``key``; return the etag.  As :meth:`put_file`."""

    def read(self, key: str, offset: int, length: int) -> Iterator[bytes]:
        """Yield exactly ``length`` bytes from ``offset``, in blocks, without holding all.

        Raises: ``CopyMissing`` when there is no such object, or it is shorter;
        ``StoreUnavailable`` when it stops answering, before or between blocks.
        """

    def head(self, key: str) -> ObjectInfo | None:
        """Describe an object, or ``None`` when there is none."""

    def list(self, prefix: str = "", after: str = "") -> Iterator[ObjectInfo]:
        """Yield objects in key order; never on a request path."""

    def presign(self, key: str, seconds: int) -> str | None:
        """Return a URL that reads the object for a while, or ``None`` when there are none."""

    def date(self) -> Instant | None:
        """Return the store's own time, where it has a clock of its own and says so."""


class LockingStore(ObjectStore, Protocol):
    """A store that may keep objects from being deleted by anybody."""

    @property
    def protects(self) -> bool:
        """Whether it can keep an object from being deleted by anybody (S3 legal hold)."""

    def protect(self, key: str, on: bool) -> None:
        """Place or lift a legal hold on an object; only where the store :attr:`protects`.

        Raises: ``CopyMissing``, ``StoreUnavailable``, ``StoreRefused``.
        """

    def protected(self, key: str) -> bool | None:
        """Tell whether an object has a legal hold; ``None`` where the store does not say.

        Raises: ``StoreUnavailable``.
        """


class DeletableStore(LockingStore, Protocol):
    """A store out of which objects are taken: only the janitor's rooms have one."""

    def delete(self, keys: Sequence[str]) -> Mapping[str, str]:
        """Delete objects; those already gone count as deleted.

        Returns why, of those that the store refuses to delete, by key.
        Raises: ``StoreUnavailable`` when it does not answer; some may be deleted.
        """
