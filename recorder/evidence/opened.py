"""A bundle as files: a folder, or one zip."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from recorder.evidence.sums import is_plain


class Bundle(Protocol):
    """What is verified."""

    def names(self) -> list[str]:
        """Return the names of its files."""

    def open(self, name: str) -> BinaryIO:
        """Open a file that can be sought in.  Raises: ``OSError``."""

    def size(self, name: str) -> int:
        """Return how many bytes a file has.  Raises: ``OSError``."""


class Folder:
    """A bundle in a folder; a link in it is not followed out of it."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def names(self) -> list[str]:
        """See :class:`Bundle`."""
        found = (one for one in self._root.rglob("*") if not one.is_dir() or one.is_symlink())
        return sorted(one.relative_to(self._root).as_posix() for one in found)

    def _path(self, name: str) -> Path:
        path = self._root / name
        if not is_plain(name) or path.is_symlink() or not path.is_file():
            raise FileNotFoundError(f"{name}: is no file of the bundle")
        return path

    def open(self, name: str) -> BinaryIO:
        """See :class:`Bundle`."""
        return self._path(name).open("rb")

    def size(self, name: str) -> int:
        """See :class:`Bundle`."""
        return self._path(name).stat().st_size


class Archive:
    """A bundle in a zip, all in one folder of its name or in none."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        listed = [one for one in archive.infolist() if not one.is_dir()]
        tops = {one.filename.partition("/")[0] for one in listed}
        inner = f"{next(iter(tops))}/" if len(tops) == 1 else ""
        inner = inner if all(one.filename.startswith(inner) for one in listed) else ""
        self._listed = {one.filename.removeprefix(inner): one for one in listed}
        if len(self._listed) != len(listed):
            raise OSError("the zip has two files of one name")

    def names(self) -> list[str]:
        """See :class:`Bundle`."""
        return sorted(self._listed)

    def _info(self, name: str) -> zipfile.ZipInfo:
        info = self._listed.get(name)
        if info is None:
            raise FileNotFoundError(f"{name}: is not in the zip")
        return info

    def open(self, name: str) -> BinaryIO:
        """See :class:`Bundle`."""
        return cast(BinaryIO, _Checked(self._archive.open(self._info(name))))

    def size(self, name: str) -> int:
        """See :class:`Bundle`."""
        return self._info(name).file_size


class _Checked:
    """A member of a zip: what zipfile finds wrong with it is an ``OSError`` as any."""

    def __init__(self, member: object) -> None:
        self._member = member

    def __enter__(self) -> _Checked:
        return self

    def __exit__(self, *_: object) -> None:
        self._member.close()  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> object:
        return getattr(self._member, name)

    def read(self, size: int = -1) -> bytes:
        """Read bytes.  Raises: ``OSError``."""
        try:
            return cast(bytes, self._member.read(size))  # type: ignore[attr-defined]
        except zipfile.BadZipFile as exc:
            raise OSError(str(exc)) from exc


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Bundle]:
    """Open a bundle.  Raises: ``OSError`` when there is none, or it is damaged as a zip."""
    if path.is_dir():
        yield Folder(path)
        return
    try:
        with zipfile.ZipFile(path) as archive:
            yield Archive(archive)
    except zipfile.BadZipFile as exc:
        raise OSError(f"{path}: is no folder, and no whole zip: {exc}") from exc
