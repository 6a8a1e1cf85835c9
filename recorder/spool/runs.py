"""Runs in the spool: what is being written, and what processes that died left of it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from recorder.durable import write_durably, write_over
from recorder.errors import RecorderError, SpoolFull
from recorder.model.clocks import CameraClock, SpanClock
from recorder.model.keys import StreamId
from recorder.model.runs import Run, SealProgress, SpanState
from recorder.model.timebase import MS, Instant
from recorder.spool.folders import entries_in, files_under, folders_in, text_of
from recorder.spool.full import full_is_said
from recorder.spool.silent import Silence

SOUNDS = ("sound0", "sound1")
"""Folders of a run for the sound of its camera, a folder a track."""
TERMS_APART = 1000
"""So far terms are apart at most."""
COARSE_NS, CLOSE_NS = 2100 * MS, 50 * MS
"""So much may be cut off a file's time (FAT has every other second), and so far may it be off,
where the disk's clock is ours."""
LOST_APART, LOST_AMONG = 1_000_000, 1_000_000_000
"""Where the last one is lost the next is beyond what a thousand starts could have come to, and
among so many that nobody finds it again."""


class Runs:
    """The ``open`` folder of a spool."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.silence = Silence(root)
        self._folders = threading.Lock()  # no folder is pruned while a file is moved into it

    def next_term(self, node: str, apart: float) -> int:
        """Take a new term for this process; durable before anything is written under it.

        ``apart``, in ``[0, 1)``, is chance: the copy of a machine has the same last term, and by
        counting on both would write other bytes under the same keys.
        """
        path = self.root / "node.json"
        last = self._last_term()
        if last is not None:
            term = last + 1 + int(apart * TERMS_APART)
        elif path.exists() or self._holds_any():  # nobody knows how far the terms had come
            left = max((run.term for run, _ in self.runs()), default=0)
            term = left + LOST_APART + int(apart * LOST_AMONG)
        else:
            term = 1
        for folder in self._run_folders(None):
            if not (folder / "run.json").exists() and not _media_under(folder):
                self.close_run(folder)  # its process died before anything was in it
        said = json.dumps({"node": node, "term": term}).encode()
        try:
            with full_is_said("note the term"):
                write_durably(path, said)
        except SpoolFull:  # for another file; what was there has its room
            if not path.exists():
                raise
            write_over(path, said)
        return term

    def _last_term(self) -> int | None:
        """Return the term that was taken last; ``None`` where that is torn, or was never noted."""
        try:
            return int(json.loads(text_of(self.root / "node.json"))["term"])
        except (FileNotFoundError, ValueError, KeyError, TypeError, OverflowError):
            return None

    def _holds_any(self) -> bool:
        """Tell whether anything was ever recorded here, as far as it lies here still."""
        return any(
            True for name in ("open", "sealed", "cache") for _ in entries_in(self.root / name)
        )

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

    def ahead_ns(self, folder: Path, before: Instant, after: Instant) -> int:
        """Say how far the disk's clock is ahead of ours, by when it says that a run was described.

        It was between ``before`` and ``after``.  A disk of this machine has this machine's clock,
        or whole seconds of it; one that a server has (NFS, SMB) has the server's.
        """
        at = (folder / "run.json").stat().st_mtime_ns
        if after < before:  # our clock was set meanwhile
            return 0
        if at < before - COARSE_NS:
            return at - before
        return at - after if at > after + CLOSE_NS else 0

    def run_folder(self, stream: StreamId) -> Path:
        """Folder that holds the runs of a stream."""
        return self.root / "open" / stream.site / stream.camera / stream.stream

    def runs(self, stream: StreamId | None = None) -> list[tuple[Run, Path]]:
        """Return the runs on disk, oldest first; one with media is a run whatever is torn.

        Raises: ``OSError`` while the disk cannot be asked.
        """
        if stream is None:  # many may lie there: to look through them takes its time
            self.silence.check()
            return self._runs(None)
        with self.silence.question():
            return self._runs(stream)

    def _runs(self, stream: StreamId | None) -> list[tuple[Run, Path]]:
        found = []
        for folder in self._run_folders(stream):
            try:
                body = json.loads(text_of(folder / "run.json"))
                body["stream"] = StreamId(*body["stream"])
                found.append((Run(**body), folder))
            except (ValueError, TypeError, KeyError):
                run = self._undescribed(folder)
                if run is not None:
                    found.append((run, folder))
        return sorted(found, key=lambda pair: (str(pair[0].stream), pair[0].term, pair[0].number))

    def nameless(self) -> list[Path]:
        """Return folders of media that no run can be made of: nobody will seal them."""
        known = {folder for _, folder in self.runs()}
        top = self.root / "open"
        holding = {
            path.parent.parent if path.parent.name in SOUNDS else path.parent
            for path in _media_under(top)
        }
        return sorted(holding - known)

    def _run_folders(self, stream: StreamId | None) -> Iterator[Path]:
        """Yield the folders of runs, those of one stream or all."""
        if stream is not None:
            yield from folders_in(self.run_folder(stream))
            return
        for site in folders_in(self.root / "open"):
            for camera in folders_in(site):
                for name in folders_in(camera):
                    yield from folders_in(name)

    def _undescribed(self, folder: Path) -> Run | None:
        """Make a run of what its folder and its files say; ``None`` when it has no media."""
        times = []
        for path in self.files(folder):
            with contextlib.suppress(OSError):  # sealed this moment
                times.append(path.stat().st_mtime_ns)
        term, _, number = folder.name.partition(".")
        if not times or not (term.isdecimal() and number.isdecimal()):
            return None
        site, camera, name = folder.relative_to(self.root / "open").parts[:3]
        return Run(
            StreamId(site, camera, name),
            self._node(),
            int(term),
            int(number),
            min(times),
            "node",
            "",
        )

    def _node(self) -> str:
        """Return the name of the node whose spool this is, as it last took a term."""
        try:
            return str(json.loads(text_of(self.root / "node.json"))["node"])
        except (ValueError, TypeError, KeyError):
            return "unknown"

    def files(self, folder: Path) -> list[Path]:
        """Return the media files of a run, oldest first."""
        entries = entries_in(folder)
        names = sorted(one.name for one in entries if one.is_file(follow_symlinks=False))
        return [folder / name for name in names if name.endswith(".mp4") and name[:-4].isdecimal()]

    def sounds(self, folder: Path) -> list[tuple[int, Path]]:
        """Return the files of a run's sound: number of the track, file; oldest first."""
        return [
            (track, path) for track, name in enumerate(SOUNDS) for path in self.files(folder / name)
        ]

    def note_arrival(self, path: Path, size: int, at: Instant) -> None:
        """Note when a file of a run had which length, for whoever seals it."""
        # by descriptor: done twice a second for every stream
        beside = f"{str(path)[: -len(path.suffix)]}.arrivals"
        handle = os.open(beside, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(handle, b"%d %d\n" % (size, at))
        finally:
            os.close(handle)

    def arrivals(self, path: Path) -> list[tuple[int, Instant]]:
        """Return what was noted of a file's growth.

        Raises: ``OSError`` while the disk cannot be asked: times would be guessed.
        """
        found = []
        with contextlib.suppress(ValueError):
            lines = text_of(path.with_suffix(".arrivals")).split("\n")
            for line in lines[:-1]:  # a torn last one could name a time long ago
                size, at = line.split()
                found.append((int(size), int(at)))
        return found

    def drop(self, path: Path) -> None:
        """Remove a file of a run whose contents are sealed, or were none."""
        path.with_suffix(".arrivals").unlink(missing_ok=True)
        path.unlink(missing_ok=True)  # last: while it is there, somebody looks

    def close_run(self, folder: Path) -> None:
        """Remove a run's folder once every file of it is sealed.

        What describes it goes last: it is a run, to be closed again, until all else has gone.
        """
        if not self.files(folder):
            with contextlib.suppress(OSError):
                for path in folder.iterdir():
                    if path.is_dir():
                        shutil.rmtree(path)
                    elif path.name != "run.json":
                        path.unlink()
                shutil.rmtree(folder)
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
        """Return where a run's span stands, ``None`` when nothing of it is sealed.

        Raises: ``OSError`` while the disk cannot be asked: what is sealed would be sealed twice.
        """
        try:
            body = json.loads(text_of(folder / "span.json"))
            before = body["before"] and _span_state(body["before"])
            keys = tuple(body.get("keys", ()))
            return SealProgress(body["file"], before, _span_state(body["after"]), keys)
        except (ValueError, TypeError, KeyError):
            return None

    def _prune(self, folder: Path, top: Path) -> None:
        with self._folders:
            while folder != top:
                try:
                    folder.rmdir()
                except OSError:
                    return
                folder = folder.parent


def _media_under(top: Path) -> list[Path]:
    return [top / name for name, _, _ in files_under(top) if name.endswith(".mp4")]


def _span_state(body: dict[str, Any]) -> SpanState:
    camera = body["camera"] and CameraClock(**body["camera"])
    quiet = tuple(body.get("quiet", (0, 0)))
    anchors = tuple((media, wall) for media, wall in body["clock"].get("anchors", ()))
    clock = SpanClock(**{**body["clock"], "anchors": anchors})
    sets = tuple(body.get("sets", ()))
    return SpanState(**{**body, "clock": clock, "camera": camera, "quiet": quiet, "sets": sets})
