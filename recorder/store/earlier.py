"""What an object was before somebody wrote over it, where a store keeps that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from recorder.ports import ObjectStore

Read = Callable[[], Iterator[bytes]]


class VersionedStore(ObjectStore, Protocol):
    """A store that may have what an object was before it was written over."""

    def earlier(self, key: str, size: int) -> Iterator[Read]:
        """Yield what reads versions of an object that have a size, the oldest first.

        Raises: ``StoreUnavailable``, ``StoreRefused``; what is yielded does, too.
        """
