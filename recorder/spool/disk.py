"""The spool on disk.

Layout under its root::

    node.json                              node name and term
    open/<site>/<camera>/<stream>/<term>.<run>/run.json, 000000.mp4 …   being written
        000000.arrivals                    when it had which length
        sound0/, sound1/                   the camera's sound, files of their own
    sealed/<key>                           sealed, not yet in a store
    cache/<key>                            in a store and verified; may be evicted
    incoming/<name>.part                   on its way from a child site
    thin/, sending/                        thin segments being made, for here, for above
    quarantine/<name>                      what could not be read, for a person

A file moves open → sealed → cache by renames, so its place is its state: nothing else
needs to survive a crash.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from recorder.errors import ConfigError, RecorderError
from recorder.model.clocks import CameraClock, SpanClock
from recorder.model.keys import StreamId
from recorder.model.runs import Run, SealProgress, SpanState
from recorder.model.timebase import Instant
from recorder.spool.full import full_is_said

SOUNDS = ("sound0", "sound1")
"""Folders of a run for the sound of its camera, a folder a track."""
FOLDERS = ("open", "sealed", "cache", "incoming", "quarantine")


class Spool:
    """The spool of one node."""

    def __init__(self, root: Path) -> None:
        self.root = root
        try:
            for name in FOLDERS:
                (root / name).mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise ConfigError(
                f"spool {root}: {exc.strerror}", hint="give spool.path a writable folder"
            ) from exc
        self._folders = threading.Lock()  # no folder is pruned while a file is moved into it

    # -- runs ------------------------------------------------------------------------------

    def next_term(self, node: str) -> int:
        """Take a new term for this process; durable before anything is written under it."""
        path = self.root / "node.json"
        term = 1
        if path.exists():
            try:
                term = int(json.loads(path.read_text())["term"]) + 1
            except (ValueError, KeyError, TypeError):
                term = 1 + max((run.term for run, _ in self.runs()), default=1000)
        for folder in (self.root / "open").glob("*/*/*/*/"):
            if not (folder / "run.json").exists() and not any(folder.rglob("*.mp4")):
                self.close_run(folder)  # its process died before anything was in it
        write_durably(path, json.dumps({"node": node, "term": term}).encode())
        return term

    def open_run(self, run: Run) -> Path:
        """Make the folder of a run; its description is durable before ffmpeg starts."""
        folder = self.run_folder(run.stream) / f"{run.term}.{run.number}"
        try:
            with full_is_said(f"open run {run.number} of {run.stream}"):
                with self._folders:
                    for name in SOUNDS:
                        (folder / name).mkdir(parents=True, exist_ok=True)
                self.describe_run(folder, run)
        except (OSError, RecorderError):
            self.close_run(folder)  # on a full disk every try would leave one
            raise
        return folder

    def describe_run(self, folder: Path, run: Run) -> None:
        """Write (again) what a run is."""
        body = asdict(run)
        body["stream"] = [run.stream.site, run.stream.camera, run.stream.stream]
        write_durably(folder / "run.json", json.dumps(body).encode())

    def run_folder(self, stream: StreamId) -> Path:
        """Folder that holds the runs of a stream."""
        return self.root / "open" / stream.site / stream.camera / stream.stream

    def runs(self, stream: StreamId | None = None) -> list[tuple[Run, Path]]:
        """Return the runs on disk, oldest first; one with media is a run whatever is torn."""
        base = self.run_folder(stream) if stream else self.root / "open"
        found = []
        for folder in base.glob("*/" if stream else "*/*/*/*/"):
            try:
                body = json.loads((folder / "run.json").read_text())
                body["stream"] = StreamId(*body["stream"])
                found.append((Run(**body), folder))
            except (OSError, ValueError, TypeError, KeyError):
                run = self._undescribed(folder)
                if run is not None:
                    found.append((run, folder))
        return sorted(found, key=lambda pair: (str(pair[0].stream), pair[0].term, pair[0].number))

    def _undescribed(self, folder: Path) -> Run | None:
        """Make a run of what its folder and its files say; ``None`` when it has no media."""
        times = []
        for path in self.files(folder):
            with contextlib.suppress(OSError):  # sealed this moment
                times.append(path.stat().st_mtime_ns)
        term, _, number = folder.name.partition(".")
        if not times or not (term.isdigit() and number.isdigit()):
            return None
        site, camera, name = folder.relative_to(self.root / "open").parts[:3]
        return Run(
            StreamId(site, camera, name), self._node(), int(term), int(number), min(times),
            "node", "",
        )  # fmt: skip

    def _node(self) -> str:
        """Return the name of the node whose spool this is, as it last took a term."""
        try:
            return str(json.loads((self.root / "node.json").read_text())["node"])
        except (OSError, ValueError, TypeError, KeyError):
            return "unknown"

    def files(self, folder: Path) -> list[Path]:
        """Return the media files of a run, oldest first."""
        return sorted(path for path in folder.glob("*.mp4") if path.stem.isdigit())

    def sounds(self, folder: Path) -> list[tuple[int, Path]]:
        """Return the files of a run's sound: number of the track, file; oldest first."""
        return [
            (track, path) for track, name in enumerate(SOUNDS) for path in self.files(folder / name)
        ]

    def note_arrival(self, path: Path, size: int, at: Instant) -> None:
        """Note when a file of a run had which length, for whoever seals it."""
        with path.with_suffix(".arrivals").open("a") as file:
            file.write(f"{size} {at}\n")

    def arrivals(self, path: Path) -> list[tuple[int, Instant]]:
        """Return what was noted of a file's growth."""
        found = []
        with contextlib.suppress(OSError, ValueError):
            lines = path.with_suffix(".arrivals").read_text().split("\n")
            for line in lines[:-1]:  # a torn last one could name a time long ago
                size, at = line.split()
                found.append((int(size), int(at)))
        return found

    def drop(self, path: Path) -> None:
        """Remove a file of a run whose contents are sealed, or were none."""
        path.unlink(missing_ok=True)
        path.with_suffix(".arrivals").unlink(missing_ok=True)

    def close_run(self, folder: Path) -> None:
        """Remove a run's folder once every file of it is sealed."""
        if not self.files(folder):
            shutil.rmtree(folder, ignore_errors=True)
            self._prune(folder.parent, self.root / "open")

    def save_progress(self, folder: Path, progress: SealProgress) -> None:
        """Remember where the span stands, for whoever seals the rest after a crash."""
        path = folder / "span.json"
        part = path.with_suffix(".part")
        with part.open("w") as file:
            file.write(json.dumps(asdict(progress)))
            file.flush()
            os.fsync(file.fileno())  # a torn one would have the same file sealed twice
        part.replace(path)

    def load_progress(self, folder: Path) -> SealProgress | None:
        """Return where a run's span stands, ``None`` when nothing of it is sealed."""
        try:
            body = json.loads((folder / "span.json").read_text())
            before = body["before"] and _span_state(body["before"])
            keys = tuple(body.get("keys", ()))
            return SealProgress(body["file"], before, _span_state(body["after"]), keys)
        except (OSError, ValueError, TypeError, KeyError):
            return None

    # -- sealed files ----------------------------------------------------------------------

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
            with path.open("r+b") as file:  # buffered: it writes all of it, or raises
                file.write(head)
                file.seek(keep_bytes)
                file.write(trailer)
                file.flush()
                file.truncate(keep_bytes + len(trailer))
                os.fsync(file.fileno())
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
        target = self.root / "sealed" / key
        with full_is_said(f"take in {key}"):
            self._move(part, target)
        return target

    def mark_end(self, key: str) -> None:
        """Leave an empty span-end object to be shipped."""
        part = self.root / "incoming" / (key.replace("/", "_") + ".part")
        part.touch()
        self._move(part, self.root / "sealed" / key)

    def path_of(self, key: str) -> Path | None:
        """Return where a sealed segment lies, ``None`` when it is not here."""
        for folder in ("sealed", "cache"):
            path = self.root / folder / key
            if path.exists():
                return path
        return None

    def shipped(self, key: str) -> None:
        """Move a segment from ``sealed`` to ``cache``: it is safe in a store."""
        source, target = self.root / "sealed" / key, self.root / "cache" / key
        if key.endswith("_end"):
            source.unlink(missing_ok=True)
        elif source.exists():
            self._move(source, target)
        self._prune(source.parent, self.root / "sealed")

    def remove(self, key: str) -> int:
        """Delete a segment from the spool; return the bytes let go."""
        freed = 0
        for name in ("sealed", "cache"):
            path = self.root / name / key
            try:
                size = path.stat().st_size
                path.unlink()
            except OSError:
                continue
            freed += size
            self._prune(path.parent, self.root / name)
        return freed

    def _prune(self, folder: Path, top: Path) -> None:
        with self._folders:
            while folder != top:
                try:
                    folder.rmdir()
                except OSError:
                    return
                folder = folder.parent

    def _move(self, source: Path, target: Path) -> None:
        """Give a file its place, durably; another process may just prune the folder."""
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
        with contextlib.suppress(FileNotFoundError):  # it was moved on, and its folder pruned
            sync_directory(target.parent)

    def quarantine(self, path: Path, reason: str, *, keep: bool = False) -> Path:
        """Put a file aside for a person, with the reason beside it; never thrown away.

        ``keep`` puts a copy aside and leaves the file, of which a part can be used.
        """
        _, *parts = path.relative_to(self.root).parts  # without the folder of its state
        target = self.root / "quarantine" / "_".join(parts)
        if keep:
            shutil.copyfile(path, target)
        else:
            path.replace(target)
        target.with_suffix(".txt").write_text(reason + "\n")
        return target

    def keys(self, folder: str) -> Iterator[tuple[str, int, int]]:
        """Yield ``(key, size, mtime in ns)`` of ``sealed`` or ``cache``, oldest name first."""
        base = self.root / folder
        for path in sorted(base.rglob("*Z.*")):
            try:
                facts = path.stat()
            except OSError:
                continue
            yield path.relative_to(base).as_posix(), facts.st_size, facts.st_mtime_ns

    def usage(self) -> dict[str, int]:
        """Return bytes per folder, and what the filesystem has free."""
        sizes = {name: 0 for name in FOLDERS}
        for name in FOLDERS:
            for folder, _, files in os.walk(self.root / name):
                for file in files:
                    try:
                        sizes[name] += (Path(folder) / file).stat().st_size
                    except OSError:
                        continue
        sizes["free"] = shutil.disk_usage(self.root).free
        return sizes


def _span_state(body: dict[str, Any]) -> SpanState:
    camera = body["camera"] and CameraClock(**body["camera"])
    quiet = tuple(body.get("quiet", (0, 0)))
    anchors = tuple((media, wall) for media, wall in body["clock"].get("anchors", ()))
    clock = SpanClock(**{**body["clock"], "anchors": anchors})
    sets = tuple(body.get("sets", ()))
    return SpanState(**{**body, "clock": clock, "camera": camera, "quiet": quiet, "sets": sets})


def write_durably(path: Path, body: bytes) -> None:
    """Replace a small file so that it is whole, old or new, whatever happens."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_directory(path.parent)


def sync_directory(folder: Path) -> None:
    """Make a rename durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
