"""A place for a bundle's files that counts the camera's signatures in segments as they go by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from recorder.evidence.camera_signed import Finder
from recorder.evidence.manifest import NATIVE, File
from recorder.export.sinks import BLOCK, Sink


class Counting:
    """A :class:`Sink` on another one."""

    def __init__(self, inner: Sink) -> None:
        self._inner = inner
        self.abreast = inner.abreast
        self._found: dict[str, dict[str, int]] = {}

    def put(self, name: str, blocks: Iterable[bytes], expected: File | None = None) -> File:
        """See :class:`Sink`."""
        if not name.startswith(NATIVE):
            return self._inner.put(name, blocks, expected)
        finder = Finder()
        written = self._inner.put(name, _watched(blocks, finder), expected)
        self._found[name] = finder.found
        return written

    def has(self, file: File) -> bool:
        """See :class:`Sink`."""
        return self._inner.has(file)

    def keep(self, names: Iterable[str]) -> None:
        """See :class:`Sink`."""
        self._inner.keep(names)

    def path_of(self, name: str) -> Path | None:
        """See :class:`Sink`."""
        return self._inner.path_of(name)

    def signatures(self, name: str) -> dict[str, int]:
        """Return how many signatures a segment has; one of an earlier try is read for it."""
        path = self.path_of(name)
        if name not in self._found and path is not None:
            finder = Finder()
            with path.open("rb") as file:
                while block := file.read(BLOCK):
                    finder.feed(block)
            self._found[name] = finder.found
        return self._found.get(name, {})


def _watched(blocks: Iterable[bytes], finder: Finder) -> Iterator[bytes]:
    for block in blocks:
        finder.feed(block)
        yield block
