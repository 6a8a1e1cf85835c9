"""A cache of byte strings bounded by their total size."""

from __future__ import annotations

import threading
from collections import OrderedDict

from recorder.model.media import Segment


def own_name(segment: Segment, name: str = "") -> str:
    """Say under what something of a segment is kept: what other sites say of theirs is theirs.

    A site below may name its own as others are named here.  ``name``: its key, if none.
    """
    return f"{segment.stream} {name or segment.key}"


class BytesCache:
    """Keeps the most recently used byte strings, up to ``most_bytes`` together."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._held: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: str) -> bytes | None:
        """Return what is kept under a key, if anything is."""
        with self._lock:
            found = self._held.get(key)
            if found is not None:
                self._held.move_to_end(key)
            return found

    def put(self, key: str, body: bytes) -> None:
        """Keep a byte string, letting the least recently used go."""
        with self._lock:
            self._bytes += len(body) - len(self._held.pop(key, b""))
            self._held[key] = body
            while self._bytes > self.most_bytes and self._held:
                _, gone = self._held.popitem(last=False)
                self._bytes -= len(gone)
