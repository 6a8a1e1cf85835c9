"""A store in a directory: the embedded default.

An object is a file whose path is its key.  A file of the spool on the same filesystem is
linked, not copied: sealed files never change.  User metadata is not kept; everything in
it can be read from the object's footer.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from recorder.durable import sync_directory
from recorder.errors import (
    CopyMissing,
    DigestMismatch,
    StoreRefused,
    StoreUnavailable,
)
from recorder.model.keys import check_key
from recorder.model.media import ObjectInfo
from recorder.regular import NotAFile, is_regular, open_regular
from recorder.room import room_of
from recorder.store.on_disk import BLOCK, NOWHERE, copy_durably, is_of_one, leads_on
from recorder.store.uploads import Upload

_PART = re.compile(r"\.(?P<name>.+?)(\.[0-9]+-[0-9]+)?\.part")
"""What a file is called until it is whole: after its object, and who writes it."""

LOST_AND_FOUND = "lost+found/"
"""What ext4 makes on each disk, for root alone."""


class FileStore:
    """An :class:`recorder.ports.ObjectStore` on a local or mounted filesystem."""

    def __init__(self, name: str, root: Path) -> None:
        self.name = name
        self.root = root

    def _path(self, key: str) -> Path:
        return self.root / check_key(key)

    @contextmanager
    def _translated(self, what: str, key: str) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise StoreUnavailable(
                f"{what} {key} in store {self.name}: {exc.strerror or exc}",
                hint=f"check that {self.root} is mounted, writable and has room",
            ) from exc

    def _make_folder(self, folder: Path) -> None:
        """Make an object's folder, and never the store's own: that is away when it is not there."""
        if not folder.is_dir():
            self.root.stat()
            folder.mkdir(parents=True, exist_ok=True)

    def put_file(self, key: str, path: Path, content_type: str, metadata: Mapping[str, str]) -> str:
        """Store a file's bytes under ``key``; return the etag, their digest."""
        target = self._path(key)
        with self._translated("put", key):
            self._make_folder(target.parent)
            part = target.with_name(f".{target.name}.part")
            part.unlink(missing_ok=True)
            try:
                os.link(path, part)
                digest = metadata.get("sha256", "")
            except FileNotFoundError:
                raise
            except OSError:  # another filesystem, or one without links
                try:
                    digest = copy_durably(path, part)
                except OSError:  # full, perhaps: half a copy must not fill it for good
                    part.unlink(missing_ok=True)
                    raise
            if metadata.get("sha256", digest) != digest:
                part.unlink()
                raise DigestMismatch(f"put {key} in store {self.name}: digest differs")
            part.replace(target)
            part.unlink(missing_ok=True)  # of two names of one file neither goes by a rename
            sync_directory(target.parent)
        return digest

    def put(self, key: str, body: bytes, content_type: str, metadata: Mapping[str, str]) -> str:
        """Store ``body`` under ``key``; return the etag."""
        target = self._path(key)
        with self._translated("put", key):
            self._make_folder(target.parent)
            # of its writer alone: a command and the service give the same sign of life
            writer = f"{os.getpid()}-{threading.get_ident()}"
            part = target.with_name(f".{target.name}.{writer}.part")
            try:
                with part.open("wb") as file:
                    file.write(body)
                    file.flush()
                    os.fsync(file.fileno())
                part.replace(target)
            finally:
                part.unlink(missing_ok=True)
            sync_directory(target.parent)
        return hashlib.sha256(body).hexdigest()

    def open(self, key: str) -> BinaryIO:
        """Open an object's file, for whoever can send its bytes without reading them."""
        path = self._path(key)
        with self._translated("read", key):
            try:
                return open_regular(path)
            except (FileNotFoundError, NotADirectoryError, NotAFile) as exc:
                if not self.root.is_dir():
                    raise
                raise CopyMissing(f"read {key} from store {self.name}: no such object") from exc

    def read(self, key: str, offset: int, length: int) -> Iterator[bytes]:
        """Yield exactly ``length`` bytes from ``offset``."""
        with self._translated("read", key), self.open(key) as file:
            file.seek(offset)
            while length > 0:
                block = file.read(min(BLOCK, length))
                if not block:
                    raise CopyMissing(f"read {key} from store {self.name}: object is too short")
                length -= len(block)
                yield block

    def head(self, key: str) -> ObjectInfo | None:
        """Describe an object, or ``None`` when there is none."""
        with self._translated("stat", key):
            try:
                facts = self._path(key).stat()
            except (FileNotFoundError, NotADirectoryError):
                if not self.root.is_dir():
                    raise
                return None
        return ObjectInfo(key, facts.st_size) if is_regular(facts) else None

    def begun_in(self, folder: str) -> tuple[list[str], list[Upload]]:
        """Return the folders in a folder, and files there that never got the name of an object."""
        folders, begun = [], []
        with self._translated("look through", folder or "/"):
            try:
                entries = sorted(os.scandir(self.root / folder), key=lambda one: one.name)
            except (FileNotFoundError, PermissionError):
                if not folder:
                    raise
                return [], []
            for entry in entries:
                named = _PART.fullmatch(entry.name)
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                    folders.append(f"{folder}{entry.name}/")
                elif named is not None and entry.is_file(follow_symlinks=False):
                    with suppress(FileNotFoundError):  # it got its name just now
                        facts = entry.stat(follow_symlinks=False)
                        at = max(
                            facts.st_mtime_ns, facts.st_ctime_ns
                        )  # of a link: when it was made
                        begun.append(Upload(folder + named["name"], entry.name, at))
        return folders, begun

    def end_upload(self, upload: Upload) -> None:
        """Remove what was begun; nothing where it is gone already."""
        with self._translated("end upload of", upload.key):
            part = self._path(upload.key).with_name(upload.number)
            part.unlink(missing_ok=True)
            self._prune(part.parent)

    def list(self, prefix: str = "", after: str = "") -> Iterator[ObjectInfo]:
        """Yield objects in key order."""
        with self._translated("list", prefix or "/"):
            yield from self._walk("", prefix, after, self._mounted())

    def _mounted(self) -> tuple[int, int]:
        """Tell one directory from another that lies in its place: device and inode.

        Raises: ``OSError`` when there is none.
        """
        facts = self.root.stat()
        return facts.st_dev, facts.st_ino

    def _walk(
        self, folder: str, prefix: str, after: str, mounted: tuple[int, int]
    ) -> Iterator[ObjectInfo]:
        """Walk in key order: a folder sorts as its name with a slash.

        What is deleted meanwhile is not listed.  Of a disk that is taken away nothing is said:
        a listing that ends early would say that all the rest is lost.
        """
        try:
            with os.scandir(self.root / folder) as entries:
                names = sorted(one.name + "/" * leads_on(one, self.root, folder) for one in entries)
        except FileNotFoundError:
            if not folder or self._mounted() != mounted:
                raise
            return
        for name in names:
            key = folder + name
            if (
                name.startswith(".")
                or key == LOST_AND_FOUND
                or (after and key <= after and not after.startswith(key))
            ):
                continue
            if not (key.startswith(prefix) or prefix.startswith(key)):
                continue
            if name.endswith("/"):
                yield from self._walk(key, prefix, after, mounted)
            elif key > after and key.startswith(prefix):
                yield from self._listed(key, mounted)

    def _listed(self, key: str, mounted: tuple[int, int]) -> Iterator[ObjectInfo]:
        try:
            facts = (self.root / key).stat()
        except OSError as exc:
            if exc.errno not in NOWHERE or self._mounted() != mounted:
                raise
            return
        if is_regular(facts):
            yield ObjectInfo(key, facts.st_size)

    def delete(self, keys: Sequence[str]) -> dict[str, str]:
        """Delete objects; those already gone count as deleted.  Returns why some are refused.

        Of what its disk cannot reach (a damaged folder) others are deleted all the same; where the
        disk itself is taken away, nothing counts as deleted.
        """
        refused = {}
        with self._translated("delete", "objects"):
            mounted = self._mounted()
        for key in keys:
            path = self._path(key)
            with self._translated("delete", key):
                try:
                    path.unlink(missing_ok=True)
                    # a link that an earlier release left beside it: all of its bytes
                    path.with_name(f".{path.name}.part").unlink(missing_ok=True)
                except NotADirectoryError:
                    continue  # something else has taken the place of its folder: it is gone
                except OSError as exc:
                    if not is_of_one(exc):
                        raise
                    refused[key] = str(exc)
                self._prune(path.parent)
        with self._translated("delete", "objects"):
            if self._mounted() != mounted:
                raise OSError(errno.ESTALE, "another directory has taken its place")
        return refused

    def _prune(self, folder: Path) -> None:
        """Remove folders left empty, so that listing stays quick."""
        while folder != self.root:
            try:
                folder.rmdir()
            except OSError:
                return
            folder = folder.parent

    def presign(self, key: str, seconds: int) -> str | None:
        """A directory has no URLs."""
        return None

    @property
    def protects(self) -> bool:
        """A directory cannot keep what somebody deletes."""
        return False

    def protect(self, key: str, on: bool) -> None:
        """A directory has no legal holds.

        Raises: ``StoreRefused``.
        """
        raise StoreRefused(f"store {self.name} has no legal holds")

    def protected(self, key: str) -> bool:
        """A directory holds nothing."""
        return False

    def date(self) -> None:
        """It has no clock but this machine's."""

    def free_bytes(self) -> tuple[int, int] | None:
        """Return (free, total) bytes of the filesystem, as far as it takes more files, too."""
        with self._translated("measure", "/"):
            return room_of(self.root)
