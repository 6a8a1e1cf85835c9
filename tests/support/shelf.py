"""Sealed segments without a camera: files recorded by our command's shape, served by a view."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from recorder import index
from recorder.bmff.init import read_init
from recorder.capture.command import Tracks, record_command
from recorder.capture.sealer import Sealer
from recorder.catalog.sql import SqlCatalog
from recorder.index import TrackFrames
from recorder.model.cameras import StreamSource
from recorder.model.media import Segment
from recorder.model.runs import Run
from recorder.model.timebase import SECOND, Instant, ticks_to_ns
from recorder.reading.view import View
from recorder.spool.disk import Spool
from recorder.store.memory import MemoryStore
from tests.support.clock import FakeClock
from tests.support.make import STREAM, T0
from tests.support.media import FF9, made_once, media_folder

STORE = "main"
RUN = Run(STREAM, "n1", 1, 1, T0, "node", "file:test")


FILM = [
    "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25", "-f", "lavfi", "-i",
    "sine=440:sample_rate=48000", "-t", "9", "-c:v", "libx264", "-preset", "ultrafast", "-g", "25",
    "-bf", "2", "-c:a", "aac",
]  # fmt: skip


def make_film(folder: Path) -> Path:
    """Nine seconds with B-frames and AAC: a copy of what is made once for all tests."""
    name = hashlib.sha256(" ".join((FF9, *FILM)).encode()).hexdigest()[:16]
    with made_once(media_folder() / f"film-{name}.mkv") as part:
        if part is not None:
            subprocess.run([FF9, "-v", "error", *FILM, str(part)], check=True)
    path = folder / "film.mkv"
    shutil.copy(media_folder() / f"film-{name}.mkv", path)
    return path


CODERS = {
    "264": ["-c:v", "libx264", "-preset", "ultrafast", "-bsf:v", "dump_extra"],
    "265": ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params",
            "repeat-headers=1:open-gop=0:bframes=0:log-level=none"],
}  # fmt: skip


def make_parted(folder: Path, codec: str = "264") -> Path:
    """Three seconds each small, large, small, under parameter sets of their own; and AAC."""
    small, large = folder / f"small.{codec}", folder / f"large.{codec}"
    for path, size in ((small, "320x240"), (large, "640x480")):
        subprocess.run(
            [FF9, "-v", "error", "-f", "lavfi", "-i", f"testsrc2=s={size}:r=25", "-t", "3",
             *CODERS[codec], "-g", "25", str(path)], check=True,
        )  # fmt: skip
    both, film = folder / f"both.{codec}", folder / "parted.mkv"
    both.write_bytes(small.read_bytes() + large.read_bytes() + small.read_bytes())
    subprocess.run(
        [FF9, "-v", "error", "-r", "25", "-i", str(both), "-f", "lavfi", "-i", "sine", "-t", "9",
         "-c:v", "copy", "-c:a", "aac", str(film)], check=True,
    )  # fmt: skip
    return film


def capture(
    source: Path, folder: Path, tracks: Tracks, segment_s: int = 2, ffmpeg: str = FF9
) -> None:
    """Record a file in a run's folder, as if each part had come in its own time from ``T0`` on."""
    record_files(source, folder, segment_s, tracks, ffmpeg)
    for path in folder.rglob("*.mp4"):
        closed = T0 + (int(path.stem) + 1) * segment_s * SECOND
        os.utime(path, ns=(closed, closed))


def sealed(spool: Spool, folder: Path) -> list[tuple[Segment, Path]]:
    """Seal a run; return its segments and where they lie."""
    found: list[Segment] = []
    Sealer(spool, found.append).finish_run(folder, RUN)
    paths = [spool.path_of(one.key) for one in found]
    assert all(path is not None for path in paths)
    return [(one, path) for one, path in zip(found, paths, strict=True) if path is not None]


def record_files(
    source: Path, folder: Path, segment_s: float, tracks: Tracks, ffmpeg: str = FF9
) -> list[Path]:
    """Cut a file as the recorder cuts a stream, but at once, and every ``segment_s``."""
    for name in ("sound0", "sound1"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    argv = record_command(ffmpeg, StreamSource(f"file:{source}"), folder, 60, tracks)
    while "-segment_atclocktime" in argv:
        at = argv.index("-segment_atclocktime")
        del argv[at : at + 2]
    for i in [i for i, one in enumerate(argv) if one == "-segment_time"]:
        argv[i + 1] = str(segment_s)
    argv.remove("-re")
    subprocess.run(argv, check=True, capture_output=True)
    return sorted(folder.glob("*.mp4"))


class Shelf:
    """A catalog in memory, a store in memory, and a view of both."""

    def __init__(self, folder: Path) -> None:
        self.store = MemoryStore(STORE)
        self.catalog = SqlCatalog("sqlite://")
        self.clock = FakeClock(T0 + 86_400 * SECOND)
        self.spool = Spool(folder / "spool")
        self.view = View(
            self.catalog.footage,
            self.catalog.statuses,
            self.spool,
            {STORE: self.store},
            self.clock,
            STREAM.site,
        )
        self.segments: list[Segment] = []

    def close(self) -> None:
        """Let go of threads and database."""
        self.view.close()
        self.catalog.close()

    def put(self, files: list[Path], start: Instant = T0, *, term: int = 1) -> list[Segment]:
        """Seal the files of a run that began at ``start``, one span, and store them."""
        run = Run(STREAM, "n1", term, 1, start, "node", "file:test")
        folder = self.spool.open_run(run)
        shutil.copytree(files[0].parent, folder, dirs_exist_ok=True)
        end, made = start, list[Segment]()
        for path in self.spool.files(folder):  # as if it had come in its own time
            track, scale = _pictures(path.read_bytes())
            begin, stop = track.presentation()
            end += ticks_to_ns(stop - begin, scale)
            os.utime(path, ns=(end, end))
        Sealer(self.spool, made.append).finish_run(folder, run)
        for segment in made:
            path = self.spool.root / "sealed" / segment.key
            self.store.put(segment.key, path.read_bytes(), "video/mp4", {})
            self.spool.remove(segment.key)
            self.catalog.commits.add_segment(segment, STORE, "", self.clock.now())
        self.segments += made
        return made

    def lose(self, segment: Segment) -> None:
        """Take a segment away, as purging does."""
        copies = self.catalog.footage.copies([segment])[segment.key]
        self.catalog.commits.forget(copies, "purged")
        self.store.delete([segment.key])


def _pictures(body: bytes) -> tuple[TrackFrames, int]:
    init = read_init(body)
    return index.scan(body, init).table.tracks[init.tracks.index(init.lead)], init.lead.timescale
