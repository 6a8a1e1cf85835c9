"""Bundles that were asked for, on this node's disk: being made, whole, and how much room they take.

Layout below the folder, each by the export's id (a file has its name once it is whole)::

    <id>.part/      files being written; gone on with after a crash
    <id>.made/      all of them, signed; on their way into the zip
    <id>.aside/     originals that masked or marked copies are made of; gone with the try
    <id>.zip.part   the zip being written
    <id>.zip        the bundle, as it is given out
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from recorder.durable import sync_directory
from recorder.errors import MalformedMedia, RequestError, UnavailableError
from recorder.evidence import manifest
from recorder.evidence.opened import opened
from recorder.evidence.sums import fingerprint
from recorder.export.sinks import BLOCK, MARK
from recorder.model.exports import ExportMade
from recorder.model.masks import masks_digest
from recorder.model.sizes import format_size
from recorder.regular import is_regular
from recorder.room import taken_bytes

ID = re.compile(r"[0-9a-f-]{36}")
BESIDE = 64 << 20
"""Room for the clips' indexes, pictures and the log's proofs of a bundle."""


class Bundles:
    """The folder of one node.  ``most_bytes``: of all bundles; ``floor``: left free to others."""

    def __init__(self, root: Path, most_bytes: int, floor: int) -> None:
        self.root, self.most_bytes, self.floor = root, most_bytes, floor
        self.told = (0, 0)
        """Bundles and bytes as they were last counted, for who must not wait for a disk."""
        self._promised: dict[str, int] = {}
        self._lock = threading.Lock()

    # -- where -----------------------------------------------------------------------------

    def part(self, export_id: str) -> Path:
        """Return the folder that a bundle is made in; it is there."""
        path = self._path(export_id, ".part")
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        (path / MARK).touch()
        return path

    def aside(self, export_id: str) -> Path:
        """Return a folder for what copies are made of; what a try that died left there is gone."""
        path = self._path(export_id, ".aside")
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(mode=0o700, parents=True)
        return path

    def zip(self, export_id: str) -> Path | None:
        """Return a bundle that is whole, if it is here."""
        path = self._path(export_id, ".zip")
        return path if path.is_file() else None

    def _path(self, export_id: str, ending: str) -> Path:
        if ID.fullmatch(export_id) is None:
            raise RequestError(f"export {export_id[:64]!r} is not a name")
        return self.root / f"{export_id}{ending}"

    # -- the steps of making one ---------------------------------------------------------------

    def is_made(self, export_id: str) -> bool:
        """Tell whether all files of a bundle are there, and signed."""
        return self._path(export_id, ".made").is_dir()

    def made(self, export_id: str) -> None:
        """Take note that all files of a bundle are there.  Durable once this returns."""
        part = self._path(export_id, ".part")
        (part / MARK).unlink(missing_ok=True)
        part.replace(self._path(export_id, ".made"))
        sync_directory(self.root)

    def pack(self, export_id: str, step: Callable[[], object]) -> None:
        """Write the zip of a bundle; ``step`` is called now and then, and may raise."""
        made, target = self._path(export_id, ".made"), self._path(export_id, ".zip")
        part = self._path(export_id, ".zip.part")
        names = sorted(one for one in made.rglob("*") if one.is_file())
        with part.open("wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive:
                for path in names:
                    _add(archive, path, f"{export_id}/{path.relative_to(made).as_posix()}", step)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
        sync_directory(self.root)

    def clear(self, export_id: str) -> None:
        """Let go of what a bundle was made of, but for its zip."""
        self.unpromise(export_id)
        self._path(export_id, ".zip.part").unlink(missing_ok=True)
        for ending in (".part", ".made", ".aside"):
            shutil.rmtree(self._path(export_id, ending), ignore_errors=True)

    def drop(self, export_id: str) -> None:
        """Let go of all of a bundle: what is given out first."""
        self._path(export_id, ".zip").unlink(missing_ok=True)
        self.clear(export_id)

    # -- room ----------------------------------------------------------------------------------

    def promise(self, export_id: str, footage_bytes: int) -> None:
        """Set room aside for a bundle of so much footage, before anything of it is written.

        Raises: ``UnavailableError`` while there is none; ``RequestError`` where there never is.
        """
        asked = 2 * footage_bytes + BESIDE
        if asked > self.most_bytes:
            raise RequestError(
                f"{format_size(footage_bytes)} of footage make a bundle of {format_size(asked)}; "
                f"all bundles of a node may have {format_size(self.most_bytes)}",
                hint="ask for less at a time, or set exports.max_size",
            )
        mine = self._size_of(export_id)
        lying = self.usage()[1]
        free = shutil.disk_usage(self._there()).free - self.floor + mine
        with self._lock:  # no longer than adding up takes
            others = sum(size for name, size in self._promised.items() if name != export_id)
            self._promised[export_id] = asked
        try:
            self._check_room(asked, lying, others, free)
        except UnavailableError:
            self.unpromise(export_id)
            raise

    def unpromise(self, export_id: str) -> None:
        """Give back the room that was set aside: nobody writes here any more, or it is written."""
        with self._lock:
            self._promised.pop(export_id, None)

    def _check_room(self, asked: int, lying: int, others: int, free: int) -> None:
        if lying + others + asked > self.most_bytes:
            raise UnavailableError(
                f"room for {format_size(asked)}: bundles take "
                f"{format_size(lying + others)} of {format_size(self.most_bytes)}"
            )
        if free < 2 * asked + others:
            raise UnavailableError(
                f"room for {format_size(2 * asked)} while it is made: {self.root} has "
                f"{format_size(max(0, free))} to spare"
            )

    def _there(self) -> Path:
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self.root

    def _size_of(self, export_id: str) -> int:
        folders = (self._path(export_id, ".part"), self._path(export_id, ".made"))
        files = (one for folder in folders for one in folder.rglob("*"))
        return sum(size for one in files if (size := _size(one)) is not None)

    def bytes_lying(self) -> int:
        """Return the bytes of all that lies here: bundles, what is made, what is nobody's."""
        return sum(size for one in self.root.rglob("*") if (size := _size(one)) is not None)

    def usage(self) -> tuple[int, int]:
        """Say how many bundles lie here, and their bytes; :attr:`told` keeps it."""
        sizes = list[int]()
        for path in self.root.glob("*.zip"):
            with contextlib.suppress(FileNotFoundError):  # it goes just now
                sizes.append(path.stat().st_size)
        self.told = (len(sizes), sum(sizes))
        return self.told

    # -- what lies here ------------------------------------------------------------------------

    def lying(self) -> Iterator[tuple[str, int]]:
        """Yield the id of all that lies here, and when it was last touched."""
        touched: dict[str, int] = {}
        for path in self.root.glob("*"):
            name = path.name.partition(".")[0]
            if ID.fullmatch(name) is not None:
                with contextlib.suppress(FileNotFoundError):
                    touched[name] = max(touched.get(name, 0), path.stat().st_mtime_ns)
        yield from touched.items()

    def facts(self, export_id: str) -> ExportMade:
        """Read what is told of a bundle that is whole.

        Raises: ``MalformedMedia`` when it is none.
        """
        path = self._path(export_id, ".zip")
        try:
            with opened(path) as found:
                with found.open(manifest.NAME) as file:
                    body = json.load(file)
                with found.open(manifest.SIGNER) as file:
                    signer = fingerprint(file.read())
            problems = tuple(said for one in body["cameras"] for said in one["problems"])
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            masks = tuple(
                (f"{one['site']}/{one['camera']}", masks_digest(one["masks"]))
                for one in body["cameras"]
                if one.get("masks")
            )
            return ExportMade(digest, path.stat().st_size, signer, problems, masks)
        except (OSError, ValueError, KeyError) as exc:
            raise MalformedMedia(f"bundle {path}: is not what was made: {exc}") from exc


def _size(path: Path) -> int | None:
    """Return what a file takes; ``None`` for what is none, or goes just now."""
    try:
        facts = path.lstat()
    except OSError:
        return None
    return taken_bytes(path, facts) if is_regular(facts) else None


def _add(archive: zipfile.ZipFile, path: Path, name: str, step: Callable[[], object]) -> None:
    info = zipfile.ZipInfo.from_file(path, name, strict_timestamps=False)
    with path.open("rb") as file, archive.open(info, "w", force_zip64=True) as member:
        while block := file.read(BLOCK):
            step()
            member.write(block)
