"""Seal the files of a run, in order, on disk."""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from recorder import telemetry
from recorder.capture.health import HealthBook
from recorder.errors import MalformedMedia
from recorder.index import MALFORMED
from recorder.mapped import UnreadableFile, mapped
from recorder.model.keys import span_end_key
from recorder.model.media import Segment
from recorder.model.runs import Run, SealProgress, SpanState
from recorder.model.timebase import SECOND, ticks_to_ns
from recorder.sealing import Described, SealedFile, body_blocks, seal
from recorder.segment.arrival import Follower
from recorder.segment.sound import read_sound
from recorder.spool.raw import Opened, RunFiles, follower, opened

log = logging.getLogger("recorder.capture")

READ_TRIES = 30
"""So often a file that its disk does not give is asked for: a minute, or five."""
LATEST_SOUND_NS = 10 * SECOND
"""Sound comes no later than its picture by more."""
RATE_NEEDS = 3
"""Arrivals of the second file that are awaited before a session's first one is sealed."""


class SealSpool(RunFiles, Protocol):
    """What sealing needs of the spool."""

    def finish(
        self, path: Path, keep_bytes: int, trailer: bytes, key: str, head: bytes = b""
    ) -> Path:
        """Give a file its head, its trailer and its final name; durable when this returns."""

    def assemble(self, path: Path, blocks: Iterable[object], key: str) -> Path:
        """Write a segment laid out anew from a file, under its final name; durable."""

    def drop(self, path: Path) -> None:
        """Remove a file of a run whose contents are sealed, or were none."""

    def path_of(self, key: str) -> Path | None:
        """Return where a sealed segment lies."""

    def save_progress(self, folder: Path, progress: SealProgress) -> None:
        """Remember where the span stands."""

    def load_progress(self, folder: Path) -> SealProgress | None:
        """Return where a run's span stands."""

    def mark_end(self, key: str) -> None:
        """Leave an empty span-end object to be shipped."""

    def quarantine(self, path: Path, reason: str, *, keep: bool = False) -> Path:
        """Put a file aside for a person."""

    def salvage(self, path: Path, reason: str) -> Path:
        """Put a file aside that cannot be read, and leave what can be in its place."""

    def close_run(self, folder: Path) -> None:
        """Remove a run's folder once every file of it is sealed."""


@dataclass(frozen=True, slots=True)
class SealReport:
    """What became of one file: segments, or the reason there is none."""

    segments: tuple[Segment, ...] = ()
    lost_bytes: int = 0
    quarantined: str = ""


class Sealer:
    """Seals files and tells ``sealed`` of every segment."""

    def __init__(
        self, spool: SealSpool, sealed: Callable[[Segment], None], book: HealthBook | None = None
    ) -> None:
        """``book`` is told how well each segment was recorded."""
        self.spool = spool
        self.sealed = sealed
        self.book = book or HealthBook()
        self._unread: Counter[Path] = Counter()
        """How often a file could not be read."""
        self._untold: dict[str, tuple[Segment, Path]] = {}
        """What may have its name already, by its key; it is told once the file that it was made of
        is gone, which may fail."""

    def seal_closed(self, folder: Path, run: Run, *, await_sound: bool) -> SealReport | None:
        """Seal the oldest file of a run that another follows; ``None`` when there is none.

        What follows must have begun, for its first frame says how long the last one of this
        file lasted.  Behind a session's first file some of it must have come, too: a short one
        alone does not tell the rate of its stamps.  ``await_sound``: sound is still on its way;
        wait until it reaches the end.
        """
        files = self.spool.files(folder)
        if len(files) < 2:
            return None
        first = follower(self.spool, files[0])
        if first is None and len(files) < 3:
            return None
        opens = int(files[0].stem) == 0
        if opens and first is not None and len(files) < 3 and not _tells_rate(first):
            return None
        if first is not None and await_sound and self._sound_lags(folder, first.pts):
            return None
        return self.seal_file(files[0], run)

    def _sound_lags(self, folder: Path, end_ticks: int) -> bool:
        """Tell whether sound has come, but not yet up to the end of a picture."""
        end_ns, reached = ticks_to_ns(end_ticks, 90_000), -1
        for track, path in self.spool.sounds(folder):
            with contextlib.suppress(OSError):
                found = read_sound(path.read_bytes(), 0, track)
                reached = max(reached, found.end_ns if found is not None else -1)
        return 0 <= reached < end_ns

    def seal_file(self, path: Path, run: Run) -> SealReport:
        """Seal one finished file of a run; what cannot be read is quarantined."""
        if path.stat().st_size == 0:
            self.spool.drop(path)
            return SealReport()
        progress = self.spool.load_progress(path.parent)
        previous = progress.state_for(path.name) if progress else None
        done = self._done(progress, path)
        if progress is not None and done and done == set(progress.keys):
            self.spool.drop(path)  # died, or failed, before the file was gone
            return SealReport(self._tell(path.parent))
        try:
            with opened(self.spool, path, growing=False, ahead_ns=run.ahead_ns) as files:
                found = seal(files.raw, run, previous, files.read)
                self._store(path, files, found, previous, done)
        except UnreadableFile as exc:
            return self._salvage(path, run, exc)
        except MalformedMedia as exc:
            return self._set_aside(path, run, str(exc))
        self._unread.pop(path, None)
        told = self._tell(path.parent)
        self._report(path, run, found, previous)
        self._drop_sound(path.parent, found.state, run.ahead_ns)
        return SealReport(told, found.lost_bytes)

    def _tell(self, folder: Path) -> tuple[Segment, ...]:
        """Tell of the segments of a run that this process has made, and whose files are gone."""
        told: list[Segment] = []
        for segment, path in list(self._untold.values()):
            if path.parent == folder and not path.exists():
                told += [segment] if self.spool.path_of(segment.key) is not None else []
                self._untold.pop(segment.key)
        for segment in told:
            self.sealed(segment)
        return tuple(told)

    def _salvage(self, path: Path, run: Run, exc: UnreadableFile) -> SealReport:
        """Seal what a disk still gives of a file, that the others need not wait for it.

        Raises: ``exc`` at first: a cable may be put back.
        """
        self._unread[path] += 1
        if self._unread[path] < READ_TRIES:
            raise exc
        self._unread.pop(path)
        target = self.spool.salvage(path, str(exc))
        said = {"stream": str(run.stream), "file": target.name, "reason": str(exc)}
        log.error("file cannot be read, put aside", extra=said)
        telemetry.SPOOL_DAMAGED.inc()
        return self.seal_file(path, run)

    def _done(self, progress: SealProgress | None, path: Path) -> set[str]:
        """Return what a process that died has made of a file; a start registers these segments.

        They stay as they are: the file might be sealed otherwise now, with more of its sound.
        """
        if progress is None or progress.file != path.name:
            return set()
        return {key for key in progress.keys if self.spool.path_of(key) is not None}

    def _store(
        self,
        path: Path,
        files: Opened,
        found: SealedFile,
        previous: SpanState | None,
        done: set[str],
    ) -> None:
        """Give what was sealed its names; the file itself is gone when this returns."""
        if found.lost_bytes > 0 and found.reason == MALFORMED:
            stop = found.described[-1].stop
            self.spool.quarantine(path, f"damaged after byte {stop}", keep=True)
        keys = tuple(one.segment.key for one in found.segments)
        self.spool.save_progress(path.parent, SealProgress(path.name, previous, found.state, keys))
        for one, described in zip(found.segments, found.described, strict=True):
            if one.segment.key in done:
                continue
            self._untold[one.segment.key] = one.segment, path
            layout = described.layout
            if layout is None or layout.head:
                head = layout.head if layout else b""
                self.spool.finish(path, one.keep_bytes, one.trailer, one.segment.key, head)
            else:
                blocks = _blocks(files, described, one.trailer)
                self.spool.assemble(path, blocks, one.segment.key)
        self.spool.drop(path)

    def finish_run(self, folder: Path, run: Run) -> SealReport:
        """Seal what a run left, end its span, remove its folder; return the last report."""
        report = SealReport(self._tell(folder))  # of what took its name before the disk failed
        for path in self.spool.files(folder):
            report = self.seal_file(path, run)
        progress = self.spool.load_progress(folder)
        if progress is not None:
            self._mark_end(run, progress.after)
        self.spool.close_run(folder)
        return report

    def _drop_sound(self, folder: Path, state: SpanState, ahead_ns: int) -> None:
        """Remove files of sound that lie wholly before what is sealed; the newest grows still.

        So do those that came long before it did, whatever their stamps say, and none that came
        later.
        """
        newest = {track: path for track, path in self.spool.sounds(folder)}
        for track, path in self.spool.sounds(folder):
            if path == newest[track]:
                continue
            with contextlib.suppress(OSError):
                came = path.stat().st_mtime_ns - ahead_ns
                if came > state.closed:
                    continue
                found = read_sound(path.read_bytes(), 0, track)
                past = found is None or found.end_ns <= state.sound_ns
                if past or came < state.closed - LATEST_SOUND_NS:
                    self.spool.drop(path)

    def _mark_end(self, run: Run, state: SpanState) -> None:
        prefix = str(run.stream)
        self.spool.mark_end(span_end_key(prefix, state.end, run.writer, state.counter + 1))

    def _set_aside(self, path: Path, run: Run, reason: str) -> SealReport:
        """Quarantine an unreadable file; one without any media yet is just removed.

        A disk that lost what it had promised to keep gives zeros, and whole fragments behind them.
        """
        with path.open("rb") as file, mapped(file) as view:
            is_media = view.find(b"moof") >= 0
        if not is_media:
            self.spool.drop(path)
            return SealReport()
        target = self.spool.quarantine(path, reason)
        self.spool.drop(path)
        said = {"stream": str(run.stream), "file": target.name, "reason": reason}
        log.warning("file quarantined", extra=said)
        return SealReport((), target.stat().st_size, target.name)

    def _report(self, path: Path, run: Run, found: SealedFile, previous: SpanState | None) -> None:
        """Leave the ends of spans that are over; say what is missing and what was cut off."""
        before = previous
        for one in found.described:
            if before is not None and one.new_span:
                self._mark_end(run, before)
            before = one.state
            self.book.sealed(run.stream, one.segment.end, one.health)
            if one.health.missing:
                _report_missing(run, one)
        if found.lost_bytes > 0:
            said = {"stream": str(run.stream), "file": path.name, "lost_bytes": found.lost_bytes}
            log.warning("file cut back to its last whole fragment", extra=said)


def _tells_rate(first: Follower) -> bool:
    return len({media for media, _ in first.came}) >= RATE_NEEDS


def _report_missing(run: Run, found: Described) -> None:
    telemetry.MISSING.labels(run.stream.camera, run.stream.stream).inc(found.health.missing)
    log.warning(
        "frames missing",
        extra={
            "stream": str(run.stream),
            "frames": found.health.missing,
            "key": found.segment.key,
            "gaps": len(found.segment.holes),
        },
    )


def _blocks(files: Opened, found: Described, trailer: bytes) -> Iterable[object]:
    yield from body_blocks(files.raw, found, files.read)
    yield trailer
