"""The spool on disk.

Layout under its root (:mod:`recorder.spool.folders` says whose each is, and for how long)::

    node.json                              node name and term
    open/<site>/<camera>/<stream>/<term>.<run>/run.json, 000000.mp4 …   being written
        000000.arrivals                    when it had which length
        sound0/, sound1/                   the camera's sound, files of their own
    sealed/<key>                           sealed, not yet in a store
    cache/<key>                            in a store and verified; may be evicted
    incoming/<name>.part                   on its way from a child site
    thin/, sending/, moving/, mending/, probe/      scratch
    quarantine/<name>                      what could not be read, for a person

A file moves open → sealed → cache by renames, so its place is its state: nothing else
needs to survive a crash.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from recorder.durable import sync_directory
from recorder.errors import ConfigError
from recorder.model.keys import check_key
from recorder.model.timebase import Instant
from recorder.room import taken_bytes
from recorder.spool.contents import Contents
from recorder.spool.folders import COUNTED, FOLDERS, TABLE, Lying, files_under, overdue
from recorder.spool.free import Free
from recorder.spool.full import full_is_said
from recorder.spool.incoming import Incoming
from recorder.spool.runs import Runs
from recorder.spool.salvaged import readable_blocks

SHED = 10_000
"""So many keys of what was shed are known: what is sealed is cataloged within seconds, or once the
catalog is back."""
SCRATCH = tuple(one.name for one in TABLE if one.scratch_ns is not None)


class Spool(Runs):
    """The spool of one node."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        try:
            for name in FOLDERS:
                (root / name).mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise ConfigError(
                f"spool {root}: {exc.strerror}", hint="give spool.path a writable folder"
            ) from exc
        self.contents = Contents(root)
        self.incoming = Incoming(root / "incoming")
        self._shed: deque[str] = deque(maxlen=SHED)
        self.free = Free(root, lambda: self.silence)

    def finish(
        self, path: Path, keep_bytes: int, trailer: bytes, key: str, head: bytes = b""
    ) -> Path:
        """Give a file its head, its trailer and its final name; durable when this returns.

        The first bytes become ``head``, everything after ``keep_bytes`` is replaced, so doing
        it again after a crash between any two steps gives the same file.
        """
        target = self.root / "sealed" / key
        mtime = path.stat().st_mtime_ns
        with full_is_said(f"seal {key}"):
            try:
                with path.open("r+b") as file:  # buffered: it writes all of it, or raises
                    file.write(head)
                    file.seek(keep_bytes)
                    file.write(trailer)
                    file.flush()
                    file.truncate(keep_bytes + len(trailer))
                    os.fsync(file.fileno())
            finally:  # sealed again, it is of the same time
                os.utime(path, ns=(mtime, mtime))
            self._move(path, target)
        return target

    def assemble(self, path: Path, blocks: Iterable[Any], key: str) -> Path:
        """Write a segment laid out anew from ``path``, under its final name; durable.

        ``path`` stays: :meth:`drop` it when all it holds is sealed.
        """
        target, part = self.root / "sealed" / key, path.with_suffix(".part")
        mtime = path.stat().st_mtime_ns
        with full_is_said(f"seal {key}"):
            with part.open("wb") as file:
                for block in blocks:
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
            os.utime(part, ns=(mtime, mtime))
            self._move(part, target)
        return target

    def take_in(self, part: Path, key: str) -> Path:
        """Give a whole file its place among the sealed ones; durable when this returns."""
        target = self.root / "sealed" / check_key(key)
        with full_is_said(f"take in {key}"):
            self._move(part, target)
        return target

    def mark_end(self, key: str) -> None:
        """Leave an empty span-end object to be shipped."""
        part = self.root / "incoming" / (check_key(key).replace("/", "_") + ".part")
        part.touch()
        self._move(part, self.root / "sealed" / key)

    def path_of(self, key: str) -> Path | None:
        """Return where a sealed segment lies, ``None`` when it is not here.

        Raises: ``OSError`` while the disk cannot be asked.
        """
        for folder in ("sealed", "cache"):
            path = self.root / folder / check_key(key)
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                with self.silence.question():
                    path.stat()
                return path
        return None

    def size_of(self, key: str, *, stored: bool = True) -> int | None:
        """Return how many bytes a sealed segment has, ``None`` when it is not here.

        One that is moved to where what is ``stored`` lies, just now, is here.
        """
        for folder in ("sealed", "cache") if stored else ("sealed",):
            with contextlib.suppress(FileNotFoundError):
                return (self.root / folder / check_key(key)).stat().st_size
        return None

    def shipped(self, key: str) -> None:
        """Move a segment from ``sealed`` to ``cache``: it is safe in a store."""
        source, target = self.root / "sealed" / key, self.root / "cache" / key
        if key.endswith("_end"):
            source.unlink(missing_ok=True)
        elif source.exists():
            self._move(source, target)
        self.contents.drop("sealed", key)
        self._prune(source.parent, self.root / "sealed")

    def unship(self, key: str) -> None:
        """Move a segment from ``cache`` back to ``sealed``: no store has it."""
        source, target = self.root / "cache" / key, self.root / "sealed" / key
        with contextlib.suppress(FileNotFoundError):  # it made room this moment
            self._move(source, target)
        self.contents.drop("cache", key)
        self._prune(source.parent, self.root / "cache")

    def remove(self, key: str, *, shed: bool = False) -> int:
        """Delete a segment from the spool; return the bytes let go.

        ``shed``: for want of room, though it is nowhere else.
        Raises: ``OSError`` where the disk refuses: it is there as before.
        """
        freed = 0
        if shed:  # before it goes: who finds it gone asks at once
            self._shed.append(key)
        for name in ("sealed", "cache"):
            path = self.root / name / key
            try:
                size = path.stat().st_size
                path.unlink()
            except FileNotFoundError:
                self.contents.drop(name, key)  # another process may have been quicker
                continue
            self.contents.drop(name, key)
            freed += size
            self._prune(path.parent, self.root / name)
        return freed

    def was_shed(self, key: str) -> bool:
        """Tell whether a segment that is gone was shed lately."""
        return key in tuple(self._shed)

    def _move(self, source: Path, target: Path) -> None:
        """Give a file its place, durably; another process may just prune the folder.

        Raises: ``OSError``; it may have its place all the same, and is counted there.
        """
        size = source.stat().st_size
        for left in range(9, -1, -1):
            try:
                with self._folders:  # names alone: nothing waits here for a disk to write
                    target.parent.mkdir(parents=True, exist_ok=True)
                    source.rename(target)
            except FileNotFoundError:
                if not left or not source.exists():
                    raise
            else:
                break
        self._note_moved(source, target, size)
        with contextlib.suppress(FileNotFoundError):  # it was moved on, and its folder pruned
            sync_directory(target.parent)

    def _note_moved(self, source: Path, target: Path, size: int) -> None:
        for folder in ("sealed", "cache"):
            if source.is_relative_to(self.root / folder):
                self.contents.drop(folder, source.relative_to(self.root / folder).as_posix())
            if target.is_relative_to(self.root / folder):
                self.contents.put(folder, target.relative_to(self.root / folder).as_posix(), size)

    def quarantine(self, path: Path, reason: str, *, keep: bool = False) -> Path:
        """Put a file aside for a person, with the reason beside it; never thrown away.

        ``keep`` puts a copy aside and leaves the file, of which a part can be used.
        """
        state, *parts = path.relative_to(self.root).parts  # without the folder of its state
        target = self.root / "quarantine" / "_".join(parts)
        if keep:
            shutil.copyfile(path, target)
        else:
            path.replace(target)
            if state in COUNTED:
                self.contents.drop(state, "/".join(parts))
        said = target.with_suffix(".txt")
        said.write_text(reason + "\n")
        for one in (target, said):
            self.contents.put("quarantine", one.name, taken_bytes(one, one.stat()))
        return target

    def salvage(self, path: Path, reason: str) -> Path:
        """Put a file aside that its disk cannot read; leave what it gives before that in its place.

        Returns where the file is now.
        """
        part, mtime = path.with_suffix(".part"), path.stat().st_mtime_ns
        with full_is_said(f"salvage {path.name}"), part.open("wb") as file:
            for block in readable_blocks(path):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        os.utime(part, ns=(mtime, mtime))
        target = self.quarantine(path, reason)
        part.replace(path)
        return target

    # -- what there is ---------------------------------------------------------------------

    def keys(self, folder: str) -> Iterator[tuple[str, int]]:
        """Yield ``(key, size)`` of ``sealed`` or ``cache``, in the order of their names."""
        for name, size in self.contents.files(folder):
            if "Z." in name.rpartition("/")[2]:
                yield name, size

    def usage(self) -> dict[str, int]:
        """Return bytes per folder, of what lies in none, and what the filesystem has free.

        Its cost does not grow with what is kept: only what is being written is looked at.
        """
        self.silence.check()
        sizes = dict(self.contents.sizes())
        for name in FOLDERS:
            if name not in COUNTED:
                sizes[name] = sum(size for _, size, _ in files_under(self.root / name))
        sizes["free"] = self.free.look()
        return sizes

    def takes_nothing(self) -> bool:
        """Tell whether there is no room for a fragment, or the disk does not say what it has."""
        return self.free.is_too_little()

    def recount(self) -> dict[str, int]:
        """Look through everything again; return by how many bytes folders differed."""
        return self.contents.recount()

    def sweep(self, now: Instant) -> list[Lying]:
        """Remove scratch that nobody has touched for longer than its folder lets it lie.

        What is being written is left alone: it was touched just now.
        """
        lying = [Lying(name, *one) for name in SCRATCH for one in files_under(self.root / name)]
        return [one for one in overdue(lying, now) if self._drop(one)]

    def _drop(self, one: Lying) -> bool:
        if one.folder == "incoming":
            return self.incoming.drop(one) > 0 or one.size_bytes == 0
        path = self.root / one.folder / one.name
        try:
            if path.stat().st_mtime_ns == one.touched:
                path.unlink()
                return True
        except FileNotFoundError:
            pass
        return False
