"""Where the files of a bundle go: a folder that may be gone on with, or one zip."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from recorder.durable import only_one, sync_directory
from recorder.errors import DigestMismatch, StateError
from recorder.evidence.manifest import File
from recorder.uncached import UncachedFile

BLOCK = 1 << 20
MARK = ".spanstore-export"
"""Says that a folder is what an export left: only such a one is cleared of what is not its."""


class Sink(Protocol):
    """Takes files; ``abreast``: so many at a time, from threads."""

    abreast: int

    def put(self, name: str, blocks: Iterable[bytes], expected: File | None = None) -> File:
        """Write a file; return it with its size and digest.

        Raises: ``DigestMismatch`` when it is not what was expected: nothing is kept of it then.
        """

    def has(self, file: File) -> bool:
        """Tell whether a file is there already, with these very bytes."""

    def keep(self, names: Iterable[str]) -> None:
        """Let go of all other files: of an earlier try, say."""

    def path_of(self, name: str) -> Path | None:
        """Return where a file lies that can be read already, ``None`` where none can."""


class FolderSink:
    """A folder; a file has its name once it is whole, so what a crash left can be gone on with."""

    abreast = 4

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, name: str, blocks: Iterable[bytes], expected: File | None = None) -> File:
        """See :class:`Sink`.  Durable: once this returns, the file survives a power cut."""
        target = self.root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(target.name + ".part")
        try:
            written = _written(part, name, blocks, expected)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        sync_directory(target.parent)
        return written

    def has(self, file: File) -> bool:
        """See :class:`Sink`."""
        path = self.root / file.name
        if not file.sha256 or not path.is_file() or path.stat().st_size != file.size:
            return False
        with path.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest() == file.sha256

    def path_of(self, name: str) -> Path | None:
        """See :class:`Sink`."""
        path = self.root / name
        return path if path.is_file() else None

    def keep(self, names: Iterable[str]) -> None:
        """See :class:`Sink`."""
        kept = {MARK, *names}
        for path in sorted(self.root.rglob("*"), reverse=True):
            if path.is_dir() and not path.is_symlink():
                with contextlib.suppress(OSError):  # has something in it
                    path.rmdir()
            elif path.relative_to(self.root).as_posix() not in kept:
                path.unlink()


class ZipSink:
    """One zip, written from its start to its end; nothing in it is compressed.

    A file lies beside it until it is known to be what it should: a zip takes nothing back.
    """

    abreast = 1

    def __init__(self, archive: zipfile.ZipFile, folder: str, beside: Path) -> None:
        self._archive, self._folder, self._beside = archive, folder, beside

    def put(self, name: str, blocks: Iterable[bytes], expected: File | None = None) -> File:
        """See :class:`Sink`."""
        part = self._beside / "part"
        written = _written(part, name, blocks, expected)
        with (
            part.open("rb") as file,
            self._archive.open(f"{self._folder}/{name}", "w", force_zip64=True) as member,
        ):
            while block := file.read(BLOCK):
                member.write(block)
        return written

    def has(self, file: File) -> bool:
        """See :class:`Sink`."""
        return False

    def path_of(self, name: str) -> Path | None:
        """See :class:`Sink`."""
        return None

    def keep(self, names: Iterable[str]) -> None:
        """See :class:`Sink`."""


def _written(part: Path, name: str, blocks: Iterable[bytes], expected: File | None) -> File:
    digest, size = hashlib.sha256(), 0
    with UncachedFile(part) as file:
        for block in blocks:
            file.write(block)
            digest.update(block)
            size += len(block)
        file.sync()
    written = File(name, size, digest.hexdigest())
    if expected is not None and (written.size, written.sha256) != (
        expected.size,
        expected.sha256 or written.sha256,
    ):
        raise DigestMismatch(f"{name}: is not, byte for byte, what was recorded")
    return written


@contextlib.contextmanager
def bundle_at(target: Path) -> Iterator[Sink]:
    """Open a bundle: a zip where the name ends so, else a folder.

    It has its name only when it is whole.  A folder that broke off is gone on with.
    Raises: ``StateError`` when something is there already.
    """
    _see_free(target)
    part = target.with_name(target.name + ".part")
    target.parent.mkdir(parents=True, exist_ok=True)
    making = _zip_at(part, target) if target.suffix == ".zip" else _folder_at(part, target)
    with making as sink:
        yield sink
    sync_directory(target.parent)


@contextlib.contextmanager
def _zip_at(part: Path, target: Path) -> Iterator[Sink]:
    with only_one(part, target):
        try:
            _see_free(target)
            beside = tempfile.TemporaryDirectory(prefix=f".{target.stem}.", dir=target.parent)
            with beside as name, part.open("wb") as file:
                with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
                    yield ZipSink(archive, target.stem, Path(name))
                file.flush()
                os.fsync(file.fileno())
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)


@contextlib.contextmanager
def _folder_at(part: Path, target: Path) -> Iterator[Sink]:
    mark = part / MARK
    if part.exists() and not mark.exists() and any(part.iterdir()):
        raise StateError(
            f"{part}: is there, and is not what an export left",
            hint="it would be cleared: move it away, or name another",
        )
    part.mkdir(exist_ok=True)
    with only_one(mark, target):
        try:
            _see_free(target)
            yield FolderSink(part)
            mark.unlink(missing_ok=True)
            part.replace(target)
        finally:
            if part.is_dir() and list(part.iterdir()) == [mark]:  # nothing to go on with
                mark.unlink()
                part.rmdir()


def _see_free(target: Path) -> None:
    if target.exists():
        raise StateError(
            f"{target}: is there already", hint="a bundle is never written over: name another"
        )
