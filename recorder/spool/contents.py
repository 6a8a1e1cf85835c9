"""What lies in the folders that can hold much: kept by every act, so that nobody has to look.

A file under one of them comes and goes by an act of this process.  Another process (a command)
may do so too, rarely: :meth:`Contents.recount` looks again, and says by how much it differed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from recorder.spool.folders import COUNTED, FOLDERS, OTHER, files_under

Files = dict[str, dict[str, int]]


class Contents:
    """Names and sizes by folder; the first question looks, the next ones do not."""

    def __init__(
        self, root: Path, look: Callable[[Path], Iterator[tuple[str, int, int]]] = files_under
    ) -> None:
        self.root, self._look = root, look
        self._lock = threading.Lock()  # never held while a disk is looked at
        self._files: Files | None = None
        self._bytes: dict[str, int] = {}
        self._sorted: dict[str, list[tuple[str, int]]] = {}
        self._journals: list[dict[tuple[str, str], int | None]] = []

    def put(self, folder: str, name: str, size_bytes: int) -> None:
        """Note a file that has come, or has another size now."""
        self._note(folder, name, size_bytes)

    def drop(self, folder: str, name: str) -> None:
        """Note a file that has gone."""
        self._note(folder, name, None)

    def _note(self, folder: str, name: str, size_bytes: int | None) -> None:
        with self._lock:
            for journal in self._journals:
                journal[folder, name] = size_bytes
            if self._files is not None:
                self._set(self._files, folder, name, size_bytes)

    def _set(self, files: Files, folder: str, name: str, size_bytes: int | None) -> None:
        before = files[folder].pop(name, None)
        if size_bytes is not None:
            files[folder][name] = size_bytes
        if (before is None) != (size_bytes is None) or before != size_bytes:
            self._bytes[folder] += (size_bytes or 0) - (before or 0)
            self._sorted.pop(folder, None)

    def sizes(self) -> Mapping[str, int]:
        """Return bytes per folder, and those of what lies in none (``other``)."""
        self._known()
        with self._lock:
            return dict(self._bytes)

    def files(self, folder: str) -> list[tuple[str, int]]:
        """Return (name, size) of what lies in a folder, by name."""
        self._known()
        with self._lock:
            assert self._files is not None  # noqa: S101 - it is known from now on
            found = self._sorted.get(folder)
            if found is None:
                found = self._sorted[folder] = sorted(self._files[folder].items())
            return found

    def _known(self) -> None:
        if self._files is None:
            self.recount()

    def recount(self) -> dict[str, int]:
        """Look at everything; return by how many bytes folders differed from what was known.

        What comes and goes meanwhile is noted, and holds.
        """
        journal: dict[tuple[str, str], int | None] = {}
        with self._lock:
            self._journals.append(journal)
        seen: Files = {
            name: {file: size for file, size, _ in self._look(self.root / name)} for name in COUNTED
        }
        seen[OTHER] = dict(self._others())
        with self._lock:
            self._journals = [one for one in self._journals if one is not journal]
            return self._take(seen, journal)

    def _take(self, seen: Files, journal: Mapping[tuple[str, str], int | None]) -> dict[str, int]:
        before = dict(self._bytes) if self._files is not None else None
        self._files, self._sorted = seen, {}
        self._bytes = {name: sum(files.values()) for name, files in seen.items()}
        for (folder, name), size_bytes in journal.items():
            self._set(seen, folder, name, size_bytes)
        if before is None:
            return {}
        differ = {name: now - before[name] for name, now in self._bytes.items()}
        return {name: more for name, more in differ.items() if more}

    def _others(self) -> Iterator[tuple[str, int]]:
        try:
            entries = sorted(self.root.iterdir())
        except OSError:
            return
        for path in entries:
            if path.name in FOLDERS:
                continue
            if path.is_dir() and not path.is_symlink():
                for name, size, _ in self._look(path):
                    yield f"{path.name}/{name}", size
                continue
            try:
                yield path.name, path.lstat().st_size
            except OSError:
                continue
