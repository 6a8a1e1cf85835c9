"""A store in a dictionary: the memory side of the port, for tests and simulations."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from recorder.errors import CopyMissing, StoreRefused
from recorder.model.media import ObjectInfo


class MemoryStore:
    """An :class:`recorder.ports.ObjectStore` that lasts as long as the process."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._objects: dict[str, tuple[bytes, ObjectInfo]] = {}

    def put_file(self, key: str, path: Path, content_type: str, metadata: Mapping[str, str]) -> str:
        """Store a file's bytes under ``key``; return the etag."""
        return self.put(key, path.read_bytes(), content_type, metadata)

    def put(self, key: str, body: bytes, content_type: str, metadata: Mapping[str, str]) -> str:
        """Store ``body`` under ``key``; return the etag."""
        etag = hashlib.sha256(body).hexdigest()
        info = ObjectInfo(key, len(body), etag, content_type, dict(metadata))
        self._objects[key] = (bytes(body), info)
        return etag

    def read(self, key: str, offset: int, length: int) -> Iterator[bytes]:
        """Yield exactly ``length`` bytes from ``offset``."""
        if key not in self._objects:
            raise CopyMissing(f"read {key} from store {self.name}: no such object")
        part = self._objects[key][0][offset : offset + length]
        if len(part) != length:
            raise CopyMissing(f"read {key} from store {self.name}: object is too short")
        yield part

    def head(self, key: str) -> ObjectInfo | None:
        """Describe an object, or ``None`` when there is none."""
        found = self._objects.get(key)
        return found[1] if found else None

    def list(self, prefix: str = "", after: str = "") -> Iterator[ObjectInfo]:
        """Yield objects in key order."""
        for key in sorted(self._objects):
            if key.startswith(prefix) and key > after:
                yield self._objects[key][1]

    def delete(self, keys: Sequence[str]) -> dict[str, str]:
        """Delete objects; those already gone count as deleted."""
        for key in keys:
            self._objects.pop(key, None)
        return {}

    def presign(self, key: str, seconds: int) -> str | None:
        """A dictionary has no URLs."""
        return None

    @property
    def protects(self) -> bool:
        """A dictionary cannot keep what somebody deletes."""
        return False

    def protect(self, key: str, on: bool) -> None:
        """A dictionary has no legal holds.

        Raises: ``StoreRefused``.
        """
        raise StoreRefused(f"store {self.name} has no legal holds")

    def protected(self, key: str) -> bool:
        """A dictionary holds nothing."""
        return False

    def date(self) -> None:
        """It has no clock but this machine's."""

    def free_bytes(self) -> tuple[int, int] | None:
        """A dictionary does not know."""
        return None
