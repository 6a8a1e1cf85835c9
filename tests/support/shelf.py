"""Sealed segments without a camera: files recorded by our command's shape, served by a view."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

from recorder import index
from recorder.bmff.init import read_init
from recorder.capture.command import record_command
from recorder.catalog.sql import SqlCatalog
from recorder.index import TrackFrames
from recorder.model.cameras import StreamSource
from recorder.model.media import Segment
from recorder.model.runs import Run, SpanState
from recorder.model.timebase import SECOND, Instant, ticks_to_ns
from recorder.reading.view import View
from recorder.sealing import seal
from recorder.spool.disk import Spool
from recorder.store.memory import MemoryStore
from tests.support.clock import FakeClock
from tests.support.make import STREAM, T0
from tests.support.media import FF9

STORE = "main"


def record_files(source: Path, folder: Path, segment_s: float, video: str = "h264") -> list[Path]:
    """Cut a file as the recorder cuts a stream, but at once, and every ``segment_s``."""
    folder.mkdir(parents=True, exist_ok=True)
    argv = record_command(FF9, StreamSource(f"file:{source}"), folder, 60, audio="aac", video=video)
    at = argv.index("-segment_atclocktime")
    del argv[at : at + 2]
    argv[argv.index("-segment_time") + 1] = str(segment_s)
    argv.remove("-re")
    subprocess.run(argv, check=True, capture_output=True)
    return sorted(folder.glob("*.mp4"))


class Shelf:
    """A catalog in memory, a store in memory, and a view of both."""

    def __init__(self, folder: Path) -> None:
        self.store = MemoryStore(STORE)
        self.catalog = SqlCatalog("sqlite://")
        self.clock = FakeClock(T0 + 86_400 * SECOND)
        spool = Spool(folder / "spool")
        self.view = View(self.catalog, spool, {STORE: self.store}, self.clock, STREAM.site)
        self.segments: list[Segment] = []

    def close(self) -> None:
        """Let go of threads and database."""
        self.view.close()
        self.catalog.close()

    def put(self, files: list[Path], start: Instant = T0, *, term: int = 1) -> list[Segment]:
        """Seal the files of a run that began at ``start``, one span, and store them."""
        run = Run(STREAM, "n1", term, 1, start, "node", "file:test")
        state: SpanState | None = None
        end, made = start, []
        for path in files:
            body = path.read_bytes()
            track, scale = _pictures(body)
            media_start, media_end = track.presentation()
            end += ticks_to_ns(media_end - media_start, scale)
            if state is not None:  # one run of ffmpeg: what follows adjoins
                clock = replace(state.clock, media_end=media_start)
                state = replace(state, clock=clock, dts_end=track.dts[0])
            done = seal(body, run, state, [(len(body), end)])
            state = done.state
            whole = body[: done.keep_bytes] + done.trailer
            self.store.put(done.segment.key, whole, "video/mp4", {})
            self.catalog.add_segment(done.segment, STORE, "", self.clock.now())
            made.append(done.segment)
        self.segments += made
        return made

    def lose(self, segment: Segment) -> None:
        """Take a segment away, as purging does."""
        copies = self.catalog.copies([segment])[segment.key]
        self.catalog.forget(copies, "purged")
        self.store.delete([segment.key])


def _pictures(body: bytes) -> tuple[TrackFrames, int]:
    init = read_init(body)
    return index.scan(body, init).table.tracks[init.tracks.index(init.lead)], init.lead.timescale
