"""A bundle as files: a folder, or one zip."""

from __future__ import annotations

import contextlib
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from recorder.evidence.listed import check_zip
from recorder.evidence.manifest import SUMS
from recorder.evidence.sums import is_plain

_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)
"""What zipfile raises for a zip that is broken, locked, or made in a way that it does not know."""
_PACKED = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
"""Ways of packing that every tool reads, and that need no more memory than a window."""


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
        """Look at what is there.  Raises: ``OSError`` when not all of it can be seen."""
        self._root = root
        self._names = sorted(_below(root))

    def names(self) -> list[str]:
        """See :class:`Bundle`."""
        return self._names

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


def _below(root: Path) -> Iterator[str]:
    """Yield the names of all that is below a folder and is none, however deep."""
    left = [""]
    while left:
        inner = left.pop()
        with os.scandir(root / inner) as found:
            for one in found:
                name = f"{inner}{one.name}"
                if one.is_dir(follow_symlinks=False):
                    left.append(f"{name}/")
                else:
                    yield name


class Archive:
    """A bundle in a zip, all in one folder of its name or in none."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        """Look at what is listed.  Raises: ``OSError`` when another tool would see other files."""
        self._archive = archive
        check_zip(archive)
        listed = [one for one in archive.infolist() if not _is_folder(one)]
        inner = _inner([one.filename for one in listed])
        self._listed = {_within(one.filename, inner): one for one in listed}
        if len(self._listed) != len(listed):
            raise OSError("the zip has two files of one name")

    def names(self) -> list[str]:
        """See :class:`Bundle`."""
        return sorted(self._listed)

    def _info(self, name: str) -> zipfile.ZipInfo:
        info = self._listed.get(name)
        if info is None:
            raise FileNotFoundError(f"{name}: is not in the zip")
        if _kind(info) not in (0, stat.S_IFREG):
            raise FileNotFoundError(f"{name}: is no file in the zip")
        if info.compress_type not in _PACKED:
            raise OSError(f"{name}: is packed in a way other than stored or deflated")
        return info

    def open(self, name: str) -> BinaryIO:
        """See :class:`Bundle`."""
        with _as_os_error(name):
            return cast(BinaryIO, _Checked(name, self._archive.open(self._info(name))))

    def size(self, name: str) -> int:
        """See :class:`Bundle`."""
        return self._info(name).file_size


def _inner(names: list[str]) -> str:
    """Return the folder that a bundle lies in: the one with its sums, or all that there is."""
    split = [name.partition("/") for name in names]
    tops = {top for top, _, rest in split if rest == SUMS} or {top for top, _, _ in split}
    top = next(iter(tops)) if len(tops) == 1 and SUMS not in names else ""
    return f"{top}/" if is_plain(top) else ""


def _within(name: str, inner: str) -> str:
    """Return a name as it is within the bundle; what lies beside that is told as such."""
    return name.removeprefix(inner) if name.startswith(inner) else f"/{name}"


def _kind(info: zipfile.ZipInfo) -> int:
    """Return what a member is by its mode on Unix; 0 where it has none."""
    return stat.S_IFMT(info.external_attr >> 16)


def _is_folder(info: zipfile.ZipInfo) -> bool:
    """Tell whether a member is a folder and nothing else: within the zip, and empty itself."""
    return info.is_dir() and info.file_size == 0 and is_plain(info.filename[:-1])


class _Checked:
    """A member of a zip: what zipfile finds wrong with it is an ``OSError`` as any."""

    def __init__(self, name: str, member: object) -> None:
        self._name, self._member = name, member

    def __enter__(self) -> _Checked:
        return self

    def __exit__(self, *_: object) -> None:
        self._member.close()  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> object:
        return getattr(self._member, name)

    def read(self, size: int = -1) -> bytes:
        """Read bytes.  Raises: ``OSError``."""
        with _as_os_error(self._name):
            return cast(bytes, self._member.read(size))  # type: ignore[attr-defined]

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move; zipfile reads on the way.  Raises: ``OSError``."""
        with _as_os_error(self._name):
            return cast(int, self._member.seek(offset, whence))  # type: ignore[attr-defined]


@contextlib.contextmanager
def _as_os_error(what: object) -> Iterator[None]:
    """Make what zipfile finds wrong an ``OSError``."""
    try:
        yield
    except _DAMAGED as exc:
        raise OSError(f"{what}: {exc or 'ends too early'}") from exc


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Bundle]:
    """Open a bundle.  Raises: ``OSError`` when there is none, or it is damaged as a zip."""
    if path.is_dir():
        yield Folder(path)
        return
    with _as_os_error("is no folder, and no whole zip"):
        archive = zipfile.ZipFile(path)
    with archive:
        yield Archive(archive)
